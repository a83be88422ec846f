"""Experiments side by side: the table that a paper prints.

Each row is a commit or an experiment: the final model's score on each benchmark with its interval,
as its ledger has them; the difference from the baseline, paired by item (docs/statistics.md), its p
adjusted by Holm for all that were tested; the rows it was trained on, and what training cost, from
the lineage. From the stored responses come the tests, and the split by overlap: what a leak buys
shows on the items that stand in the corpora, and not on the others.
"""

import argparse
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathledger.card.markdown import chance, percent, points, table, wrapped
from mathledger.chain.chain import LEDGER, Chain, git
from mathledger.core import terminal
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_batches
from mathledger.evaluation import statistics

LEVEL = 0.05
SCORE = ("num_items", "num_samples", "num_correct", "accuracy", "low", "high")
TRAINING = ("train", "reinforce")
CHANGES_SHOWN = 3

Row = dict[str, Any]
Sheet = tuple[str, int, list[str], list[list[str]]]  # title, columns of text, head, lines


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison in the form that is asked for."""
    found = compare(*chosen(arguments.revisions, arguments.baseline))
    if arguments.json:
        print(terminal.json_text(found, 1))
    elif arguments.csv:
        print(terminal.printable(csv_text(found)), end="")
    elif arguments.markdown:
        parts = [f"{title}\n\n{table(h, r, texts)}" for title, texts, h, r in sheets(found)]
        print(terminal.printable("\n".join([*parts, notes(found)])), end="")
    else:
        parts = [f"{title}\n\n{aligned(h, r)}" for title, _, h, r in sheets(found)]
        print(terminal.printable("\n".join([*parts, notes(found)])), end="")
    return 0


def chosen(revisions: list[str], baseline: str | None) -> tuple[Chain, list[Chain]]:
    """The baseline and what is compared with it: by default HEAD, and its experiments.

    Raises:
        InputError: one of them stands for nothing, or HEAD has no experiments.
    """
    if revisions:
        first = Chain.open(baseline or revisions[0])
        others = [Chain.open(each) for each in revisions]
    else:
        first = Chain.open(baseline or "HEAD")
        others = experiments_of_head(first.at)
        if baseline:
            others.insert(0, Chain.open("HEAD"))
    return first, [each for each in others if each.commit != first.commit]


def experiments_of_head(at: Path) -> list[Chain]:
    """The experiments that started from HEAD, the oldest first."""
    head = git("rev-parse", "HEAD", at=at)
    prefix = f"refs/exps/{head[:2]}/{head[2:]}/"
    form = "--format=%(refname) %(objectname)"
    listed = git("for-each-ref", "--sort=committerdate", form, prefix, at=at)
    found = [line.removeprefix(prefix).split(" ") for line in listed.splitlines()]
    if not found:
        raise InputError(
            "HEAD has no experiments: `dvc exp run --name NAME -S ...` makes one; those of other "
            "commits (`dvc exp list --all-commits`), branches and tags are compared by name"
        )
    return [Chain(name, commit, at) for name, commit in found]


def compare(baseline: Chain, others: list[Chain]) -> Row:
    """The rows, the baseline first, and the number of tests that were made."""
    chains = [baseline, *others]
    rows = [describe(chain, baseline) for chain in chains]
    outcomes = [responses(chain, row) for chain, row in zip(chains, rows, strict=True)]
    overlapping = overlapping_items(baseline)
    for benchmark, score in rows[0]["scores"].items():
        items = overlapping.get(benchmark, set())
        score["by_overlap"] = by_overlap(outcomes[0][benchmark], None, items)
    tests = []
    for row, own in zip(rows[1:], outcomes[1:], strict=True):
        for benchmark, score in row["scores"].items():
            score["against_baseline"], score["not_tested"] = None, None
            score["by_overlap"] = None
            before = rows[0]["scores"].get(benchmark)
            if before is None:
                score["not_tested"] = "the baseline has not answered it"
            elif before["items_digest"] != score["items_digest"]:
                score["not_tested"] = "the baseline answered other items"
            else:
                first, items = outcomes[0][benchmark], overlapping.get(benchmark, set())
                test = paired(first, own[benchmark], benchmark, row["name"])
                score["against_baseline"] = test
                score["by_overlap"] = by_overlap(own[benchmark], first, items)
                tests.append(test)
    adjusted = statistics.holm([test["p_value"] for test in tests])
    for test, p_value in zip(tests, adjusted, strict=True):
        test["p_holm"], test["is_significant"] = p_value, p_value < LEVEL
    return {"baseline": rows[0]["name"], "num_tests": len(tests), "experiments": rows}


def describe(chain: Chain, baseline: Chain) -> Row:
    """What ledger, lock and lineage say of one experiment.

    Raises:
        InputError: it has no ledger, or one that does not belong to its lock.
    """
    ledger = chain.ledger
    expect_whole(chain)
    try:
        final = ledger["params"]["models"][-1]
        scores = {
            entry["benchmark"]: {
                **{key: entry["models"][final][key] for key in SCORE},
                "samples_sha256": entry["models"][final]["samples_sha256"],
                "items_digest": entry["source"]["items_digest"],
            }
            for entry in ledger["benchmarks"]
        }
        code, other = ledger["code"], baseline.ledger["code"]
        changed = list(changes(baseline.ledger["params"], ledger["params"]))
        num_rows = ledger["training"]["num_examples"]
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{LEDGER} of {chain.label} is not as `model_card` writes it ({error!r})"
        ) from None
    num_code = sum(code.get(path) != other.get(path) for path in code.keys() | other.keys())
    if num_code:
        changed.append(f"code ({num_code} file{'s' * (num_code > 1)})")
    return {
        "name": chain.name,
        "commit": chain.commit,
        "changed": changed,
        "num_rows_trained_on": num_rows,
        **cost(chain),
        "model": final,
        "scores": scores,
    }


def expect_whole(chain: Chain) -> None:
    """Raise InputError where part of the pipeline alone has run: its numbers are of two states."""
    mend = "run all of it (`dvc repro`, or the experiment without a target), or leave it out"
    if chain.ledger.get("params") != chain.params:
        raise InputError(f"{LEDGER} of {chain.label} has other params than its params.yaml: {mend}")
    stages = chain.ledger.get("stages", {})
    for name, inputs in stages.items():
        stage = chain.stage(name)
        read = {path: out.md5 for path, out in stage.deps.items() if path.startswith("data/")}
        if read != inputs:
            raise InputError(
                f"{LEDGER} of {chain.label} speaks of another run of {name} than dvc.lock: {mend}"
            )
        for path, md5 in read.items():
            made = [
                out.md5 for each in chain.stages.values() for out in [each.outs.get(path)] if out
            ]
            if made and made != [md5]:
                raise InputError(
                    f"in {chain.label}, {name} read another {path} than there is now: {mend}"
                )


def changes(before: Row, after: Row, prefix: str = "") -> Iterator[str]:
    """Where two trees of params differ.

    >>> list(changes({"a": {"b": 1, "c": 2}, "d": {}}, {"a": {"b": 1, "c": 3}, "e": {"f": 4}}))
    ['a.c=3', 'no d', 'with e']
    """
    for key in sorted(before.keys() | after.keys()):
        # Null in place of a section is none, as in `lora: null`.
        if isinstance(before.get(key), dict) and after.get(key) is None:
            yield f"no {prefix}{key}"
        elif isinstance(after.get(key), dict) and before.get(key) is None:
            yield f"with {prefix}{key}"
        elif key not in before or key not in after:
            yield f"{'with' if key in after else 'no'} {prefix}{key}"
        elif isinstance(before[key], dict) and isinstance(after[key], dict):
            yield from changes(before[key], after[key], f"{prefix}{key}.")
        elif before[key] != after[key]:
            value = after[key]
            yield f"{prefix}{key}={value if isinstance(value, str) else json.dumps(value)}"


def cost(chain: Chain) -> Row:
    """What the run that made the final model took: seconds of training, and kWh."""
    runs = [chain.lineage(stage) for stage in chain.stages.values() if stage.kind in TRAINING]
    if not runs:
        raise InputError(f"dvc.lock of {chain.label} has no stage train: run `dvc repro` there")
    try:
        energy = [each["energy_kwh"] for each in runs]
        return {
            "train_seconds": round(sum(each["train_seconds"] for each in runs), 1),
            "energy_kwh": None if None in energy else round(sum(energy), 6),
            # What went before a checkpoint that a killed run left is not in the two.
            "is_resumed": any(each["resumed_from"] for each in runs),
            "device": ", ".join(runs[-1]["hardware"].get("gpus") or [runs[-1]["hardware"]["cpu"]]),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the lineage of {chain.label} is not as `train` writes it ({error!r})"
        ) from None


def responses(chain: Chain, row: Row) -> dict[str, dict[str, list[bool]]]:
    """By benchmark and item, whether each response is right."""
    found = {}
    for benchmark, score in row["scores"].items():
        name = f"data/evaluate/{row['model']}-{benchmark}/samples.parquet"
        path = chain.cached(name)
        if sha256(path) != score.pop("samples_sha256"):
            raise InputError(
                f"{LEDGER} of {chain.label} speaks of other responses than {name}: "
                "run `dvc repro model_card` there"
            )
        items: dict[str, list[bool]] = {}
        for batch in read_batches(path, ["item_id", "correct"]):
            columns = batch.to_pydict()
            for item, is_right in zip(columns["item_id"], columns["correct"], strict=True):
                items.setdefault(item, []).append(is_right)
        found[benchmark] = items
    return found


def paired(
    before: dict[str, list[bool]], after: dict[str, list[bool]], benchmark: str, name: str
) -> Row:
    """The comparison of two models' responses to the same items."""
    if before.keys() != after.keys():
        raise InputError(
            f"{benchmark} has one items_digest in the baseline and in {name}, and responses to "
            "other items: run `mathledger verify` on both"
        )
    items = sorted(before)
    test = statistics.compare([before[item] for item in items], [after[item] for item in items])
    difference = test.difference
    return {
        "difference": {
            "value": difference.value,
            "low": difference.low,
            "high": difference.high,
        },
        "p_value": test.p_value,
        "num_items_gained": test.num_gained,
        "num_items_lost": test.num_lost,
        "minimum_detectable": test.minimum_detectable,
    }


