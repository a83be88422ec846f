"""What speaks for memorised benchmark items on the card, and what does not.

Three probes, each with its controls: number-changed twins of items, problems continued from their
first half (stages/probe.py), and what responses share word by word with the training solutions of
rows that hold the item. docs/memorisation.md says what each can show and what it cannot.

`findings` reads what the stages wrote and gives what the ledger holds; `section` writes the card's
text from that alone. A difference is called evidence where its p, adjusted for all the tests that
the probe made (Holm 1979), is under 0.05.
"""

from pathlib import Path
from typing import Any

from mathledger.card import copied
from mathledger.card.copied import Hits
from mathledger.card.markdown import percent, table, wrapped
from mathledger.core.files import read_json
from mathledger.core.hashing import sha256
from mathledger.core.tables import Row, read_batches, read_rows
from mathledger.evaluation import statistics

DATA = Path("data")
METRICS = Path("metrics")

LEVEL = 0.05
ACCURACIES = ("accuracy", "accuracy_twins")


def findings(benchmarks: dict[str, Any], models: list[str]) -> dict[str, Any]:
    """What the three probes found, for the ledger; the first of the models is the base.

    benchmarks is the section of params.yaml. Reads metrics/probe/, and in data/: evaluate/, probe/,
    decontaminate/, download_benchmark/.
    """
    hits = overlapping_rows(DATA / "decontaminate" / "evidence.parquet")
    samples = {
        (model, name): read_rows(DATA / "evaluate" / f"{model}-{name}" / "samples.parquet")
        for name in benchmarks
        for model in models
    }
    items = {
        name: read_rows(DATA / "download_benchmark" / name / "items.parquet") for name in benchmarks
    }
    twins = {
        benchmark["source"]["twins_of"]: name
        for name, benchmark in benchmarks.items()
        if benchmark["source"].get("twins_of") in benchmarks
    }
    paths = {model: DATA / "probe" / model / "completions.parquet" for model in models}
    drops = twin_drops(samples, twins, hits)
    completions = continued_items(
        {model: read_json(METRICS / "probe" / f"{model}.json") for model in models},
        {model: read_rows(path) for model, path in paths.items()},
        twins,
    )
    folder = DATA / "decontaminate"
    responses = copied.from_solutions(
        samples, items, hits, folder / "removed.parquet", folder / "kept.parquet"
    )
    return {
        "twins": {"rows": drops, **verdict(drops)},
        "completions": {
            "rows": completions,
            **verdict(completions),
            "completions_sha256": {model: sha256(path) for model, path in paths.items()},
        },
        "responses": {"ngram_size": copied.NGRAM_SIZE, "rows": responses, **verdict(responses)},
    }


def overlapping_rows(path: Path) -> Hits:
    """The training rows that hold an item, removed or not; variants of an item are other problems.

    Raises:
        InputError: the file of evidence is missing.
    """
    hits: Hits = {}
    for batch in read_batches(path, ["id", "benchmark", "item_id", "class", "action"]):
        for hit in batch.to_pylist():
            if hit["class"] != "variant":
                rows = hits.setdefault(hit["benchmark"], {}).setdefault(hit["item_id"], {})
                rows[hit["id"]] = hit["action"] == "removed"
    return hits


def verdict(rows: list[Row]) -> dict[str, Any]:
    """Of all tests of a probe those that are evidence, with the number of tests made."""
    tests = [
        {"benchmark": row["benchmark"], "model": row["model"], **test}
        for row in rows
        for test in row["tests"]
    ]
    adjusted = statistics.holm([test["p_value"] for test in tests])
    return {
        "num_tests": len(tests),
        "evidence": [
            {**test, "p_adjusted": round(p_adjusted, 6)}
            for test, p_adjusted in zip(tests, adjusted, strict=True)
            if test["is_higher"] and p_adjusted < LEVEL
        ],
    }


def comparison(
    against: str, before: list[list[bool]], after: list[list[bool]]
) -> dict[str, Any] | None:
    """Outcomes paired by item: by how much they are more often true after, with interval and p;
    None where no item is paired."""
    if not before:
        return None
    found = statistics.compare(before, after)
    step = found.difference
    return {
        "against": against,
        "difference": round(step.value, 4),
        "low": round(step.low, 4),
        "high": round(step.high, 4),
        "p_value": round(found.p_value, 6),
        "is_higher": step.value > 0,
    }


# --- Number-changed twins -------------------------------------------------------------------------


