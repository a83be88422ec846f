"""Practice problems: twins keep an item's template and change its numbers."""

import re

import pytest

from mathledger.core.errors import InputError
from mathledger.data import practice
from mathledger.data.practice import Problem
from mathledger.run import params

NUMBER = re.compile(r"\d+(?:\.\d+)?")
SEEDS = {"chain_sum": (900_000, 64), "gsm_symbolic": (910_000, 24)}


def pairs(task: str) -> list[tuple[Problem, Problem]]:
    seed, count = SEEDS[task]
    originals, twins = practice.problems(task, seed, count), practice.twins(task, seed, count)
    return list(zip(originals, twins, strict=True))


@pytest.mark.parametrize("task", SEEDS)
def test_a_twin_has_other_numbers_and_another_answer(task: str) -> None:
    found = pairs(task)
    for original, twin in found:
        assert NUMBER.findall(original.problem) != NUMBER.findall(twin.problem)
        assert original.answer != twin.answer
        assert twin.solution.endswith(f"\\boxed{{{twin.answer}}}.")
    texts = [item.problem for pair in found for item in pair]
    assert len(set(texts)) == len(texts)  # No twin equals another twin or any original.


def test_a_word_problems_twin_has_its_template() -> None:
    """Two items share most of their words only if they have the same template."""

    def likeness(left: Problem, right: Problem) -> float:
        one, other = (set(re.findall("[a-z]+", item.problem)) for item in (left, right))
        return len(one & other) / len(one | other)

    found = pairs("gsm_symbolic")
    for at, (original, twin) in enumerate(found):
        others = [likeness(original, other) for _, other in found[at + 1 :] + found[:at]]
        assert likeness(original, twin) > max(others)


def test_a_sums_twin_has_its_terms_digits_and_signs() -> None:
    for original, twin in pairs("chain_sum"):
        assert re.sub(r"\d", "#", original.problem) == re.sub(r"\d", "#", twin.problem)
        assert original.subsets == twin.subsets
        assert original.subsets["terms"] == str(len(NUMBER.findall(original.problem)))


def test_more_items_leave_the_first_twins_as_they_are() -> None:
    assert practice.twins("gsm_symbolic", 910_000, 9)[:4] == practice.twins(
        "gsm_symbolic", 910_000, 4
    )


def test_no_twin_stands_in_the_quickstarts_corpora() -> None:
    """Not even a planted row may be a twin: a twin in the training set would not be a control."""
    content = params.read()
    twins = {item.problem for item in practice.twins("gsm_symbolic", *SEEDS["gsm_symbolic"])}
    for name in content["corpus"]:
        source = params.load(f"corpus.{name}.source", practice.PracticeCorpus)
        rows = practice.corpus_rows(source)
        assert rows and twins.isdisjoint(row["problem"] for row in rows)
        assert not any(twin in row["problem"] for row in rows for twin in twins)


def test_a_benchmark_of_twins_holds_twins() -> None:
    fields = {"licence": "Apache-2.0", "task": "gsm_symbolic", "seed": 910_000, "num_items": 3}
    plain = practice.PracticeBenchmark("practice", **fields)
    twins = practice.PracticeBenchmark("practice", **fields, twins_of="gsm_symbolic")
    assert practice.benchmark_problems(plain) == practice.problems("gsm_symbolic", 910_000, 3)
    assert practice.benchmark_problems(twins) == practice.twins("gsm_symbolic", 910_000, 3)


def test_twins_of_another_seed_than_their_originals_are_refused() -> None:
    source = {"kind": "practice", "task": "gsm_symbolic", "seed": 910_000, "num_items": 24}
    benchmarks = {"a": {"source": source}, "b": {"source": source | {"twins_of": "a"}}}
    practice.expect_twins(benchmarks)
    benchmarks["b"]["source"]["seed"] = 5
    with pytest.raises(InputError, match=r"benchmark\.b\.source\.seed is 5, .* a, .* 910000"):
        practice.expect_twins(benchmarks)
    practice.expect_twins({"b": benchmarks["b"]})
