"""Collect every number of the card from the files of the other stages."""

import itertools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mathledger.card import funnel, licences, memorisation, replicates, scores, statement
from mathledger.card.ledger import (
    Answer,
    BaseModelInput,
    Benchmark,
    Corpus,
    HeldOut,
    Ledger,
    Licence,
    OtherModel,
    Reinforcement,
    StatedScore,
    Training,
)
from mathledger.card.ledger_filters import Decontamination
from mathledger.card.outputs import Outputs
from mathledger.card.overlap import overlapping_rows
from mathledger.card.settings import Claim
from mathledger.core.errors import InputError
from mathledger.core.paths import is_data
from mathledger.core.tables import read_batches
from mathledger.evaluation import reruns
from mathledger.evaluation.settings import token_limit
from mathledger.run import params
from mathledger.run.lineage import lineage_file

Settings = Mapping[str, Any]  # the content of params.yaml


def ledger(outputs: Outputs, settings: Settings, claims: Sequence[Claim]) -> Ledger:
    """Return the ledger, which holds every number of the card.

    Raises:
        InputError: a file is missing or damaged, or a number has no lineage.
    """
    corpora = list(settings["corpus"])
    benchmarks = benchmark_entries(outputs, settings)
    inputs = corpus_entries(outputs, corpora)
    model = base_model(outputs, settings)
    samples = {
        stage: [Answer.read(row, f"data/{stage}/samples.csv") for row in outputs.answers(stage)]
        for stage in ("train", *(["reinforce"] if settings["reinforce"] else []))
    }
    stages, code = digests_read(outputs, settings)
    optional: dict[str, Any] = {}  # what does not apply has no key in the ledger
    if params.other_models(settings):
        optional["others"] = other_models(outputs, settings)
    if settings["reinforce"]:
        content = outputs.metrics("reinforce")
        optional["reinforcement"] = Reinforcement.read(content, "metrics/reinforce.json")
    digests = {score.samples_sha256 for entry in benchmarks for score in entry.models.values()}
    again = [
        each for each in reruns.read(outputs.root / reruns.FILE) if each.samples_sha256 in digests
    ]
    if again:
        optional["reruns"] = again
    if found := replicates.summary(outputs, settings, code, stages, benchmarks):
        optional["replicates"] = found
    return Ledger(
        name=settings["model_card"]["name"],
        licence=licence(model.licence, {name: each.licence for name, each in inputs.items()}),
        benchmarks=benchmarks,
        num_comparisons=sum(len(entry.comparisons) for entry in benchmarks),
        claims=[stated(claim, settings) for claim in claims],
        base_model=model,
        corpora=inputs,
        funnel=funnel.by_corpus(outputs, corpora),
        removed=funnel.removed(outputs, corpora),
        planted=funnel.planted(outputs, corpora),
        decontaminate=decontamination(outputs, settings),
        memorisation=memorisation.findings(
            outputs, settings["benchmark"], settings["evaluated_models"]
        ),
        training=training(outputs),
        samples=samples,
        held_out={stage: held_out(outputs, rows[0].id) for stage, rows in samples.items() if rows},
        params=dict(settings),
        stages=stages,
        code=code,
        **optional,
    )


def subject(outputs: Outputs, settings: Settings) -> list[Path]:
    """Return the files that the statement covers: the models, the responses and the card."""
    samples = [
        outputs.samples(model, benchmark)
        for model in settings["evaluated_models"]
        for benchmark in settings["benchmark"]
    ]
    return [*outputs.model_files(settings["evaluated_models"]), *samples, outputs.card]


def benchmark_entries(outputs: Outputs, settings: Settings) -> list[Benchmark]:
    """Score the responses to each benchmark, and adjust all p-values together."""
    leaked = overlapping_rows(outputs.evidence)
    return scores.adjusted(
        [
            scores.benchmark(
                outputs,
                name,
                own,
                set(leaked.get(name, ())),
                settings["evaluated_models"],
                token_limit(settings["evaluate"], own["task"]),
            )
            for name, own in settings["benchmark"].items()
        ]
    )


def licence(base: str, corpora: Mapping[str, str]) -> Licence:
    """Derive the model's licence, and name the inputs whose licence is unknown."""
    known = licences.derived(base, corpora)
    return Licence(
        id=known.key if known else None,
        name=known.name if known else None,
        source=known.source if known else None,
        on_hub=bool(known and known.on_hub),
        unknown=licences.unknown({"the base model": base, **corpora}),
    )


def stated(claim: Claim, settings: Settings) -> StatedScore:
    """Return a claim, with the information whether its benchmark is evaluated here."""
    return StatedScore(
        model=claim.model,
        benchmark=claim.benchmark,
        low=claim.low,
        high=claim.high,
        source=claim.source,
        is_evaluated=claim.benchmark in settings["benchmark"],
    )


