"""Write the model card, its plots and its ledger from what the other stages measured.

Reads   metrics/, lineage/, data/evaluate/, data/deduplicate/removed.parquet, data/decontaminate/,
        the receipts of data/download_*/ and data/model/base/, plots/train/loss.csv; conf: all
Writes  model_card/: README.md (Hugging Face format), ledger.json, report.html (what the filters
        did), scores.png, funnel.png, loss.png
Plots   plots/model_card/: scores.csv, funnel.csv, contamination.csv, canaries.csv

Nothing here is measured anew but the paired comparison, and no number is typed: the card shows what
the ledger holds. Both are the same bytes for the same inputs; run ids and times stay in lineage/.
The stage's MLflow run is the experiment's *result* run, with all params and all scores.
"""

import csv
import html
import io
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass

from stages import params
from stages.common import plots, practice, report, statistics
from stages.common.records import (
    Row,
    read_batches,
    read_json,
    read_rows,
    sha256,
    write_json,
    write_text,
)
from stages.common.tracking import stage_run

DATA = Path("data")
METRICS = Path("metrics")
LINEAGE = Path("lineage")
LOSS = Path("plots/train/loss.csv")
OUT = Path("model_card")
SCORES = Path("plots/model_card/scores.csv")
FUNNEL = Path("plots/model_card/funnel.csv")
CONTAMINATION = Path("plots/model_card/contamination.csv")
CANARIES = Path("plots/model_card/canaries.csv")
REINFORCE = METRICS / "reinforce.json"
# Hugging Face's licence ids.
LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC-BY-4.0": "cc-by-4.0"}


@dataclass(frozen=True, config=params.STRICT)
class Params:
    name: str
    language: str


def percent(share: float, num_items: int) -> str:
    """A share of n items with no more digits than one item is worth.

    >>> percent(60 / 96, 96), percent(450 / 500, 500)
    ('62', '90.0')
    """
    return f"{100 * share:.{0 if num_items < 200 else 1}f}"


def score_of(rows: list[Row]) -> dict[str, Any]:
    """Count, accuracy and interval of some samples; accuracy is null for none."""
    if not rows:
        return {"num_items": 0, "num_correct": 0, "accuracy": None, "low": None, "high": None}
    correct = [row["correct"] for row in rows]
    score = statistics.accuracy(correct)
    return {
        "num_items": len(rows),
        "num_correct": sum(correct),
        "accuracy": round(score.value, 4),
        "low": round(score.low, 4),
        "high": round(score.high, 4),
    }


