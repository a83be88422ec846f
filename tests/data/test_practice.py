"""Practice problems: twins keep an item's template and change its numbers."""

import hashlib
import re
import subprocess
import sys

import pytest

from mathledger.core.errors import InputError
from mathledger.data import practice
from mathledger.data.practice import Problem
from mathledger.data.word_problems import KINDS, NAMES, THINGS
from mathledger.run import params

NUMBER = re.compile(r"\d+(?:\.\d+)?")
ANIMALS = ("cows", "sheep", "goats", "horses", "hens", "ducks", "geese", "turkeys")
CONSTANTS = {"2", "4", "5", "10", "60", "1", "3"}  # legs, cents of a coin, minutes, hours between
WHOLE_PACKAGE = {
    "chain_sum": "287787ddf9badfd3c7eb0f0e63b6e60820a3f800345fdb04263772bbd162727e",
    "gsm_symbolic": "d6bac6401eb77899ac27c267a4bcfbdc89f8a99768b956bc3bf574d2cad48061",
}
SEEDS = {
    "chain_sum": (900_000, 64),
    "gsm_symbolic": (910_000, 24),
    "word_problems": (920_000, 200),
}


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


def test_word_problems_take_turns_and_a_twin_has_its_kind_and_wording() -> None:
    found = pairs("word_problems")
    kinds = [original.subsets["kind"] for original, _ in found]
    assert kinds[: len(KINDS)] == list(KINDS) and kinds[len(KINDS)] == kinds[0]
    for original, twin in found:
        assert original.subsets == twin.subsets
        texts = [
            re.sub(r"\b(" + "|".join(NAMES + THINGS + ANIMALS) + r")\b|\d+", "_", item.problem)
            for item in (original, twin)
        ]
        assert texts[0] == texts[1]


@pytest.mark.parametrize("seed", [100_000, 200_000, 920_000])
def test_worked_steps_of_word_problems_are_right_and_use_the_numbers_of_the_problem(
    seed: int,
) -> None:
    problems = practice.problems("word_problems", seed, 240)
    assert problems[:50] == practice.problems("word_problems", seed, 50)
    assert len({item.problem for item in problems}) == len(problems)
    for item in problems:
        *steps, last = item.solution.splitlines()
        results = []
        for step in steps:
            left, right = step.split(" = ")
            assert eval(left) == int(right) >= 0
            given = {number.lstrip("0") or "0" for number in NUMBER.findall(item.problem)}
            assert set(NUMBER.findall(left)) <= given | {*results} | CONSTANTS, item
            results.append(right)
        assert results[-1] == item.answer and last == f"The answer is \\boxed{{{item.answer}}}."


def test_a_sums_twin_has_its_terms_digits_and_signs() -> None:
    for original, twin in pairs("chain_sum"):
        assert re.sub(r"\d", "#", original.problem) == re.sub(r"\d", "#", twin.problem)
        assert original.subsets == twin.subsets
        assert original.subsets["terms"] == str(len(NUMBER.findall(original.problem)))


def test_more_items_leave_the_first_twins_as_they_are() -> None:
    assert practice.twins("gsm_symbolic", 910_000, 9)[:4] == practice.twins(
        "gsm_symbolic", 910_000, 4
    )


def test_no_twin_is_in_the_quickstarts_corpora() -> None:
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


def test_problems_are_those_of_the_whole_package() -> None:
    """Digests made with all of reasoning-gym imported, as `import reasoning_gym` does."""
    seeds = (0, 1, 2, 7, 42, 1000, 100_000, 200_000, 150_000, 250_000, 900_000, 910_000, 123456789)
    for task, digest in WHOLE_PACKAGE.items():
        found = hashlib.sha256()
        for seed in seeds:
            for item in practice.problems(task, seed, 120) + practice.twins(task, seed, 40):
                found.update(repr(item).encode())
        assert found.hexdigest() == digest


@pytest.mark.parametrize("task", practice.MODULES)
def test_no_game_of_the_package_is_imported(task: str) -> None:
    """Each task can be the first of a process. With the games would come pycosat, which needs a
    compiler.
    """
    code = f"import sys; from mathledger.data.practice import problems; problems({task!r}, 0, 1)"
    code += "; print(*(name for name in sys.modules if name.startswith('reasoning_gym.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[1] for name in done.stdout.split()} == {
        "arithmetic",
        "coaching",
        "composite",
        "dataset",
        "factory",
        "utils",
        "version_manager",
    }