def base_model(outputs: Outputs, settings: Settings) -> BaseModelInput:
    receipt, own = outputs.receipt("model", "base"), settings["model"]
    head = {key: receipt[key] for key in ("kind", "name", "revision", "licence")}
    content = {**head, "base_model": own["base_model"], "about": own["about"]}
    return BaseModelInput.read(content, "the base model")


def other_models(outputs: Outputs, settings: Settings) -> dict[str, OtherModel]:
    """Return the source of each other model that was evaluated, and what its server says."""
    others = {}
    for name, own in params.other_models(settings).items():
        if name not in settings["evaluated_models"]:
            continue
        receipt = outputs.receipt("model", name)
        server = receipt.get("server") or {}
        content = {
            **{key: receipt[key] for key in ("kind", "name", "revision", "licence")},
            "about": own["about"],
            "base_url": server.get("base_url"),
            "said": server.get("said"),
            "is_probed": all("items" in own for own in outputs.metrics("probe", name).values()),
        }
        others[name] = OtherModel.read(content, f"the model {name}")
    return others


def corpus_entries(outputs: Outputs, corpora: Sequence[str]) -> dict[str, Corpus]:
    receipts = {corpus: outputs.receipt("download_corpus", corpus) for corpus in corpora}
    keys = ("kind", "name", "revision", "licence", "files")
    return {
        corpus: Corpus.read({key: receipt[key] for key in keys}, f"corpus {corpus}")
        for corpus, receipt in receipts.items()
    }


def decontamination(outputs: Outputs, settings: Settings) -> Decontamination:
    own, measured = settings["decontaminate"], outputs.metrics("decontaminate")
    variants = {"keep": "kept", "quarantine": "removed"}[own["variants"]]
    content = {
        "action": own["action"],
        "variants": variants,
        "canaries": [each.content() for each in funnel.canaries(outputs)],
        "num_items_checked": measured["num_items_checked"],
        "num_variant_hits": measured["hits_by_class"].get("variant", 0),
        "reviewed": verdicts(measured),
        "reviewed_copies": verdicts(outputs.metrics("deduplicate")),
        "leaks": measured["leaks"],
        **{key: measured[key] for key in ("judged",) if key in measured},
    }
    return Decontamination.read(content, "decontaminate")


def verdicts(measured: Mapping[str, Any]) -> dict[str, int]:
    """Return how many verdicts of people a stage obeyed or ignored."""
    return {key: value for key, value in measured["reviewed"].items() if key != "stale"}


def training(outputs: Outputs) -> Training:
    num_validation = outputs.metrics("mix")["num_validation"]
    content = {**outputs.metrics("train"), "num_validation": num_validation}
    return Training.read(content, "metrics/train.json")


def held_out(outputs: Outputs, row_id: str) -> HeldOut:
    """Return the problem and the answer of a row of data/mix/."""
    for split in ("validation", "train"):
        for batch in read_batches(outputs.mix(split), ["id", "prompt", "answer"]):
            for row in batch.to_pylist():
                if row["id"] == row_id:
                    return HeldOut(problem=row["prompt"][-1]["content"], answer=row["answer"])
    raise InputError(f"data/mix lacks row {row_id}, which a samples.csv names: run `dvc repro`")


def runs(outputs: Outputs, settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the facts about every other stage's run, which git keeps with the card's own.

    A run that repeats one of the results finds them there (mathledger/run/repeats.py).
    """
    lineages = [outputs.lineage(stage) for stage in statement.stage_names(settings)]
    return {each.name: each.own_facts() for each in lineages}


def digests_read(
    outputs: Outputs, settings: Settings
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return the DVC digests of the data that each stage read, and those of the code that ran.

    Raises:
        InputError: a number has no lineage, or two stages ran with different versions of a file.
    """
    code: dict[str, str] = {}
    stages: dict[str, dict[str, str]] = {}
    for stage in statement.stage_names(settings):
        lineage = outputs.lineage(stage)
        stages[stage] = {path: md5 for path, md5 in lineage.deps.items() if is_data(path)}
        for path, md5 in lineage.code_files.items():
            if code.setdefault(path, md5) != md5:
                raise InputError(
                    f"{lineage_file(stage)}: {path} had a different version in an earlier stage: "
                    "run `dvc repro`"
                )
    for model, benchmark in itertools.product(settings["evaluated_models"], settings["benchmark"]):
        stage = f"evaluate@{model}-{benchmark}"
        for path in (f"data/model/{model}", f"data/download_benchmark/{benchmark}"):
            if path not in stages[stage]:
                raise InputError(
                    f"{lineage_file(stage)} has no digest of {path}, so the score of {model} on "
                    f"{benchmark} has no lineage: run `dvc repro {shlex.quote(stage)}`"
                )
    return stages, dict(sorted(code.items()))