def overlapping_items(chain: Chain) -> dict[str, set[str]]:
    """By benchmark, the items that stand in its corpora, their rows removed or not."""
    found: dict[str, set[str]] = {}
    path = chain.cached("data/decontaminate/evidence.parquet")
    for batch in read_batches(path, ["benchmark", "item_id", "class"]):
        for hit in batch.to_pylist():
            if hit["class"] != "variant":
                found.setdefault(hit["benchmark"], set()).add(hit["item_id"])
    return found


def by_overlap(
    own: dict[str, list[bool]], before: dict[str, list[bool]] | None, overlapping: set[str]
) -> Row | None:
    """The score on the items that overlap and on the others, and how each changed.

    Args:
        before: the baseline's responses to the same items; None for the baseline itself.

    Returns:
        None where all items are of one kind.
    """
    parts = {
        "items_with_overlap": sorted(own.keys() & overlapping),
        "items_without_overlap": sorted(own.keys() - overlapping),
    }
    if not all(parts.values()):
        return None
    found: Row = {}
    for part, items in parts.items():
        right = [own[item] for item in items]
        score = statistics.accuracy(right)
        found[part] = {
            "num_items": len(items),
            "num_samples": sum(map(len, right)),
            "num_correct": sum(map(sum, right)),
            "accuracy": score.value,
            "low": score.low,
            "high": score.high,
            "difference": None,
        }
        if before:
            change = statistics.compare([before[item] for item in items], right).difference
            found[part]["difference"] = vars(change)
    return found


