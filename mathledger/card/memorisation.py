"""Compute the evidence for and against memorised benchmark items.

There are four probes, each with its controls: number-changed twins of items, problems completed
from their first half and answered from a part (stages/probe.py), and the overlap of responses with
training solutions of the same item. docs/memorisation.md says what each can and cannot show.

A difference counts as evidence if its p-value, adjusted for all tests of the probe (Holm 1979), is
below statistics.LEVEL.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from mathledger.card import copied
from mathledger.card.ledger_memorisation import (
    Completions,
    CompletionsRow,
    Difference,
    Memorisation,
    Parts,
    PartsRow,
    Responses,
    ResponsesRow,
    Right,
    SignificantTest,
    TwinDrop,
    Twins,
    TwinsRow,
    Verbatim,
)
from mathledger.card.outputs import Outputs
from mathledger.card.overlap import Hits, overlapping_rows
from mathledger.core.hashing import sha256
from mathledger.core.tables import Row, read_rows
from mathledger.evaluation import parts as shown
from mathledger.evaluation import statistics

ProbeRow = TwinsRow | CompletionsRow | PartsRow | ResponsesRow


def findings(outputs: Outputs, benchmarks: dict[str, Any], models: list[str]) -> Memorisation:
    """Return the results of the four probes for the ledger.

    Args:
        benchmarks: the section `benchmark` of params.yaml.
        models: the evaluated models, the base model first.
    """
    hits = overlapping_rows(outputs.evidence)
    samples = {
        (model, name): read_rows(outputs.samples(model, name))
        for name in benchmarks
        for model in models
    }
    items = {name: outputs.items(name) for name in benchmarks}
    twins = {
        benchmark["source"]["twins_of"]: name
        for name, benchmark in benchmarks.items()
        if benchmark["source"].get("twins_of") in benchmarks
    }
    paths = {model: outputs.completions(model) for model in models}
    drops = twin_drops(samples, twins, hits)
    measured = {model: outputs.metrics("probe", model) for model in models}
    completions = continued_items(
        # A model behind a server that takes no raw text completes no problem.
        {m: own for m, own in measured.items() if all("items" in each for each in own.values())},
        {model: read_rows(path) for model, path in paths.items()},
        twins,
    )
    part_paths = {model: outputs.parts(model) for model in models}
    answered = {model: read_rows(path) for model, path in part_paths.items()}
    parts = answered_parts(answered, samples, twins, hits)
    left_out = {
        name: own["parts"]["left_out"]
        for name, own in outputs.metrics("probe", models[0]).items()
        if name not in twins.values()
    }
    responses = copied.from_solutions(samples, items, hits, outputs.removed, outputs.kept)
    return Memorisation(
        twins=Twins(rows=drops, num_tests=num_tests(drops), evidence=evidence(drops)),
        completions=Completions(
            rows=completions,
            num_tests=num_tests(completions),
            evidence=evidence(completions),
            completions_sha256={model: sha256(path) for model, path in paths.items()},
        ),
        parts=Parts(
            rows=parts,
            left_out=left_out,
            num_tests=num_tests(parts),
            evidence=evidence(parts),
            parts_sha256={model: sha256(path) for model, path in part_paths.items()},
        ),
        responses=Responses(
            ngram_size=copied.NGRAM_SIZE,
            rows=responses,
            num_tests=num_tests(responses),
            evidence=evidence(responses),
        ),
    )


def num_tests(rows: Sequence[ProbeRow]) -> int:
    """Count the tests that a probe made."""
    return sum(len(row.tests) for row in rows)


def evidence(rows: Sequence[ProbeRow]) -> list[SignificantTest]:
    """Return the tests of a probe that are significant after Holm's adjustment."""
    tests = [(row, test) for row in rows for test in row.tests]
    adjusted = statistics.holm([test.p_value for _, test in tests])
    return [
        SignificantTest(
            benchmark=row.benchmark,
            model=row.model,
            **test.content(),
            p_adjusted=statistics.stored_p(p_adjusted),
        )
        for (row, test), p_adjusted in zip(tests, adjusted, strict=True)
        if test.is_higher and p_adjusted < statistics.LEVEL
    ]


