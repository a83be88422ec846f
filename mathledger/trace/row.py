"""One training row back to its raw row, and one benchmark item with the rows that overlap it.

Files are read a row group at a time, at first the column that is asked for alone, so that memory
does not grow with the corpus.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.tables import Row
from mathledger.trace.number import Found
from mathledger.trace.tree import SHOWN, Branch, printed

KEPT, REMOVED = "kept.parquet", "removed.parquet"
ORIGIN = ("corpus", "origin_file", "origin_row")  # tells rows of equal id apart: exact copies
MAX_NAMED = 5  # ids in a message
WITHHELD = "(withheld: it is of a private benchmark)"

Where = Callable[[pa.Table], Any]  # of some columns: which rows, as booleans


def rows_where(
    chain: Chain, path: str, columns: list[str], where: Where, wanted: list[str] | None = None
) -> Iterator[Row]:
    """The rows of a parquet file of the cache that a condition on some columns chooses.

    Args:
        wanted: the columns of these rows; all unless given.

    Raises:
        InputError: the file is not in the cache, no parquet file, or lacks a column.
    """
    try:
        with pq.ParquetFile(chain.cached(path), pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                chosen = where(file.read_row_group(group, columns))
                if pc.any(chosen).as_py():
                    yield from file.read_row_group(group, wanted).filter(chosen).to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{path} of {chain.label} cannot be read as parquet: {error}") from None


def having(column: str, *values: str) -> tuple[list[str], Where]:
    """The condition that a column has one of these values."""
    return [column], lambda table: pc.is_in(table[column], pa.array(values, pa.string()))


# ------------------------------------------------------------------------------- a training row


def row(chain: Chain, head: str) -> tuple[Found, str]:
    """A training row through every stage, as JSON and as text.

    Args:
        head: its id, or as much of it as no other id begins with.

    Raises:
        InputError: no row, or more than one, has such an id; or a file is missing.
    """
    name = whole_id(chain, head)
    copies = [
        {**each, "stage": f"prepare@{corpus}", "is_kept": part == KEPT}
        for corpus in chain.params["corpus"]
        for part in (KEPT, REMOVED)
        for each in rows_where(chain, f"data/prepare/{corpus}/{part}", *having("id", name))
    ]
    passed = {
        (stage, part): list(rows_where(chain, f"data/{stage}/{part}", *having("id", name)))
        for stage in ("deduplicate", "decontaminate")
        for part in (KEPT, REMOVED)
    }
    hits = list(rows_where(chain, "data/decontaminate/evidence.parquet", *having("id", name)))
    sampled = {
        part: len(list(rows_where(chain, f"data/mix/{part}.parquet", *having("id", name), ["id"])))
        for part in ("train", "validation")
    }
    ways = [way(chain, each, passed, hits, sampled) for each in copies]
    if overlaps_private(chain, ways):
        withhold_row(ways)
    found = {"revision": chain.name, "commit": chain.commit, "id": name, "copies": ways}
    return found, printed(row_tree(found))


def overlaps_private(chain: Chain, copies: list[Found]) -> bool:
    """Whether a row, or the one that it is a duplicate of, overlaps a private benchmark's item."""
    stages = [stage for copy in copies for stage in copy["stages"]]
    kept = {
        stage["evidence"]["kept_id"]
        for stage in stages
        if stage["stage"] == "deduplicate" and not stage["is_kept"]
    }
    hits = [hit for stage in stages for hit in stage.get("hits", ())]
    if kept:
        hits += rows_where(chain, "data/decontaminate/evidence.parquet", *having("id", *kept))
    return any(is_private(chain, benchmark) for benchmark in {hit["benchmark"] for hit in hits})


def is_private(chain: Chain, benchmark: str) -> bool:
    """Whether a benchmark's text, and that of the rows which overlap it, is to stay out."""
    return bool(chain.json(f"data/download_benchmark/{benchmark}/receipt.json").get("private"))


def withhold_row(copies: list[Found]) -> None:
    """Take the texts of a row out; where it stands in the download is still told."""
    for copy in copies:
        copy |= dict.fromkeys(("problem", "solution", "answer"), WITHHELD)
        copy["raw"]["content"] = {"row": WITHHELD}
        for stage in copy["stages"]:
            for told in (stage.get("evidence") or {}, *stage.get("hits", ())):
                told |= {key: WITHHELD for key in ("kept_problem", "item_problem") if key in told}


