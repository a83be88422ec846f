"""Check the links from the responses to the card: recompute everything and compare."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mathledger.card import statement
from mathledger.card.foreign import NUMBER, foreign_lines
from mathledger.chain.chain import CARD, LEDGER
from mathledger.chain.facts import is_private
from mathledger.evaluation.engines.engine import Request, Response, fault
from mathledger.verify import comparing
from mathledger.verify.project import Check, Project
from mathledger.verify.sources import scratch

SCHEMA = Path("docs/ledger.schema.json")
LOCAL = ("hf", "vllm")  # the backends that load the weights; the others ask a server


def ledger(project: Project) -> Check:
    """Check that the ledger is well formed, its subjects exist, and recomputing it agrees."""
    import jsonschema

    from mathledger.card import collect

    content = project.statement
    text = project.chain.text(LEDGER)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    is_well_formed = True
    for error in jsonschema.Draft202012Validator(schema).iter_errors(content):
        is_well_formed = False
        where = "/".join(str(key) for key in error.absolute_path)
        yield ": ".join(filter(None, [LEDGER, where, error.message[:200]]))
    if text != statement.text(content):
        yield f"{LEDGER} is not formatted as the pipeline writes it"
    for path, digest in project.subject.items():
        if not Path(path).is_file():
            yield f"{path}, a subject of the ledger, is missing: run `dvc pull`"
        elif project.digests(path).sha256 != digest:
            yield f"{path}: sha256 is {project.digests(path).sha256}, but {LEDGER} has {digest}"
    settings = project.settings
    wanted = {path.as_posix() for path in collect.subject(project.outputs, settings)}
    for path in sorted(wanted ^ set(project.subject)) if is_well_formed else ():
        what = "is missing from its subjects" if path in wanted else "should not be a subject"
        yield f"{LEDGER}: {path} {what}"
    again = project.ledger_again.content()
    for where, stated, computed in comparing.differences(content.get("predicate"), again):
        yield f"{LEDGER}: {where} is {stated}, but recomputing gives {computed}"
    return (
        f"scores recomputed: {len(project.evaluations)}; "
        f"files covered: {len(project.subject)}; sha256 {statement.digest(again)[:10]}"
    )


def card(project: Project) -> Check:
    """Check that the card is what the ledger renders to, and name numbers not in the ledger."""
    from mathledger.card import card as card_text

    wanted = card_text.text(project.ledger_again)
    current = project.chain.text(CARD)
    for each in foreign_lines(wanted, current):
        if each.is_missing:
            yield f"{CARD}:{each.line}: a line is missing: {each.text[:100]!r}"
        else:
            what = f"{', '.join(each.numbers)} is not in the ledger: " if each.numbers else ""
            yield f"{CARD}:{each.line}: {what}{each.text[:100]!r}"
    if current.splitlines() == wanted.splitlines() and current != wanted:
        yield f"{CARD}: the line endings differ from those that the pipeline writes"
    return f"{len(NUMBER.findall(current)):,} numbers on the card come from the ledger"


def prompts(project: Project) -> Check:
    """Check that the stored responses answer the prompts that the params give, with their seeds."""
    from mathledger.core.tables import read_rows
    from mathledger.evaluation.harness import Task
    from mathledger.evaluation.questions import read_questions, silence_libraries
    from mathledger.evaluation.samples import prompt_sha256
    from mathledger.evaluation.served import settings_for
    from mathledger.evaluation.settings import Params
    from mathledger.run import params

    silence_libraries()
    num_prompts = 0
    for model, benchmark in project.evaluations:
        path = project.outputs.samples(model, benchmark)
        given = {
            (row["item_id"], row["repeat"]): (row["prompt_sha256"], row["seed"])
            for row in read_rows(path)
        }
        questions = read_questions(
            project.outputs.model(model),
            project.outputs.benchmarks / benchmark,
            settings_for(project.outputs.model(model), params.load("evaluate", Params)),
            params.load(f"benchmark.{benchmark}.task", Task),
        )
        asked = {each.key: (prompt_sha256(each.prompt), each.seed) for each in questions.requests}
        for item, repeat in sorted(asked.keys() ^ given.keys()):
            has = "is missing" if (item, repeat) in asked else "belongs to no request"
            yield f"{path}: the response to item {item}, repeat {repeat} {has}"
        for key in sorted(asked.keys() & given.keys()):
            if given[key] != asked[key]:
                (old, old_seed), (new, new_seed) = given[key], asked[key]
                yield (
                    f"{path}: item {key[0]}, repeat {key[1]}: prompt_sha256 is {old} with seed "
                    f"{old_seed}, but the params give {new} with seed {new_seed}"
                )
        fitting = {each.key for each in questions.fitting}
        for row in read_rows(path):
            key = (row["item_id"], row["repeat"])
            if (row["finish_reason"] == "too_long") == (key in fitting):
                does = "fits" if key in fitting else "does not fit"
                yield (
                    f"{path}: item {key[0]}, repeat {key[1]}: finish_reason is "
                    f"{row['finish_reason']}, but the prompt {does} the model's context"
                )
            elif why := other_limit(row, questions.limits.max_gen_toks, questions.settings.backend):
                yield f"{path}: item {key[0]}, repeat {key[1]}: {why}"
        num_prompts += len(asked)
    return f"{num_prompts:,} prompts rendered again"


def other_limit(row: Mapping[str, Any], max_gen_toks: int, backend: str) -> str | None:
    """Return how a response shows that it was cut at another limit than the params give.

    A server may cut a response earlier, and counts its tokens in its own way.

    >>> row = {"num_tokens": 8, "finish_reason": "length"}
    >>> other_limit(row, 8, "hf"), other_limit(row, 64, "hf")
    (None, 'it was cut at 8 tokens, but the params allow 64')
    """
    count, reason = row["num_tokens"], row["finish_reason"]
    if count > max_gen_toks:
        return f"it has {count:,} tokens, but the params allow {max_gen_toks:,}"
    if backend in LOCAL and reason == "length" and count < max_gen_toks:
        return f"it was cut at {count:,} tokens, but the params allow {max_gen_toks:,}"
    return None


def responses(project: Project) -> Check:
    """Check that grading the stored responses writes the same file, with a row for each request."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    from mathledger.core import receipts
    from mathledger.core.tables import read_rows, write_rows
    from mathledger.evaluation.harness import Task
    from mathledger.evaluation.samples import SAMPLE, grade_responses
    from mathledger.run import params

    num_responses = 0
    for model, benchmark in tqdm(project.evaluations, "responses", leave=False, disable=None):
        path = project.outputs.samples(model, benchmark)
        folder = project.outputs.benchmarks / benchmark
        stored = {(row["item_id"], row["repeat"]): row for row in read_rows(path)}
        items = read_rows(folder / "items.parquet")
        # Params may have made the benchmark private since the stage ran.
        private = receipts.is_private(folder) or is_private(project.settings, benchmark)
        if unknown := {item for item, _ in stored} - {item["id"] for item in items}:
            yield f"{path}: the benchmark has no item {min(unknown)}"
            continue
        task = params.load(f"benchmark.{benchmark}.task", Task)
        requests = [Request(*key, [], "", [], row["seed"]) for key, row in stored.items()]
        given = {key: given_response(row) for key, row in stored.items()}
        for (item, repeat), response in given.items():
            if response.finish_reason != "too_long" and (why := fault(response)):
                yield f"{path}: item {item}, repeat {repeat}: {why}"
        again = [
            # `prompts` compares the digests of the prompts.
            row | {"prompt_sha256": stored[row["item_id"], row["repeat"]]["prompt_sha256"]}
            for row in grade_responses(requests, given, items, task.harness)
        ]
        with scratch() as name:
            write_rows(Path(name) / path.name, again, SAMPLE)
            yield from comparing.folders(path.parent, Path(name), shows_text=not private)
        num_responses += len(stored)
    return f"{num_responses:,} responses regraded"