def paired(against: str, before: list[list[bool]], after: list[list[bool]]) -> Difference | None:
    """Test whether outcomes `after` are true more often than `before`, paired by item.

    Returns:
        The difference, or None if there are no pairs.
    """
    if not before:
        return None
    result = statistics.compare(before, after)
    step = result.difference
    return Difference(
        against=against,
        difference=statistics.stored(step.value),
        low=statistics.stored(step.low),
        high=statistics.stored(step.high),
        p_value=statistics.stored_p(result.p_value),
        is_higher=bool(step.value > 0),
    )


# --- Number-changed twins -------------------------------------------------------------------------


def twin_drops(
    samples: dict[tuple[str, str], list[Row]], twins: dict[str, str], hits: Hits
) -> list[TwinsRow]:
    """Compare each model's accuracy on items with its accuracy on their twins.

    A pair is left out if the corpora hold the twin, because then it is not a control.

    Args:
        twins: the twin benchmark of each benchmark that has one.
    """
    rows = []
    for (model, benchmark), own in samples.items():
        if benchmark not in twins:
            continue
        of_item, of_twin = _outcomes(own), _outcomes(samples[model, twins[benchmark]])
        pairs = sorted(of_item.keys() & of_twin.keys() - hits.get(twins[benchmark], {}).keys())
        overlapping = [name for name in pairs if name in hits.get(benchmark, {})]
        every = _drop("the twins", pairs, of_item, of_twin)
        part = _drop("the twins, overlap", overlapping, of_item, of_twin)
        tests = [each.drop for each in (every, part) if each.drop]
        rows.append(
            TwinsRow(benchmark=benchmark, model=model, all=every, overlapping=part, tests=tests)
        )
    return rows


def _drop(
    against: str, names: list[str], of_item: dict[str, list[bool]], of_twin: dict[str, list[bool]]
) -> TwinDrop:
    before, after = ([of[name] for name in names] for of in (of_twin, of_item))
    return TwinDrop(
        num_items=len(names),
        accuracy=statistics.stored(statistics.accuracy(after).value) if names else None,
        accuracy_twins=statistics.stored(statistics.accuracy(before).value) if names else None,
        drop=paired(against, before, after),
    )


def _outcomes(samples: list[Row]) -> dict[str, list[bool]]:
    """Map each item to a list that says whether each response to it is correct."""
    of_items: dict[str, list[bool]] = {}
    for row in sorted(samples, key=lambda row: row["repeat"]):
        of_items.setdefault(row["item_id"], []).append(row["correct"])
    return of_items


# --- Problems completed from their first half -----------------------------------------------------


def continued_items(
    measured: dict[str, Any], completions: dict[str, list[Row]], twins: dict[str, str]
) -> list[CompletionsRow]:
    """Return the rate of verbatim completions of each model on each benchmark, with controls.

    The controls are the items' twins and held-out training problems.

    Args:
        measured: the content of metrics/probe/ by model.
        completions: the rows of COMPLETION by model.
        twins: the twin benchmark of each benchmark that has one.
    """
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
            own = measured[model][benchmark]
            parts = {key: own[key] for key in ("items", "controls")}
            parts["twins"] = (
                measured[model][twins[benchmark]]["items"] if benchmark in twins else None
            )
            shares = {
                key: Verbatim.read(part, f"metrics/probe/{model}.json") if part else None
                for key, part in parts.items()
            }
            tests = []
            if shares["items"] and shares["controls"]:
                tests.append(_against_controls(shares["items"], shares["controls"]))
            others = {}
            if model != first:
                others[f"the {first} model"] = (first, benchmark)
            if benchmark in twins:
                others["the twins"] = (model, twins[benchmark])
            for against, owner in others.items():
                shared = [name for name in ids if (*owner, name) in flags]
                before = [[flags[(*owner, name)]] for name in shared]
                after = [[flags[model, benchmark, name]] for name in shared]
                tests += filter(None, [paired(against, before, after)])
            rows.append(
                CompletionsRow(
                    benchmark=benchmark,
                    model=model,
                    **shares,
                    left_out=own["left_out"],
                    tests=tests,
                )
            )
    return rows