def whole_id(chain: Chain, head: str) -> str:
    """The one id that begins so."""
    if not re.fullmatch("[0-9a-f]{1,32}", head):
        raise InputError(f"{head} is no id of a row: 32 digits of 0-9 and a-f, or the first of one")
    ids: set[str] = set()
    for corpus in chain.params["corpus"]:
        for part in (KEPT, REMOVED):
            found = rows_where(
                chain,
                f"data/prepare/{corpus}/{part}",
                ["id"],
                lambda table: pc.starts_with(table["id"], head),
                ["id"],
            )
            for each in found:
                ids.add(each["id"])
                if len(ids) > MAX_NAMED:
                    break  # enough to say so
    if not ids:
        raise InputError(
            f"no row of {', '.join(chain.params['corpus'])} has an id that begins with {head} in "
            f"{chain.label}; the column `id` of data/mix/train.parquet names those trained on"
        )
    if len(ids) > 1:
        named = ", ".join(sorted(ids)[:MAX_NAMED]) + (", ..." if len(ids) > MAX_NAMED else "")
        raise InputError(f"{head} begins the ids of several rows: {named}; give more digits")
    return ids.pop()


def way(
    chain: Chain,
    copy: Row,
    passed: dict[tuple[str, str], list[Row]],
    hits: list[Row],
    sampled: dict[str, int],
) -> Found:
    """What became of one copy of a row: the stages that it reached, the last one first."""
    removed = {} if copy["is_kept"] else {key: copy[key] for key in ("reason", "evidence")}
    stages: list[Found] = [{"stage": copy["stage"], "is_kept": copy["is_kept"], **removed}]
    for stage in ("deduplicate", "decontaminate"):
        if not stages[0]["is_kept"]:
            break
        reached: Found | None = None
        for part in (KEPT, REMOVED):
            for each in passed[stage, part]:
                if all(each[key] == copy[key] for key in ORIGIN):
                    reached = {"stage": stage, "is_kept": part == KEPT}
                    if part == REMOVED:
                        reached |= {key: each[key] for key in ("reason", "evidence")}
        if reached is None:
            raise InputError(
                f"data/{stage} of {chain.label} holds row {copy['id']} of {copy['origin_file']} "
                "neither as kept nor as removed: run `dvc repro`"
            )
        if stage == "decontaminate":
            reached["hits"] = hits
        stages.insert(0, reached)
    if stages[0]["is_kept"]:
        stages.insert(0, {"stage": "mix", "is_kept": any(sampled.values()), **sampled})
    return {
        **{key: copy[key] for key in ("corpus", "source", "problem", "solution", "answer")},
        "stages": stages,
        "raw": raw(chain, copy),
    }


def raw(chain: Chain, copy: Row) -> Found:
    """The row of the download as it stands there, and the file that holds it.

    Raises:
        InputError: there is no such row, or it has another text than the training row.
    """
    corpus, name, number = (copy[key] for key in ORIGIN)
    path = f"data/download_corpus/{corpus}/{name}"
    receipt = chain.json(f"data/download_corpus/{corpus}/receipt.json")
    content = raw_row(chain, path, number)
    mapping = chain.stage(f"prepare@{corpus}").params[f"corpus.{corpus}.mapping"]
    for column in ("problem", "solution"):
        if text_of(content.get(mapping[column])) != copy[column]:
            raise InputError(
                f"{path}, row {number}: {mapping[column]} is not the {column} of row "
                f"{copy['id']}: the download is another than `prepare` read; run `dvc repro`"
            )
    return {
        "file": path,
        "row": number,
        "sha256": receipt["files"][name]["sha256"],
        "md5": chain.md5(path),
        **{key: receipt[key] for key in ("name", "revision", "licence")},
        "content": content,
    }


def raw_row(chain: Chain, path: str, number: int) -> Row:
    """A row of a JSONL or parquet file, counted from 0."""
    file = chain.cached(path)
    try:
        if Path(path).suffix == ".jsonl":
            with file.open("rb") as lines:
                return dict(json.loads(next(islice(lines, number, None))))
        with pq.ParquetFile(file, pre_buffer=False) as table:
            at = 0
            for group in range(table.num_row_groups):
                size = table.metadata.row_group(group).num_rows
                if number < at + size:
                    return dict(table.read_row_group(group).slice(number - at, 1).to_pylist()[0])
                at += size
    except (ValueError, pa.ArrowException, OSError) as error:
        raise InputError(f"{path} of {chain.label}, row {number}: {error}") from None
    except StopIteration:
        pass
    raise InputError(f"{path} of {chain.label} has no row {number}: run `dvc repro`")