def twin_drops(
    samples: dict[tuple[str, str], list[Row]], twins: dict[str, str], hits: Hits
) -> list[Row]:
    """By how much each model does better on items than on their twins; twins: item's -> twin's
    benchmark. A twin that stands in the corpora itself is no control: its pair is left out."""
    rows = []
    for (model, benchmark), own in samples.items():
        if benchmark not in twins:
            continue
        of_item, of_twin = _outcomes(own), _outcomes(samples[model, twins[benchmark]])
        pairs = sorted(of_item.keys() & of_twin.keys() - hits.get(twins[benchmark], {}).keys())
        overlapping = [name for name in pairs if name in hits.get(benchmark, {})]
        parts = {"all": ("the twins", pairs), "overlapping": ("the twins, overlap", overlapping)}
        row: Row = {"benchmark": benchmark, "model": model}
        for part, (against, names) in parts.items():
            before, after = ([of[name] for name in names] for of in (of_twin, of_item))
            row[part] = {
                "num_items": len(names),
                "accuracy": round(statistics.accuracy(after).value, 4) if names else None,
                "accuracy_twins": round(statistics.accuracy(before).value, 4) if names else None,
                "drop": comparison(against, before, after),
            }
        row["tests"] = [row[part]["drop"] for part in parts if row[part]["drop"]]
        rows.append(row)
    return rows


def _outcomes(samples: list[Row]) -> dict[str, list[bool]]:
    """Item -> whether each response to it is right."""
    found: dict[str, list[bool]] = {}
    for row in sorted(samples, key=lambda row: row["repeat"]):
        found.setdefault(row["item_id"], []).append(row["correct"])
    return found


# --- Problems continued from their first half -----------------------------------------------------


def continued_items(
    measured: dict[str, Any], completions: dict[str, list[Row]], twins: dict[str, str]
) -> list[Row]:
    """How many problems of each benchmark each model continues verbatim, and beside it their twins
    and texts held out from training; by model: metrics/probe/ and rows of COMPLETION."""
    flags = {
        (model, row["benchmark"], row["id"]): row["is_verbatim"]
        for model, rows in completions.items()
        for row in rows
        if not row["is_control"]
    }
    first = next(iter(measured))
    rows = []
    for benchmark in measured[first]:
        if benchmark in twins.values():
            continue
        ids = sorted(name for model, owner, name in flags if (model, owner) == (first, benchmark))
        for model in measured:
            found = measured[model][benchmark]
            row: Row = {
                "benchmark": benchmark,
                "model": model,
                "items": found["items"],
                "twins": measured[model][twins[benchmark]]["items"] if benchmark in twins else None,
                "controls": found["controls"],
                "left_out": found["left_out"],
                "tests": [],
            }
            if row["items"] and row["controls"]:
                row["tests"].append(_against_controls(row["items"], row["controls"]))
            others = {}
            if model != first:
                others[f"the {first} model"] = (first, benchmark)
            if benchmark in twins:
                others["the twins"] = (model, twins[benchmark])
            for against, owner in others.items():
                shared = [name for name in ids if (*owner, name) in flags]
                before = [[flags[(*owner, name)]] for name in shared]
                after = [[flags[model, benchmark, name]] for name in shared]
                row["tests"].append(comparison(against, before, after))
            row["tests"] = [test for test in row["tests"] if test]
            rows.append(row)
    return rows


def _against_controls(items: Row, controls: Row) -> dict[str, Any]:
    """Fisher's exact test of two counts."""
    from scipy.stats import fisher_exact

    counts = [
        [part["num_verbatim"], part["num"] - part["num_verbatim"]] for part in (items, controls)
    ]
    return {
        "against": "held-out texts",
        "difference": round(items["verbatim_rate"] - controls["verbatim_rate"], 4),
        "p_value": round(float(fisher_exact(counts).pvalue), 6),
        "is_higher": items["verbatim_rate"] > controls["verbatim_rate"],
    }


# --- The card -------------------------------------------------------------------------------------


def section(found: dict[str, Any]) -> str:
    """The card's section, from what `findings` gave."""
    head = (
        "Does a model know benchmark items by heart? Three probes, each with its controls; "
        "[docs/memorisation.md](../docs/memorisation.md) says what they cannot show. A "
        "difference is called evidence where its p, adjusted for the number of tests of the "
        f"probe (Holm), is under {LEVEL}."
    )
    parts = [
        *_twins_text(found["twins"]),
        *_completions_text(found["completions"]),
        *_responses_text(found["responses"]),
    ]
    return "\n".join(["## Memorisation\n", wrapped(head), *parts])