def given_response(row: Mapping[str, Any]) -> Response:
    """Return a stored response as its engine gave it."""
    return Response(
        row["response"] or "",  # null where the answers are private
        row["num_tokens"],
        row["finish_reason"],
        0.0,
        row.get("thinking"),
        row.get("num_thinking_tokens"),
    )


def metrics(project: Project) -> Check:
    """Check that the scores in metrics/ follow from the responses, whole file by whole file."""
    from mathledger.core.files import read_json
    from mathledger.core.tables import read_rows
    from mathledger.evaluation import samples
    from mathledger.evaluation.harness import Task
    from mathledger.evaluation.served import settings_for
    from mathledger.evaluation.settings import Params
    from mathledger.run import params

    num_values = 0
    for model, benchmark in project.evaluations:
        path = project.outputs.metrics_file("evaluate", f"{model}-{benchmark}")
        lineage = project.chain.lineage(project.chain.stage(f"evaluate@{model}-{benchmark}"))
        task = params.load(f"benchmark.{benchmark}.task", Task)
        rows = read_rows(project.outputs.samples(model, benchmark))
        settings = settings_for(project.outputs.model(model), params.load("evaluate", Params))
        # The precision is what the run recorded; if the params name one, it must be that.
        dtype = lineage.dtype if settings.dtype == "auto" else settings.dtype
        if settings.backend not in LOCAL:
            dtype = lineage.dtype
        computed = samples.metrics(rows, settings, task, dtype)
        stated = read_json(path)
        yield from comparing.json_file(path, stated, computed)
        num_values += len(computed)
    yield from losses(project)
    return f"{num_values} values recomputed from the responses"


def losses(project: Project) -> Iterator[str]:
    """Check that the losses in metrics/train.json are those of the curve."""
    from mathledger.core.files import read_json

    stated, curve = project.outputs.metrics("train"), project.outputs.loss_curve()
    # Readers of JSON disagree about a key that stands twice; the stage writes it once.
    file = project.outputs.metrics_file("train")
    yield from comparing.json_file(file, stated, read_json(file))
    for column in ("loss", "validation_loss"):
        logged = [float(row[column]) for row in curve if row.get(column)]
        for key, values in ((f"first_{column}", logged[:1]), (f"last_{column}", logged[-1:])):
            # Both were rounded from the same number, to 4 and to 6 decimals.
            if not values or abs(stated.get(key, float("inf")) - values[0]) > 0.51e-4:
                yield (
                    f"metrics/train.json: {key} is {stated.get(key)}, but plots/train/loss.csv "
                    f"has {values[0] if values else 'none'}"
                )