def text_of(value: Any) -> str | None:
    """A text as `prepare` reads it: without space around it; null where none is left."""
    if not isinstance(value, str):
        return None
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return pc.utf8_trim_whitespace(pa.scalar(whole)).as_py() or None


def row_tree(found: Found) -> Branch:
    """A branch for each copy, on it the stages, and under the last the raw row."""
    copies = found["copies"]
    title = "" if len(copies) == 1 else f"{len(copies)} rows of one text"
    top = Branch(f"row {found['id']}", title)
    for copy in copies:
        made = Branch(copy["corpus"], copy["source"], text_lines(copy, "problem", "solution"))
        made.lines += text_lines(copy, "answer")
        for stage in copy["stages"]:
            made.branches.append(Branch(stage["stage"], *outcome(stage)))
        origin = copy["raw"]
        made.branches.append(
            Branch(
                f"download_corpus@{copy['corpus']}",
                f"{origin['name']} {origin['revision']}, {origin['licence']}",
                [
                    f"{origin['file']} sha256 {origin['sha256'][:SHOWN]}, row {origin['row']}:",
                    *(
                        line
                        for key, value in origin["content"].items()
                        for line in said(key, value)
                    ),
                ],
            )
        )
        top.branches.append(made)
    return top


def outcome(stage: Found) -> tuple[str, list[str]]:
    """Kept or removed, and why."""
    if stage["stage"] == "mix":
        if not stage["is_kept"]:
            return "not sampled", []
        times = f", {stage['train']} times" if stage["train"] > 1 else ""
        return ("in the training set" + times if stage["train"] else "in the validation set"), []
    lines = []
    if not stage["is_kept"] and isinstance(stage["evidence"], dict):
        kept = stage["evidence"]
        lines = [
            line
            for key, value in kept.items()
            if value not in (None, []) and not key.endswith("_spans")
            for line in said(key, value)
        ]
    elif stage.get("hits"):
        lines = [hit_line(hit) for hit in stage["hits"]]
    return ("kept" if stage["is_kept"] else f"removed: {stage['reason']}"), lines


def hit_line(hit: Row) -> str:
    """same as chain_sum/chain_sum-900003 in the problem: kept."""
    return (
        f"{hit['class']} {hit['benchmark']}/{hit['item_id']}, in the {hit['place']}, containment "
        f"{hit['containment']:.2f}: {hit['action']}"
    )


def text_lines(of: Found, *keys: str) -> list[str]:
    """Texts, their own lines kept."""
    return [line for key in keys for line in said(key, of[key])]


