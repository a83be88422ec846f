"""Write the model card, its plots and its ledger from what the other stages measured.

Reads   metrics/, lineage/, data/evaluate/, data/probe/, data/deduplicate/removed.parquet,
        data/decontaminate/, data/mix/, data/download_benchmark/*/items.parquet, the receipts of
        data/download_*/, data/model/, plots/train/loss.csv; conf: all
Writes  model_card/: README.md (Hugging Face format), ledger.json (an in-toto Statement),
        croissant.json (the training set's metadata), report.html (what the filters did),
        scores.png, levels.png (where items have a level), lengths.png, funnel.png, loss.png
Plots   plots/model_card/: scores.csv, levels.csv, lengths.csv, funnel.csv, contamination.csv,
        canaries.csv

The scores are computed from the graded responses alone (docs/statistics.md), and no number is
typed: the card (mathledger/card/card.py) and its pictures are made from the ledger alone. All are
the same bytes for the same inputs; run ids and times stay in lineage/. The MLflow run of the stage
is the experiment's *result* run, with all params and all scores.
"""

import csv
import io
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.card import card, croissant, licences, memorisation, plots, report, statement
from mathledger.core.code import code_of
from mathledger.core.configuration import CONF, STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_text
from mathledger.core.hashing import sha256
from mathledger.core.paths import is_data
from mathledger.core.tables import Row, read_batches, read_rows
from mathledger.data import practice
from mathledger.evaluation import statistics
from mathledger.run import params
from mathledger.run.lineage import lineage_file
from mathledger.run.tracking import stage_run

DATA = Path("data")
METRICS = Path("metrics")
LOSS = Path("plots/train/loss.csv")
OUT = Path("model_card")
PLOTS = Path("plots/model_card")
REINFORCE = METRICS / "reinforce.json"
# Of a sample; its texts would take gigabytes.
COLUMNS = ["item_id", "repeat", "extracted_answer", "verdict", "correct", "harness_correct"]
COLUMNS += ["grader", "num_tokens", "finish_reason"]
NUM_BINS = 32  # of a histogram of lengths
SCORE = ("num_items", "accuracy", "low", "high")

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Claim:
    """A score that another card states. It is shown as a claim, apart from what was measured."""

    model: str = Field(description="Name of the model on the hub.")
    benchmark: str = Field(description="Name of a benchmark in conf/benchmark/.")
    low: Share = Field(description='Lower end of the claimed score: 0.95 for "95-99%".')
    high: Share = Field(
        description="Upper end of the claimed score; equal to low for a single number."
    )
    source: str = Field(description="Where the score is stated, and in which words.")


@dataclass(frozen=True, config=STRICT)
class Params:
    name: str = Field(description="Name of the model on its card.")
    language: str = Field(description="Language of the model, as an ISO 639-1 code.")
    url: str | None = Field(
        description=(
            "Public address of this repository, which the card links to; null if it has none."
        ),
    )
    claims: list[Claim] = Field(
        description="Scores that other cards state, shown beside the measured ones."
    )


def check_claims(claims: Sequence[Claim]) -> None:
    """Raise InputError where a claim names no benchmark of conf/, or its range is upside down."""
    known = {path.stem for path in (CONF / "benchmark").glob("*.yaml")}
    for number, claim in enumerate(claims):
        where = f"model_card.claims[{number}]"
        if claim.benchmark not in known:
            raise InputError(
                f"{where}.benchmark: there is no {CONF}/benchmark/{claim.benchmark}.yaml; "
                f"there are {', '.join(sorted(known))}"
            )
        if claim.low > claim.high:
            raise InputError(f"{where}: low {claim.low:g} is above high {claim.high:g}")