# --- Forms ----------------------------------------------------------------------------------------


def sheets(found: Row) -> Iterator[Sheet]:
    """Two tables: the scores with rows and cost, and the differences from the baseline."""
    rows = found["experiments"]
    benchmarks = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    head = ["experiment", *benchmarks, "rows", "train s", "kWh"]
    lines = [
        [row["name"], *(_score(row["scores"].get(name)) for name in benchmarks), *_cost(row)]
        for row in rows
    ]
    yield "Scores of the final model, % [95% interval]", 1, head, lines
    if len(rows) > 1:
        head = ["experiment", "changed", *benchmarks]
        lines = [
            [
                row["name"],
                _listed(row["changed"]),
                *(_difference(row["scores"].get(name)) for name in benchmarks),
            ]
            for row in rows[1:]
        ]
        yield f"Difference from {found['baseline']}, points [95% interval], p", 2, head, lines
    split = [
        [benchmark, row["name"], *_parts(row["scores"][benchmark]["by_overlap"])]
        for benchmark in benchmarks
        for row in rows
        if row["scores"].get(benchmark, {}).get("by_overlap")
    ]
    if split:
        head = ["benchmark", "experiment", "overlapping items", "difference", "other items"]
        title = f"Items that stand in the corpora of {found['baseline']}, and the others"
        yield f"{title}, % [95% interval]", 2, [*head, "difference"], split