def ledger_entry(benchmark: str, about: str, leaked: set[str], names: list[str]) -> dict[str, Any]:
    """All that the card says of one benchmark, with the digests of what it rests on; the first of
    the models is compared with the last."""
    receipt = read_json(DATA / "download_benchmark" / benchmark / "receipt.json")
    folders = {model: DATA / "evaluate" / f"{model}-{benchmark}" for model in names}
    samples = {model: read_rows(folders[model] / "samples.parquet") for model in names}
    outcomes = {model: [row["correct"] for row in samples[model]] for model in names}
    comparison = statistics.compare(outcomes[names[0]], outcomes[names[-1]])
    models = {}
    for model in names:
        measured = read_json(METRICS / "evaluate" / f"{model}-{benchmark}.json")
        lineage = read_json(LINEAGE / "evaluate" / f"{model}-{benchmark}.json")
        clean = [row for row in samples[model] if row["item_id"] not in leaked]
        models[model] = {
            **score_of(samples[model]),
            "items_without_overlap": score_of(clean),
            "truncated_rate": measured["truncated_rate"],
            "no_answer_rate": measured["no_answer_rate"],
            "dtype": measured["dtype"],
            "batch_size": measured["batch_size"],
            "samples_sha256": sha256(folders[model] / "samples.parquet"),
            "inputs": {
                path: digest for path, digest in lineage["deps"].items() if path.startswith("data/")
            },
        }
    return {
        "benchmark": benchmark,
        "about": about,
        "source": {key: receipt[key] for key in ("name", "revision", "licence", "items_digest")},
        "num_items_overlapping_training_candidates": len(leaked),
        "models": models,
        "comparison": asdict(comparison),
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


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def csv_text(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def score_cell(score: dict[str, Any]) -> str:
    """`60 of 96: 62% [53, 71]`."""
    if score["accuracy"] is None:
        return "no items"
    share, low, high = (
        percent(score[key], score["num_items"]) for key in ("accuracy", "low", "high")
    )
    return f"{score['num_correct']} of {score['num_items']}: {share}% [{low}, {high}]"


def difference_cell(entry: dict[str, Any]) -> str:
    """`+44 [33, 54], p < 0.001`, in percentage points."""
    num_items = entry["models"]["base"]["num_items"]
    step, p_value = entry["comparison"]["difference"], entry["comparison"]["p_value"]
    value, low, high = (percent(step[key], num_items) for key in ("value", "low", "high"))
    sign = "+" if step["value"] > 0 else ""
    shown = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    return f"{sign}{value} [{low}, {high}], {shown}"


def final(entry: dict[str, Any]) -> str:
    """The name of the last model: what the card is about."""
    return str(list(entry["models"])[-1])


def verdict(entry: dict[str, Any]) -> str:
    """What the paired test allows to say, in words."""
    difference, p_value = entry["comparison"]["difference"], entry["comparison"]["p_value"]
    if p_value >= 0.05:
        return f"**{entry['benchmark']}**: no difference beyond noise at this n."
    word = "better" if difference["value"] > 0 else "worse"
    return f"**{entry['benchmark']}**: the {final(entry)} model is {word}."


def front_matter(card: Params, ledger: dict[str, Any]) -> str:
    """The card's YAML head; huggingface_hub writes and checks it."""
    from huggingface_hub import EvalResult, ModelCardData

    model, corpora = ledger["base_model"], ledger["corpora"]
    licences = {model["licence"], *(corpus["licence"] for corpus in corpora.values())}
    results = [
        EvalResult(
            task_type="text-generation",
            task_name="Math problem solving",
            dataset_type=entry["source"]["name"],
            dataset_name=entry["benchmark"],
            dataset_revision=entry["source"]["revision"],
            metric_type="accuracy",
            metric_name=f"accuracy, n={entry['models'][final(entry)]['num_items']}",
            metric_value=entry["models"][final(entry)]["accuracy"],
        )
        for entry in ledger["benchmarks"]
    ]
    data = ModelCardData(
        language=card.language,
        license=LICENCES.get(licences.pop(), "other") if len(licences) == 1 else "other",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["math", "mathledger", "sft", "trl"],
        base_model=model["base_model"],
        model_name=card.name,
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def training_text(ledger: dict[str, Any]) -> str:
    """How the model was trained, and what it answered before and after."""
    training, settings = ledger["training"], ledger["params"]["train"]
    lora = settings["lora"]
    kind = f"LoRA of rank {lora['rank']}" if lora else "All weights"
    if lora and lora["quantization"]:
        kind += f" over weights in {lora['quantization']}"
    rows, left_out = "sequences" if settings["packing"] else "examples", ""
    if training["num_too_long"]:
        left_out = f" {training['num_too_long']} examples longer than "
        left_out += f"{settings['max_length']} tokens were left out."
    text = wrapped(
        f"{kind}, {training['num_trainable_parameters']:,} trained parameters, "
        f"{training['num_steps']} steps of {training['effective_batch_size']} {rows} "
        f"({training['num_tokens_seen']:,} tokens), learning rate {settings['learning_rate']:g}, "
        f"loss on the solutions only; validation loss {training['first_validation_loss']} before, "
        f"{training['last_validation_loss']} after.{left_out}"
    )
    text += samples_text(ledger["samples"]["train"])
    if "reinforcement" in ledger:
        after, chosen = ledger["reinforcement"], ledger["params"]["reinforce"]["grpo"]
        text += "\n" + wrapped(
            f"Then GRPO: {after['num_steps']} steps of {after['effective_batch_size']} answers, "
            f"{chosen['num_generations']} to a problem, learning rate {chosen['learning_rate']:g}, "
            "rewarded where the final answer is right. Share of right answers to validation "
            f"problems, sampled at temperature {chosen['temperature']:g}: "
            f"{after['first_validation_reward']} before, {after['last_validation_reward']} after."
        )
        text += samples_text(ledger["samples"]["reinforce"])
    return text


def wrapped(text: str) -> str:
    """A paragraph in lines of 100."""
    return textwrap.fill(text, 100) + "\n"


def samples_text(samples: list[dict[str, str]]) -> str:
    """The first and the last answer to the held-out problem."""
    text = f"\nWhat it answered held-out problem `{samples[0]['id']}`:\n"
    for each in (samples[0], samples[-1]):
        lines = [line for line in each["response"].splitlines() if line.strip()]
        answer = html.escape("\n".join(lines), quote=False) or "(nothing)"
        text += f"\nStep {each['step']}:\n\n<pre>{answer}</pre>\n"
    return text


def card_text(card: Params, ledger: dict[str, Any]) -> str:
    """README.md: every number in it stands in the ledger."""
    entries, training = ledger["benchmarks"], ledger["training"]
    names = ledger["params"]["models"]
    first, last = entries[0]["models"][names[0]], names[-1]
    model, filtered = ledger["base_model"], ledger["decontaminate"]
    scores = table(
        ["benchmark", *names, f"difference of {last} and {names[0]}, points"],
        [
            [
                entry["benchmark"],
                *(score_cell(entry["models"][name]) for name in names),
                difference_cell(entry),
            ]
            for entry in entries
        ],
    )
    overlap = table(
        [
            "benchmark",
            "items found in the corpora",
            f"{last}, all items",
            f"{last}, the other items",
        ],
        [
            [
                entry["benchmark"],
                entry["num_items_overlapping_training_candidates"],
                score_cell(entry["models"][last]),
                score_cell(entry["models"][last]["items_without_overlap"]),
            ]
            for entry in entries
        ],
    )
    responses = table(
        ["benchmark", "model", "cut at the limit", "no answer found"],
        [
            [entry["benchmark"], name]
            + [
                f"{percent(score[key], score['num_items'])}%"
                for key in ("truncated_rate", "no_answer_rate")
            ]
            for entry in entries
            for name, score in entry["models"].items()
        ],
    )
    funnel = table(
        ["corpus", *report.STEPS],
        [[corpus, *counts] for corpus, counts in ledger["funnel"].items()],
    )
    reasons = table(
        ["removed by", "reason", "rows"],
        [[name, why, n] for name, counts in ledger["removed"].items() for why, n in counts.items()],
    )
    sources = table(
        ["input", "source", "revision", "licence"],
        [["base model", model["name"], model["revision"], model["licence"]]]
        + [[name, c["name"], c["revision"], c["licence"]] for name, c in ledger["corpora"].items()]
        + [
            [e["benchmark"], e["source"]["name"], e["source"]["revision"], e["source"]["licence"]]
            for e in entries
        ],
    )
    planted = ""
    if ledger["planted"]:
        planted = (
            "Rows built into the corpora on purpose, to see whether the filters find them:\n\n"
        )
        planted += table(
            ["built in", "rows", "removed"],
            [[row["kind"], row["num_planted"], row["num_removed"]] for row in ledger["planted"]],
        )
        planted += "\n\n"
    kept = "Rows that hold a benchmark item were removed before training."
    if filtered["action"] != "remove":
        kept = (
            "**Rows that hold a benchmark item were kept in the training set** "
            f"(decontaminate.action={filtered['action']}): compare the two right-hand columns."
        )
    own_test = table(
        ["changed copy of a benchmark item", "shown", "called contamination", "should be"],
        [
            [row["form"], row["num"], row["num_found"], "none" if row["is_control"] else "all"]
            for row in filtered["canaries"]
        ],
    )
    reinforced = ", then with GRPO on its own answers" if "reinforcement" in ledger else ""
    base_name = model["base_model"] or f"{model['name']} ({model['revision']})"
    return f"""{front_matter(card, ledger)}
# {card.name}

{base_name}, fine-tuned on {training["num_examples"]:,} worked math problems{reinforced} by a
[DVC pipeline](../dvc.yaml) that anyone can run again. Every number below stands in
[ledger.json](ledger.json) with the digests of the responses, data and weights behind it.
{model["about"]}

## Scores

![Accuracy of each model with 95% intervals](scores.png)

{scores}

Brackets are 95% intervals: Wilson's for a score, bootstrap over items for a difference; p is
McNemar's exact test on the paired items. Greedy decoding, one response an item,
{first["dtype"]}, batch size {first["batch_size"]}; graded by math-verify.

{chr(10).join(f"- {verdict(entry)}" for entry in entries)}

How the responses ended (a response that is cut, or holds no answer, counts as wrong):

{responses}

## Data

![Rows left after each stage](funnel.png)

{funnel}

{reasons}

The last step of the funnel also sets {training["num_validation"]} examples aside for validation.
[report.html](report.html) shows the rows by source, and pairs of texts to judge the filters by.

{planted}## Contamination

Every training problem was compared with all {filtered["num_items_checked"]} items of all benchmarks
above. {kept}
Problems with an item's wording and other numbers are variants:
{filtered["num_variant_hits"]} hits, {filtered["variants"]}.

{overlap}

The filter was tried on changed copies of the items, which never reached the training set:

{own_test}

## Training

![Loss](loss.png)

{training_text(ledger)}
All parameters are in [params.yaml](../params.yaml).

## Limits

{chr(10).join(f"- {entry['benchmark']}: {entry['about']}" for entry in entries)}
- An interval says how far a score may move with other items of the same kind, and no more.
- Overlap is found by wording and numbers; a paraphrase or a translation of an item would pass.
- math-verify can misjudge an answer; all responses and verdicts are in `data/evaluate/`.
- A GPU, or another CPU, rounds differently: expect the last digits of a score to move.

## Use

```python
from transformers import pipeline

solve = pipeline("text-generation", "data/model/{last}")
problem = {ledger["params"]["prompt"]["template"]!r}.format(problem="12 + 30 - 5 =")
print(solve([{{"role": "user", "content": problem}}], max_new_tokens=96)[0]["generated_text"][-1])
```

## Inputs

{sources}

## Reproduce

```bash
make repro                             # download, filter, train, evaluate, write this card
git diff --stat -- metrics model_card  # prints nothing: your numbers are these numbers
```
"""


def main() -> None:
    with stage_run("model_card") as run:
        card = params.load("model_card", Params)
        settings = params.read()
        corpora, benchmarks = list(settings["corpus"]), list(settings["benchmark"])
        by_corpus = report.funnel_by_corpus(corpora)
        leaked = leaked_items()
        entries = [
            ledger_entry(name, benchmark["about"], leaked.get(name, set()), settings["models"])
            for name, benchmark in settings["benchmark"].items()
        ]
        decontaminate = read_json(METRICS / "decontaminate.json")
        removed = {
            "prepare": total(
                read_json(METRICS / "prepare" / f"{corpus}.json")["removed_by_reason"]
                for corpus in corpora
            ),
            "deduplicate": read_json(METRICS / "deduplicate.json")["removed_by_reason"],
            "decontaminate": decontaminate["removed_by_reason"],
        }
        keys = ("name", "revision", "licence")
        model = read_json(DATA / "model" / "base" / "receipt.json")
        receipts = {
            corpus: read_json(DATA / "download_corpus" / corpus / "receipt.json")
            for corpus in corpora
        }
        train_lineage = read_json(LINEAGE / "train.json")
        ledger = {
            "name": card.name,
            "benchmarks": entries,
            "base_model": {
                **{key: model[key] for key in keys},
                "base_model": settings["model"]["base_model"],
                "about": settings["model"]["about"],
            },
            "corpora": {
                corpus: {**{key: receipt[key] for key in keys}, "files": receipt["files"]}
                for corpus, receipt in receipts.items()
            },
            "funnel": by_corpus,
            "removed": removed,
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
            "training": {
                **read_json(METRICS / "train.json"),
                "num_validation": read_json(METRICS / "mix.json")["num_validation"],
                "inputs": {k: v for k, v in train_lineage["deps"].items() if k.startswith("data/")},
            },
            "samples": {
                stage: read_csv(DATA / stage / "samples.csv")
                for stage in ["train", *(["reinforce"] if settings["reinforce"] else [])]
            },
            "params": settings,
        }
        if settings["reinforce"]:
            ledger["reinforcement"] = read_json(REINFORCE)
        scores = [
            {
                "benchmark": entry["benchmark"],
                "model": model_name,
                **{
                    key: entry["models"][model_name][key]
                    for key in ("num_items", "accuracy", "low", "high")
                },
            }
            for entry in entries
            for model_name in settings["models"]
        ]
        funnel = [
            {"step": f"{number} {step}", "corpus": corpus, "num_rows": counts[number]}
            for corpus, counts in by_corpus.items()
            for number, step in enumerate(report.STEPS)
        ]
        plots.loss(OUT / "loss.png", read_csv(LOSS))
        plots.scores(OUT / "scores.png", scores)
        plots.funnel(OUT / "funnel.png", report.STEPS, by_corpus)
        write_text(SCORES, csv_text(scores))
        write_text(FUNNEL, csv_text(funnel))
        write_text(CONTAMINATION, csv_text(report.contamination(corpora, benchmarks)))
        write_text(CANARIES, csv_text(report.canaries()))
        write_text(OUT / "report.html", report.page(card.name, corpora, benchmarks))
        write_json(OUT / "ledger.json", ledger)
        write_text(OUT / "README.md", card_text(card, ledger))
        run.log_metrics(
            {f"{row['benchmark']}.{row['model']}.accuracy": row["accuracy"] for row in scores}
        )
        run.log_metrics(
            {
                f"{entry['benchmark']}.difference": entry["comparison"]["difference"]["value"]
                for entry in entries
            }
        )
        print(f"{OUT}/README.md: {', '.join(verdict(e).replace('*', '') for e in entries)}")


if __name__ == "__main__":
    main()