def read_samples(path: Path, ids: Sequence[str]) -> list[list[Row]]:
    """The responses to each item in the order of the ids, by repeat, without their texts.

    Raises:
        InputError: they are not the same number for each of these items.
    """
    of_item: dict[str, list[Row]] = {item: [] for item in ids}
    for batch in read_batches(path, COLUMNS):
        for row in batch.to_pylist():
            of_item.setdefault(row["item_id"], []).append(row)
    repeats = {len(rows) for rows in of_item.values()}
    if len(of_item) != len(ids) or len(repeats) != 1 or 0 in repeats:
        raise InputError(
            f"{path} does not hold equally many responses to each of the benchmark's {len(ids)} "
            "items: run `dvc repro`"
        )
    return [sorted(rows, key=lambda row: row["repeat"]) for row_id, rows in of_item.items()]


def outcomes(items: Sequence[Sequence[Row]]) -> list[list[bool]]:
    """Whether each response to each item is right: shape (items, repeats)."""
    return [[row["correct"] for row in rows] for rows in items]


def rounded(interval: statistics.Interval) -> dict[str, float]:
    """To four digits: ample for a share, and the same on every machine."""
    return {key: round(getattr(interval, key), 4) for key in ("value", "low", "high")}


def score_of(items: Sequence[Sequence[Row]]) -> dict[str, Any]:
    """Counts, accuracy and interval of the responses to some items; accuracy is null for none."""
    correct = outcomes(items)
    counts = {
        "num_items": len(items),
        "num_samples": sum(len(each) for each in correct),
        "num_correct": sum(sum(each) for each in correct),
    }
    if not items:
        return {**counts, "accuracy": None, "low": None, "high": None}
    score = rounded(statistics.accuracy(correct))
    return {**counts, "accuracy": score["value"], "low": score["low"], "high": score["high"]}


def repeated_scores(items: Sequence[Sequence[Row]]) -> dict[str, Any]:
    """pass@k and maj@k; none for one response an item, where both are the accuracy."""
    correct, num_repeats = outcomes(items), len(items[0])
    if num_repeats == 1:
        return {"pass_at": {}, "majority": None}
    answers = [[row["extracted_answer"] for row in rows] for rows in items]
    return {
        "pass_at": {
            str(k): rounded(statistics.pass_at(correct, k))
            for k in statistics.pass_ks(num_repeats)
            if k > 1
        },
        "majority": rounded(statistics.majority(correct, answers)),
    }


def subset_places(subsets: Sequence[dict[str, str]]) -> dict[str, dict[str, list[int]]]:
    """Of each key (subject, level, year) and each of its values the items that have it.

    >>> subset_places([{"level": "10"}, {"level": "9"}, {}, {"level": "9"}])
    {'level': {'9': [1, 3], '10': [0]}}
    """
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, subset in enumerate(subsets):
        for key, value in subset.items():
            places[key][value].append(place)
    return {
        key: {
            value: own[value] for value in sorted(own, key=float if card.are_numbers(own) else str)
        }
        for key, own in sorted(places.items())
    }