def said(key: str, value: Any) -> list[str]:
    """A value behind its name; a text keeps its lines."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    first, *more = shown.splitlines() or [""]
    return [f"{key}: {first}", *(f"  {line}" for line in more)]


# ---------------------------------------------------------------------------- a benchmark item


def item(chain: Chain, target: str) -> tuple[Found, str]:
    """An item, its responses and the rows that the filter matched to it, as JSON and as text.

    Args:
        target: BENCHMARK/ID.

    Raises:
        InputError: there is no such item, or a file is missing.
    """
    benchmark, _, name = target.partition("/")
    if not name:
        raise InputError(f"{target} is no item: give BENCHMARK/ID")
    models = chain.models_of(benchmark)
    folder = f"data/download_benchmark/{benchmark}"
    withheld = is_private(chain, benchmark)
    # Of all of the source: the filter looks for items that are not evaluated as well.
    items = list(rows_where(chain, f"{folder}/all_items.parquet", *having("id", name)))
    if not items:
        others = rows_where(chain, f"{folder}/all_items.parquet", ["id"], everything, ["id"])
        named = ", ".join(each["id"] for each in islice(others, MAX_NAMED))
        raise InputError(f"{benchmark} of {chain.label} has no item {name}; it has {named}, ...")
    evaluated = list(rows_where(chain, f"{folder}/items.parquet", *having("id", name)))
    reasons = {each["id"]: each["reason"] for each in chain.json(f"{folder}/left_out.json")}
    left_out = None if evaluated else reasons.get(name, "no reason recorded")
    responses = [
        {"model": model, **each}
        for model in models
        for each in rows_where(
            chain, f"data/evaluate/{model}-{benchmark}/samples.parquet", *having("item_id", name)
        )
    ]
    hits = list(
        rows_where(
            chain,
            "data/decontaminate/evidence.parquet",
            ["benchmark", "item_id"],
            lambda table: pc.and_(
                pc.equal(table["benchmark"], benchmark), pc.equal(table["item_id"], name)
            ),
        )
    )
    rows = texts(chain, [hit["id"] for hit in hits]) if hits else {}
    for hit in hits:
        hit["row"] = rows[hit["id"]]
    found = {
        "revision": chain.name,
        "commit": chain.commit,
        "benchmark": benchmark,
        "is_private": withheld,
        "left_out": left_out,  # why it is not evaluated
        "item": {
            "answer_type": None,
            **(evaluated or items)[0],
            "subsets": dict(items[0]["subsets"]),
        },
        "is_overlapping": any(hit["class"] != "variant" for hit in hits),
        "responses": responses,
        "hits": hits,
    }
    if withheld:
        withhold(found)
    return found, printed(item_tree(found))


def texts(chain: Chain, ids: list[str]) -> dict[str, Row]:
    """Problem and solution of rows that went through the filter, removed or not, by id.

    Raises:
        InputError: one is missing.
    """
    found = {
        each.pop("id"): each
        for part in (KEPT, REMOVED)
        for each in rows_where(
            chain,
            f"data/decontaminate/{part}",
            *having("id", *ids),
            ["id", "problem", "solution"],
        )
    }
    for lost in set(ids) - found.keys():
        raise InputError(
            f"data/decontaminate of {chain.label} has evidence of row {lost}, but no such row: "
            "run `dvc repro`"
        )
    return found


def everything(table: pa.Table) -> Any:
    return pa.array([True] * len(table))


def withhold(found: Found) -> None:
    """Take the texts out: those of a private benchmark stay out of every output."""
    hidden = {"problem", "answer", "solution", "response", "extracted_answer", "reference"}
    hidden |= {"item_problem"}
    rows = [hit["row"] for hit in found["hits"]]
    for part in (found["item"], *found["responses"], *found["hits"], *rows):
        part |= {key: WITHHELD for key in hidden if key in part}


def item_tree(found: Found) -> Branch:
    """The item, a branch for each response, and one for each row that was matched."""
    own, hits = found["item"], found["hits"]
    counted = "overlapping the corpora" if found["is_overlapping"] else "free of overlap"
    how = f"not evaluated ({found['left_out']})," if found["left_out"] else "counts as"
    top = Branch(f"{found['benchmark']}/{own['id']}", f"{how} {counted}")
    top.lines = text_lines(own, "problem", "solution")
    kind = f" ({own['answer_type']})" if own["answer_type"] else ""
    top.lines += [f"reference: {own['answer']}{kind}"]
    top.lines += [f"{key}: {value}" for key, value in own["subsets"].items()]
    is_repeated = any(each["repeat"] for each in found["responses"])
    for each in found["responses"]:
        which = f"{each['model']}, {each['repeat']}" if is_repeated else each["model"]
        harness = each["harness_correct"]
        top.branches.append(
            Branch(
                which,
                f"{each['verdict'].replace('_', ' ')}; extracted {each['extracted_answer']}, "
                f"reference {each['reference']}",
                [
                    *said("response", each["response"]),
                    f"{each['num_tokens']} tokens, ended by {each['finish_reason']}, grader "
                    f"{each['grader']}, prompt sha256 {each['prompt_sha256'][:SHOWN]}"
                    + ("" if harness is None else f", by lm-eval {'right' if harness else 'wrong'}")
                    + ("" if each["seed"] is None else f", seed {each['seed']}"),
                ],
            )
        )
    for hit in hits:
        missing = [
            f"{key.replace('_', ' ')}: {', '.join(hit[key])}"
            for key in ("missing_numbers", "extra_numbers", "missing_operators", "extra_operators")
            if hit[key]
        ]
        top.branches.append(
            Branch(
                f"row {hit['id']}",
                f"{hit['class']}, {hit['action']}; {hit['corpus']}, {hit['source']}",
                [
                    f"in the {hit['place']}; containment {hit['containment']:.2f}, stems of the "
                    f"item in it {hit['item_in_text']:.2f}, its own in the item "
                    f"{hit['text_in_item']:.2f}",
                    *missing,
                    *said(hit["place"], hit["row"][hit["place"]]),
                ],
            )
        )
    if not hits:
        top.branches.append(Branch("rows", "the filter matched none to it"))
    return top