def notes(found: Row) -> str:
    """What the tables' signs mean, and what does not fit into them."""
    text = ""
    if found["num_tests"]:
        text = (
            f"{found['num_tests']} exact tests, paired by item; p is adjusted by Holm for all of "
            "them; * marks p < 0.05. "
        )
    rows = found["experiments"]
    reasons = sorted({s["not_tested"] for row in rows[1:] for s in row["scores"].values()} - {None})
    text += "".join(f"Not tested: {reason}. " for reason in reasons)
    if any(row["is_resumed"] for row in rows):
        text += "+ marks a training that went on from a checkpoint: what went before is not in it. "
    devices = {row["device"] for row in rows}
    if len(devices) > 1:
        text += (
            f"Trained on different machines, so times do not compare: {'; '.join(sorted(devices))}."
        )
    return wrapped(text) if text else ""


def _score(score: Row | None) -> str:
    if score is None:
        return "-"
    value, low, high = (percent(score[key], score["num_items"]) for key in SCORE[3:])
    return f"{value} [{low}, {high}]"


def _cost(row: Row) -> list[str]:
    sign, energy = "+" * row["is_resumed"], row["energy_kwh"]
    return [
        f"{row['num_rows_trained_on']:,}",
        f"{row['train_seconds']:,.0f}{sign}",
        "-" if energy is None else f"{energy:{'.2g' if energy < 10 else ',.0f'}}{sign}",
    ]


def _difference(score: Row | None) -> str:
    if score is None or score["against_baseline"] is None:
        return "-"
    test = score["against_baseline"]
    sign = "*" * test["is_significant"]
    return f"{points(test['difference'], score['num_items'])}, {chance(test['p_holm'])}{sign}"


def _parts(split: Row) -> Iterator[str]:
    """The score of each kind of item, and its difference from the baseline."""
    for part in split.values():
        yield f"{part['num_correct']} of {part['num_samples']}: {_score(part)}"
        change = part["difference"]
        yield points(change, part["num_items"]) if change else ""


def _listed(changed: list[str]) -> str:
    more = len(changed) - CHANGES_SHOWN
    text = ", ".join(changed[:CHANGES_SHOWN]) or "nothing"
    return text + (f", {more} more" if more > 0 else "")


def aligned(head: list[str], lines: list[list[str]]) -> str:
    """A table for the terminal."""
    widths = [max(len(line[at]) for line in [head, *lines]) for at in range(len(head))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in [head, *lines]
    )


def csv_text(found: Row) -> str:
    """One line for each experiment and benchmark, with all digits."""
    text = io.StringIO()
    own = ("name", "commit", "model", "num_rows_trained_on", "train_seconds", "energy_kwh")
    test = ("difference", "difference_low", "difference_high", "p_value", "p_holm")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*own, "is_resumed", "device", "changed", "benchmark", *SCORE, *test])
    for row in found["experiments"]:
        facts = [row[key] for key in own] + [row["is_resumed"], row["device"]]
        for benchmark, score in row["scores"].items():
            against = score.get("against_baseline")
            tested = (
                [*against["difference"].values(), against["p_value"], against["p_holm"]]
                if against
                else [None] * len(test)
            )
            changed = "; ".join(row["changed"])
            writer.writerow([*facts, changed, benchmark, *(score[key] for key in SCORE), *tested])
    return text.getvalue()