def _against_controls(items: Verbatim, controls: Verbatim) -> Difference:
    """Test two counts of verbatim completions."""
    counts = [(part.num_verbatim, part.num) for part in (items, controls)]
    return unpaired("held-out texts", *counts)


def unpaired(against: str, own: tuple[int, int], control: tuple[int, int]) -> Difference:
    """Test two counts, each of a total, by Fisher's exact test."""
    from scipy.stats import fisher_exact

    counts = [[part, whole - part] for part, whole in (own, control)]
    rates = [part / whole for part, whole in (own, control)]
    return Difference(
        against=against,
        difference=statistics.stored(rates[0] - rates[1]),
        p_value=statistics.stored_p(float(fisher_exact(counts).pvalue)),
        is_higher=rates[0] > rates[1],
    )


# --- Problems answered from a part ----------------------------------------------------------------


def answered_parts(
    answered: dict[str, list[Row]],
    samples: dict[tuple[str, str], list[Row]],
    twins: dict[str, str],
    hits: Hits,
) -> list[PartsRow]:
    """Return how many problems each model answers from a part of them, with controls.

    The controls are the items' twins, the items that no corpus holds, and the base model. A twin
    that a corpus holds is left out together with its item, because then it is not a control.

    Args:
        answered: the rows of PART by model, the base model first.
        samples: the graded responses to whole problems, by model and benchmark.
        twins: the twin benchmark of each benchmark that has one.
    """
    outcomes: dict[tuple[str, str, str], dict[str, bool]] = {}
    for model, answers in answered.items():
        for row in answers:
            asked = (model, row["benchmark"], row["part"])
            outcomes.setdefault(asked, {})[row["id"]] = row["correct"]
    benchmarks = [
        name for name in dict.fromkeys(b for _, b in samples) if name not in twins.values()
    ]
    rows = []
    for benchmark, model, part in itertools.product(benchmarks, answered, shown.PARTS):
        if not (own := outcomes.get((model, benchmark, part))):
            continue
        twin = twins.get(benchmark, "")
        of_twins = {
            name: is_right
            for name, is_right in outcomes.get((model, twin, part), {}).items()
            if name not in hits.get(twin, {})
        }
        groups = [
            [own[name] for name in own if (name in hits.get(benchmark, {})) == is_held]
            for is_held in (True, False)
        ]
        first = next(iter(answered))
        against = {"the twins": of_twins}
        if model != first:
            against[f"the {first} model"] = outcomes[first, benchmark, part]
        tests = [_paired_parts(control, own, other) for control, other in against.items()]
        if all(groups):
            counts = [(sum(group), len(group)) for group in groups]
            tests.append(unpaired("items free of overlap", *counts))
        whole = [row["correct"] for row in samples[model, benchmark] if row["item_id"] in own]
        rows.append(
            PartsRow(
                benchmark=benchmark,
                model=model,
                part=part,
                whole_accuracy=statistics.stored(sum(whole) / len(whole)),
                items=_right(own.values()),
                twins=_right(of_twins.values()),
                overlapping=_right(groups[0]),
                others=_right(groups[1]),
                tests=[test for test in tests if test],
            )
        )
    return rows


def _paired_parts(against: str, own: dict[str, bool], other: dict[str, bool]) -> Difference | None:
    shared = sorted(own.keys() & other.keys())
    return paired(against, [[other[name]] for name in shared], [[own[name]] for name in shared])


def _right(outcomes: Iterable[bool]) -> Right | None:
    measured = shown.right(list(outcomes))
    return Right(**vars(measured)) if measured else None