def response_lengths(rows: Iterable[Row], limit: int) -> dict[str, Any]:
    """Histogram of the tokens of all responses that were asked for, up to the limit.

    The first bin holds 1 to bin_width tokens; the last one all that were cut.
    """
    width = -(-limit // NUM_BINS)
    counts = [0] * -(-limit // width)
    for row in rows:
        if row["finish_reason"] != "too_long":
            counts[(min(max(row["num_tokens"], 1), limit) - 1) // width] += 1
    return {"limit": limit, "bin_width": width, "counts": counts}


def endings(rows: Sequence[Row]) -> dict[str, Any]:
    """How the responses ended, and where lm-eval's own task of the same name judges otherwise."""
    ends = Counter(row["finish_reason"] for row in rows)
    judged = [row for row in rows if row["harness_correct"] is not None]
    return {
        "num_truncated": ends["length"],
        "num_truncated_correct": sum(
            row["finish_reason"] == "length" and row["correct"] for row in rows
        ),
        "num_too_long": ends["too_long"],
        "num_no_answer": sum(row["verdict"] == "no_answer" for row in rows),
        "mean_num_tokens": round(sum(row["num_tokens"] for row in rows) / len(rows), 1),
        "num_judged_by_harness": len(judged),
        "num_harness_disagreements": sum(
            row["harness_correct"] != row["correct"] for row in judged
        ),
    }


def model_entry(
    model: str, benchmark: str, items: list[list[Row]], subsets: Any, leaked: set[str], limit: int
) -> dict[str, Any]:
    """What the card says of one model on one benchmark."""
    measured = read_json(METRICS / "evaluate" / f"{model}-{benchmark}.json")
    clean = [rows for rows in items if rows[0]["item_id"] not in leaked]
    overlapping = [rows for rows in items if rows[0]["item_id"] in leaked]
    gap = None
    if clean and overlapping:
        gap = statistics.gap(*(statistics.accuracy(outcomes(e)) for e in (overlapping, clean)))
    every = [row for rows in items for row in rows]
    return {
        **score_of(items),
        **repeated_scores(items),
        "items_without_overlap": score_of(clean),
        "items_with_overlap": score_of(overlapping),
        "overlap_gap": rounded(gap) if gap else None,  # with minus without
        "subsets": {
            key: {value: score_of([items[place] for place in own]) for value, own in values.items()}
            for key, values in subsets.items()
        },
        **endings(every),
        "response_lengths": response_lengths(every, limit),
        "graders": sorted({row["grader"] for row in every}),
        **{key: measured[key] for key in ("dtype", "batch_size", "backend", "task_version")},
        "samples_sha256": sha256(DATA / "evaluate" / f"{model}-{benchmark}" / "samples.parquet"),
    }


def comparisons(samples: dict[str, list[list[Row]]]) -> list[dict[str, Any]]:
    """Every model with every one before it, paired by item."""
    found = []
    for against, model in itertools.combinations(samples, 2):
        result = statistics.compare(outcomes(samples[against]), outcomes(samples[model]))
        least = result.minimum_detectable
        found.append(
            {
                "model": model,
                "against": against,
                "difference": rounded(result.difference),
                "p_value": float(f"{result.p_value:.4g}"),
                "num_gained": result.num_gained,
                "num_lost": result.num_lost,
                "minimum_detectable": round(least, 4) if least else None,
            }
        )
    return found


def ledger_entry(
    benchmark: str, settings: dict[str, Any], leaked: set[str], names: list[str]
) -> dict[str, Any]:
    """All that the card says of one benchmark, with the digests of what it rests on."""
    folder = DATA / "download_benchmark" / benchmark
    receipt = read_json(folder / "receipt.json")
    items = read_rows(folder / "items.parquet")
    subsets = subset_places([dict(item["subsets"]) for item in items])
    ids = [item["id"] for item in items]
    samples = {
        name: read_samples(DATA / "evaluate" / f"{name}-{benchmark}" / "samples.parquet", ids)
        for name in names
    }
    limit = settings["task"]["max_gen_toks"]
    return {
        "benchmark": benchmark,
        "about": settings["about"],
        "source": {key: receipt[key] for key in ("name", "revision", "licence", "items_digest")},
        "num_items": len(items),
        "num_repeats": len(samples[names[0]][0]),
        "num_items_overlapping_training_candidates": len(leaked),
        "models": {
            name: model_entry(name, benchmark, samples[name], subsets, leaked, limit)
            for name in names
        },
        "comparisons": comparisons(samples),
    }


def leaked_items() -> dict[str, set[str]]:
    """Of each benchmark the items that stood in the corpora, their rows removed or not."""
    leaked: dict[str, set[str]] = defaultdict(set)
    columns = ["benchmark", "item_id", "class"]
    for batch in read_batches(DATA / "decontaminate" / "evidence.parquet", columns):
        for hit in batch.to_pylist():
            if hit["class"] != "variant":
                leaked[hit["benchmark"]].add(hit["item_id"])
    return leaked


def planted_findings(corpora: list[str]) -> list[dict[str, Any]]:
    """For every kind of row that was built in to be found: how many there were, how many went."""
    stages = [read_json(METRICS / "prepare" / f"{corpus}.json") for corpus in corpora]
    planted = {
        kind: sum(stage["in_by_source"].get(kind, 0) for stage in stages)
        for kind in practice.PLANTED
    }
    stages += [read_json(METRICS / f"{name}.json") for name in ("deduplicate", "decontaminate")]
    return [
        {
            "kind": kind,
            "num_planted": count,
            "num_removed": sum(stage["removed_by_source"].get(kind, 0) for stage in stages),
        }
        for kind, count in planted.items()
        if count
    ]


def total(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts added up by key."""
    return dict(sorted(sum((Counter(each) for each in counts), Counter[str]()).items()))


def digests_read(settings: dict[str, Any]) -> dict[str, Any]:
    """The DVC digests of the data that each stage read, and of all code that ran.

    Raises:
        InputError: a number has no lineage, or two stages ran with different versions of a file.
    """
    code: dict[str, str] = {}
    stages = {}
    for stage in statement.stage_names(settings):
        lineage = lineage_of(stage)
        deps = lineage["deps"]
        stages[stage] = {key: value for key, value in deps.items() if is_data(key)}
        for path, md5 in code_of(lineage).items():
            if code.setdefault(path, md5) != md5:
                raise InputError(
                    f"{lineage_file(stage)}: {path} is another version than in an earlier stage: "
                    "run `dvc repro`"
                )
    for model, benchmark in itertools.product(settings["evaluated_models"], settings["benchmark"]):
        stage = f"evaluate@{model}-{benchmark}"
        for path in (f"data/model/{model}", f"data/download_benchmark/{benchmark}"):
            if path not in stages[stage]:
                raise InputError(
                    f"{lineage_file(stage)} names no digest of {path}: the score of {model} on "
                    f"{benchmark} has no lineage; run `dvc repro evaluate@{model}-{benchmark}`"
                )
    return {"stages": stages, "code": dict(sorted(code.items()))}


def lineage_of(stage: str) -> dict[str, Any]:
    """What a stage wrote of its own run, with the DVC digest of each dependency in `deps`."""
    content = read_json(lineage_file(stage))
    deps = content.get("deps") if isinstance(content, dict) else None
    if not isinstance(deps, dict) or not all(isinstance(each, str) for each in deps.values()):
        raise InputError(
            f"{lineage_file(stage)} holds no digests (`deps`) of what {stage} ran with: "
            f"run `dvc repro {stage}`"
        )
    return dict(content)


def make_ledger(settings: dict[str, Any], claims: Sequence[Claim]) -> dict[str, Any]:
    """Every number of the card, from the files of the other stages.

    Args:
        settings: the content of params.yaml.
    """
    corpora, names = list(settings["corpus"]), settings["evaluated_models"]
    leaked = leaked_items()
    entries = [
        ledger_entry(name, benchmark, leaked.get(name, set()), names)
        for name, benchmark in settings["benchmark"].items()
    ]
    made = [comparison for entry in entries for comparison in entry["comparisons"]]
    adjusted = statistics.holm([comparison["p_value"] for comparison in made])
    for comparison, p_value in zip(made, adjusted, strict=True):
        comparison["p_holm"] = float(f"{p_value:.4g}")
    decontaminate = read_json(METRICS / "decontaminate.json")
    keys = ("kind", "name", "revision", "licence")
    model = read_json(DATA / "model" / "base" / "receipt.json")
    receipts = {
        corpus: read_json(DATA / "download_corpus" / corpus / "receipt.json") for corpus in corpora
    }
    trained = ["train", *(["reinforce"] if settings["reinforce"] else [])]
    samples = {stage: read_csv(DATA / stage / "samples.csv") for stage in trained}
    of_corpora = {corpus: receipt["licence"] for corpus, receipt in receipts.items()}
    ledger = {
        "name": settings["model_card"]["name"],
        "licence": licence(model["licence"], of_corpora),
        "benchmarks": entries,
        "num_comparisons": len(made),
        "claims": [
            {
                "model": claim.model,
                "benchmark": claim.benchmark,
                "low": claim.low,
                "high": claim.high,
                "source": claim.source,
                "is_evaluated": claim.benchmark in settings["benchmark"],
            }
            for claim in claims
        ],
        "base_model": {
            **{key: model[key] for key in keys},
            "base_model": settings["model"]["base_model"],
            "about": settings["model"]["about"],
        },
        "corpora": {
            corpus: {**{key: receipt[key] for key in keys}, "files": receipt["files"]}
            for corpus, receipt in receipts.items()
        },
        "funnel": report.funnel_by_corpus(corpora),
        "removed": {
            "prepare": total(
                read_json(METRICS / "prepare" / f"{corpus}.json")["removed_by_reason"]
                for corpus in corpora
            ),
            "deduplicate": read_json(METRICS / "deduplicate.json")["removed_by_reason"],
            "decontaminate": decontaminate["removed_by_reason"],
        },
        "planted": planted_findings(corpora),
        "decontaminate": {
            "action": settings["decontaminate"]["action"],
            "variants": {"keep": "kept", "quarantine": "removed"}[
                settings["decontaminate"]["variants"]
            ],
            "canaries": report.canaries(),
            "num_items_checked": decontaminate["num_items_checked"],
            "num_variant_hits": decontaminate["hits_by_class"].get("variant", 0),
        },
        "memorisation": memorisation.findings(settings["benchmark"], names),
        "training": {
            **read_json(METRICS / "train.json"),
            "num_validation": read_json(METRICS / "mix.json")["num_validation"],
        },
        "samples": samples,
        "held_out": {stage: held_out(rows[0]["id"]) for stage, rows in samples.items()},
        "params": settings,
        **digests_read(settings),
    }
    if settings["reinforce"]:
        ledger["reinforcement"] = read_json(REINFORCE)
    return ledger


def subject(settings: dict[str, Any]) -> list[Path]:
    """The files that the ledger is about: the models, the responses and the card."""
    files = [path for path in Path("data/model").rglob("*") if path.is_file()]
    samples = [
        DATA / "evaluate" / f"{model}-{benchmark}" / "samples.parquet"
        for model in settings["evaluated_models"]
        for benchmark in settings["benchmark"]
    ]
    of_models = [path for path in files if path.parts[2] in settings["evaluated_models"]]
    return [*of_models, *samples, OUT / "README.md"]


def licence(base: str, corpora: dict[str, str]) -> dict[str, Any]:
    """The model's licence, as licences.derived has it, and the inputs whose licence is unknown."""
    found = licences.derived(base, corpora)
    return {
        "id": found.key if found else None,
        "name": found.name if found else None,
        "source": found.source if found else None,
        "on_hub": bool(found and found.on_hub),
        "unknown": licences.unknown({"the base model": base, **corpora}),
    }


def held_out(row_id: str) -> dict[str, Any]:
    """The problem of a row of data/mix/, and its answer."""
    for split in ("validation", "train"):
        for batch in read_batches(DATA / "mix" / f"{split}.parquet", ["id", "prompt", "answer"]):
            for row in batch.to_pylist():
                if row["id"] == row_id:
                    return {"problem": row["prompt"][-1]["content"], "answer": row["answer"]}
    raise InputError(f"data/mix has no row {row_id}, which a samples.csv names: run `dvc repro`")


def score_rows(ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """benchmark, model and SCORE of every model on every benchmark."""
    return [
        {
            "benchmark": entry["benchmark"],
            "model": model,
            **{key: score[key] for key in SCORE},
        }
        for entry in ledger["benchmarks"]
        for model, score in entry["models"].items()
    ]


def result_metrics(ledger: dict[str, Any]) -> dict[str, float]:
    """What the result run in MLflow holds: every accuracy, how far models differ, and the loss."""
    accuracies = {
        f"{row['benchmark']}.{row['model']}.accuracy": row["accuracy"] for row in score_rows(ledger)
    }
    differences = {
        f"{entry['benchmark']}.{each['model']}-{each['against']}.difference": each["difference"][
            "value"
        ]
        for entry in ledger["benchmarks"]
        for each in entry["comparisons"]
    }
    loss = {"train.last_validation_loss": ledger["training"]["last_validation_loss"]}
    return accuracies | differences | loss


def level_rows(ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """panel, value, model and SCORE of every subset whose values have an order."""
    return [
        {
            "panel": f"{entry['benchmark']}, {key}",
            "value": value,
            "model": model,
            **{name: score[name] for name in SCORE},
        }
        for entry in ledger["benchmarks"]
        for model, of_model in entry["models"].items()
        for key, values in of_model["subsets"].items()
        if card.are_levels(list(values))
        for value, score in values.items()
    ]


def length_rows(ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each bin of response lengths: more than tokens_from tokens, tokens_to at most."""
    rows = []
    for entry in ledger["benchmarks"]:
        for model, score in entry["models"].items():
            lengths = score["response_lengths"]
            for number, count in enumerate(lengths["counts"]):
                start = number * lengths["bin_width"]
                rows.append(
                    {
                        "benchmark": entry["benchmark"],
                        "model": model,
                        "tokens_from": start,
                        "tokens_to": min(start + lengths["bin_width"], lengths["limit"]),
                        "limit": lengths["limit"],
                        "num_responses": count,
                        "share": round(count / max(1, sum(lengths["counts"])), 4),
                    }
                )
    return rows


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def csv_text(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Rows as CSV, the head also where there are none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_plots(ledger: dict[str, Any], corpora: list[str], benchmarks: list[str]) -> None:
    """The card's pictures, and the tables behind `dvc plots`."""
    scores, levels, lengths = score_rows(ledger), level_rows(ledger), length_rows(ledger)
    claims = [claim for claim in ledger["claims"] if claim["is_evaluated"]]
    plots.save(OUT / "scores.png", plots.scores(scores, claims))
    if levels:
        plots.save(OUT / "levels.png", plots.levels(levels))
    plots.save(OUT / "lengths.png", plots.lengths(lengths))
    plots.save(OUT / "funnel.png", plots.funnel(report.STEPS, ledger["funnel"]))
    plots.save(OUT / "loss.png", plots.loss(read_csv(LOSS)))
    funnel = [
        {"step": f"{number} {step}", "corpus": corpus, "num_rows": counts[number]}
        for corpus, counts in ledger["funnel"].items()
        for number, step in enumerate(report.STEPS)
    ]
    contamination, canaries = report.contamination(corpora, benchmarks), report.canaries()
    for name, columns, rows in (
        ("scores", ["benchmark", "model", *SCORE], scores),
        ("levels", ["panel", "value", "model", *SCORE], levels),
        ("lengths", list(lengths[0]), lengths),
        ("funnel", list(funnel[0]), funnel),
        ("contamination", list(contamination[0]), contamination),
        ("canaries", list(canaries[0]), canaries),
    ):
        write_text(PLOTS / f"{name}.csv", csv_text(columns, rows))


def main() -> None:
    with stage_run("model_card") as run:
        own = params.load("model_card", Params)
        check_claims(own.claims)
        settings = params.read()
        corpora, benchmarks = list(settings["corpus"]), list(settings["benchmark"])
        ledger = make_ledger(settings, own.claims)
        write_plots(ledger, corpora, benchmarks)
        write_text(OUT / "report.html", report.page(own.name, corpora, benchmarks))
        write_text(OUT / "README.md", card.text(ledger))
        write_text(OUT / "croissant.json", croissant.text(ledger))
        content = statement.statement(ledger, subject(settings))
        write_text(OUT / "ledger.json", statement.text(content))
        run.log_metrics(result_metrics(ledger))
        shown = [f"{entry['benchmark']} {card.summary(entry)}" for entry in ledger["benchmarks"]]
        print(f"{OUT}/README.md: {'; '.join(shown)}")


if __name__ == "__main__":
    main()