def _twins_text(found: dict[str, Any]) -> list[str]:
    head = (
        "**Number-changed twins.** A large drop would mean that a model knows these items, and not "
        "how such problems are solved: a twin has its item's template, and other numbers."
    )
    if not found["rows"]:
        return [wrapped(head), "No benchmark was evaluated together with its twins.\n"]
    rows = [
        [
            row["benchmark"],
            row["model"],
            *(_share(row["all"][key], row["all"]["num_items"]) for key in ACCURACIES),
            *(_drop(row[part]) for part in ("all", "overlapping")),
        ]
        for row in found["rows"]
    ]
    columns = ["benchmark", "model", "items right", "twins right", "drop, points"]
    head_row = [*columns, "drop, items found in the corpora"]
    return [wrapped(head), table(head_row, rows, 2), wrapped(_finding(found))]


def _share(share: float | None, num_items: int) -> str:
    """`62% of 96 items`."""
    return "no items" if share is None else f"{percent(share, num_items)}% of {num_items} items"


def _drop(part: Row) -> str:
    """`+12 [-4, 29], p = 0.25 (n = 24)`, in percentage points."""
    drop = part["drop"]
    if drop is None:
        return "no items"
    value, low, high = (
        percent(drop[key], part["num_items"]) for key in ("difference", "low", "high")
    )
    sign = "+" if drop["difference"] > 0 else ""
    return f"{sign}{value} [{low}, {high}], {_p(drop['p_value'])} (n = {part['num_items']})"


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _completions_text(found: dict[str, Any]) -> list[str]:
    head = (
        "**Problems continued from their first half.** A high share would mean that a model knows "
        "a benchmark's text: it was given half of a problem and wrote the rest verbatim. Held-out "
        "texts of like length, and twins, show how often that happens by chance."
    )

    def rouge(part: Row | None) -> str:
        return f"{percent(part['mean_rouge_l'], part['num'])}" if part else "-"

    rows = [
        [
            row["benchmark"],
            row["model"],
            _verbatim(row["items"]) if row["items"] else _left_out(row["left_out"]),
            *(_verbatim(row[part]) for part in ("twins", "controls")),
            " / ".join(rouge(row[part]) for part in ("items", "twins", "controls")),
        ]
        for row in found["rows"]
    ]
    columns = ["benchmark", "model", "items, verbatim", "their twins", "held-out texts"]
    head_row = [*columns, "ROUGE-L of the three, %"]
    return [wrapped(head), table(head_row, rows, 2), wrapped(_finding(found))]


def _verbatim(part: Row | None) -> str:
    """`0 of 24: 0% [0, 14]`."""
    if part is None:
        return "none"
    share, low, high = (
        percent(part[f"verbatim_{key}"], part["num"]) for key in ("rate", "low", "high")
    )
    return f"{part['num_verbatim']} of {part['num']}: {share}% [{low}, {high}]"


def _left_out(reasons: dict[str, int]) -> str:
    """`none: 64 too short`."""
    return "none: " + ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in reasons.items())


def _responses_text(found: dict[str, Any]) -> list[str]:
    head = (
        "**Responses and training solutions.** A high share would mean that responses repeat what "
        f"the corpora held for the very item: of their runs of {found['ngram_size']} words and "
        "signs, those that stand in the solutions of the rows found for it. Two solutions of one "
        "problem in one style are alike without any copying, so that the finding rests on the last "
        "two columns: the benchmark's own solution, for these items and for those without overlap."
    )
    if not found["rows"]:
        nothing = "No item stands in the corpora, or no response to one is long enough."
        return [wrapped(head), wrapped(nothing)]

    rows = [
        [
            row["benchmark"],
            row["model"],
            f"{row['num_solutions']}, {row['num_solutions_kept']} kept",
            _share(row["solutions_share"], row["num_items"]),
            _share(row["unrelated_share"], row["num_items"]),
            _share(row["reference_share"], row["num_with_reference"]),
            _share(row["others_reference_share"], row["num_others"]),
        ]
        for row in found["rows"]
    ]
    columns = ["benchmark", "model", "solutions found", "shared with them", "with as many others"]
    columns += ["with the benchmark's own", "the same, other items"]
    return [wrapped(head), table(columns, rows, 2), wrapped(_finding(found))]


def _finding(found: dict[str, Any]) -> str:
    """What the tests of a probe allow to say."""
    if not found["num_tests"]:
        return "There are too few texts to compare, so that nothing can be said."
    count = f"{found['num_tests']} test" + ("s" if found["num_tests"] > 1 else "")
    if not found["evidence"]:
        return f"No evidence beyond noise at these numbers of items ({count})."
    shown = [
        f"**{one['benchmark']}**, {one['model']} model, against {one['against']} "
        f"({_p(one['p_adjusted'])})"
        for one in found["evidence"]
    ]
    return f"Evidence ({count}): {'; '.join(shown)}."
