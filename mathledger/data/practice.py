"""Generate practice problems with worked solutions, in the columns of real corpora.

The problems come from reasoning-gym and from our own templates (word_problems.py). The quickstart
trains on them without any download, through the same mapping code as the real corpora. A corpus may
hold planted rows that a filter must find; their source column names the kind (PLANTED), so that the
card can show how many were found.

Item i of a seed depends only on the seed and on i: a longer corpus starts with the shorter one, and
two seeds whose distance exceeds the corpus size share no items.

A benchmark may have twins: twin i has the template and the difficulty of item i, but other numbers,
usually other names, and another answer (GSM-Symbolic, Mirzadeh et al. 2024).
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.data.word_problems import WordProblem, word_problem

PLANTED = ("planted_wrong_answer", "planted_leak", "planted_exact_copy", "planted_near_copy")

# The range of chain_sum is small enough for a 135M model to learn in minutes.
CONFIG: dict[str, dict[str, Any]] = {
    "chain_sum": {"min_terms": 2, "max_terms": 4, "min_digits": 1, "max_digits": 2},
    "gsm_symbolic": {},
}

# The module that registers each generator.
MODULES = {
    "chain_sum": "reasoning_gym.arithmetic.chain_sum",
    "gsm_symbolic": "reasoning_gym.arithmetic.gsm_symbolic.gsm_symbolic",
}

TaskName = Literal["chain_sum", "gsm_symbolic", "word_problems"]

# Twins are drawn with the item's seed plus a multiple of this step, which is beyond the seeds of
# all corpora. It takes 50 draws or more to find a sum of the same shape; another answer turns up at
# once.
TWIN_STEP = 1_000_000_000
MAX_DRAWS = 10_000


@dataclass(frozen=True, config=STRICT)
class Leak:
    seed: int = Field(description="Seed of the leaked benchmark.")
    num_items: int = Field(description="Number of the benchmark's first items to leak.")


@dataclass(frozen=True, config=STRICT)
class Copies:
    seed: int = Field(description="Seed of the copied corpus.")
    num_exact: int = Field(description="Number of first chain_sum problems to copy exactly.")
    num_near: int = Field(description="Number of first gsm_symbolic problems to copy reworded.")


@dataclass(frozen=True, config=STRICT)
class PracticeCorpus:
    kind: Literal["practice"] = Field(description="Problems generated on the spot.")
    schema: Literal["numinamath_cot", "openmathinstruct2"] = Field(
        description="Corpus whose column layout is used."
    )
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    seed: int = Field(description="Seed of the problems.")
    tasks: dict[TaskName, int] = Field(description="Number of problems to generate of each task.")
    num_wrong_answers: int = Field(
        default=0,
        description="Number of rows with a wrong answer to plant, for prepare to remove.",
    )
    leaks: dict[TaskName, Leak] = Field(
        default_factory=dict,
        description="Benchmark items to plant, by task, for decontaminate to remove.",
    )
    copies: Copies | None = Field(
        default=None,
        description=(
            "Copies of another corpus's problems to plant, for deduplicate to remove; null "
            "plants none."
        ),
    )


@dataclass(frozen=True, config=STRICT)
class PracticeBenchmark:
    kind: Literal["practice"] = Field(description="Problems generated on the spot.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    task: TaskName = Field(description="Generator of the problems.")
    seed: int = Field(description="Seed of the problems.")
    num_items: int = Field(description="Number of items to generate.")
    twins_of: str | None = Field(
        default=None,
        description=(
            "Benchmark that these items are twins of, with the same task, seed and size; null if "
            "they are not twins."
        ),
    )


@dataclass(frozen=True)
class Problem:
    problem: str
    solution: str  # The worked solution ends in \boxed{answer}.
    answer: str
    source: str
    subsets: dict[str, str]  # the number of terms of a sum, the kind of a word problem


def problems(task: str, seed: int, count: int) -> list[Problem]:
    """Return the first `count` problems of a seed."""
    draw = _drawing(task, seed, count)
    return [draw(index, 0) for index in range(count)]


def twins(task: str, seed: int, count: int) -> list[Problem]:
    """Return the twins of problems(task, seed, count) in order; no twin equals any problem."""
    draw = _drawing(task, seed, count)
    originals = [draw(index, 0) for index in range(count)]
    taken, twins = {item.problem for item in originals}, []
    for index, original in enumerate(originals):
        shape = _shape(original.problem) if task == "chain_sum" else None
        for number in range(1, MAX_DRAWS):
            twin = draw(index, number)
            is_alike = shape is None or _shape(twin.problem) == shape
            if is_alike and twin.answer != original.answer and twin.problem not in taken:
                break
        else:
            raise RuntimeError(f"found no twin of item {index} of {task}, seed {seed}")
        taken.add(twin.problem)
        twins.append(twin)
    return twins


def _drawing(task: str, seed: int, count: int) -> Callable[[int, int], Problem]:
    """Return a function that gives problem `index` of a seed (draw 0) or draws a twin of it."""
    if task == "word_problems":
        return lambda index, draw: _worded(word_problem(seed, index, draw))
    # The generator refuses a size of 0.
    generator: Any = _generator(task, seed, count) if count else None

    def draw_problem(index: int, draw: int) -> Problem:
        # The template of a word problem was fixed by the seed when the generator was made.
        generator.seed = seed + draw * TWIN_STEP
        return _problem(task, generator[index])

    return draw_problem


def benchmark_problems(source: PracticeBenchmark) -> list[Problem]:
    """Return the items of a practice benchmark, in the order of their numbers."""
    draw = twins if source.twins_of else problems
    return draw(source.task, source.seed, source.num_items)


def expect_twins(benchmarks: dict[str, Any]) -> None:
    """Raise InputError if a chosen benchmark and its chosen twins differ in their settings."""
    for name, benchmark in benchmarks.items():
        twins_of = benchmark["source"].get("twins_of")
        if twins_of not in benchmarks:
            continue
        for key in ("kind", "task", "seed", "num_items"):
            own, other = benchmark["source"][key], benchmarks[twins_of]["source"].get(key)
            if own != other:
                raise InputError(
                    f"benchmark.{name}.source.{key} is {own}, but {name} has the twins of "
                    f"{twins_of}, where it is {other}; make them equal"
                )


def _generator(task: str, seed: int, count: int) -> Any:
    """Make a generator of reasoning-gym, and import only its task's own modules.

    The package's __init__ imports every game, and with them packages that need a compiler
    (docs/decisions/0008-locks-and-wheels.md).

    Raises:
        ModuleNotFoundError: reasoning-gym is not installed.
    """
    for package in ("reasoning_gym", "reasoning_gym.arithmetic"):
        if package not in sys.modules:
            if not (spec := find_spec(package)):
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)
            sys.modules[package] = module_from_spec(spec)
    # coaching imports factory and factory imports coaching; only this order works.
    import_module("reasoning_gym.coaching")
    import_module(MODULES[task])
    factory = import_module("reasoning_gym.factory")
    return factory.create_dataset(task, seed=seed, size=count, **CONFIG[task])


def _problem(task: str, item: dict[str, Any]) -> Problem:
    solve = {"chain_sum": _running_sum, "gsm_symbolic": _chain_of_thought}[task]
    terms = item["metadata"].get("num_terms")
    subsets = {"terms": str(terms)} if terms else {}
    return Problem(item["question"], solve(item), item["answer"], task, subsets)


def _worded(item: WordProblem) -> Problem:
    subsets = {"kind": item.kind}
    return Problem(item.problem, item.solution, item.answer, "word_problems", subsets)


def _shape(problem: str) -> str:
    """Return a sum with every digit replaced by 0; signs and the numbers' lengths remain."""
    return re.sub(r"\d", "0", problem)


def corpus_rows(source: PracticeCorpus) -> list[dict[str, Any]]:
    """Return all rows of a practice corpus, in its schema's columns."""
    columns = {"numinamath_cot": _numinamath_cot, "openmathinstruct2": _openmathinstruct2}
    return [columns[source.schema](item) for item in _corpus_problems(source)]


def as_lines(rows: list[dict[str, Any]]) -> str:
    """Return rows as JSON Lines, as they are stored."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _corpus_problems(source: PracticeCorpus) -> Iterator[Problem]:
    for task, count in source.tasks.items():
        yield from problems(task, source.seed, count)
    # The offset is beyond the corpus's own items of the seed, so these are different problems.
    for item in problems("chain_sum", source.seed + 50_000, source.num_wrong_answers):
        wrong = str(int(item.answer) + 1)
        contradicted = f"{item.solution}\nThe answer is \\boxed{{{wrong}}}."
        yield replace(item, solution=contradicted, source="planted_wrong_answer")
    for task, leak in source.leaks.items():
        for item in problems(task, leak.seed, leak.num_items):
            yield replace(item, source="planted_leak")
    if source.copies:
        seed = source.copies.seed
        for item in problems("chain_sum", seed, source.copies.num_exact):
            yield replace(item, source="planted_exact_copy")
        for item in problems("gsm_symbolic", seed, source.copies.num_near):
            reworded = f"Solve this problem. {item.problem}"
            yield replace(item, problem=reworded, source="planted_near_copy")


def _numinamath_cot(item: Problem) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": item.problem},
        {"role": "assistant", "content": item.solution},
    ]
    return {
        "source": item.source,
        "problem": item.problem,
        "solution": item.solution,
        "messages": messages,
    }


def _openmathinstruct2(item: Problem) -> dict[str, Any]:
    return {
        "problem": item.problem,
        "generated_solution": item.solution,
        "expected_answer": item.answer,
        "problem_source": item.source,
    }


def _running_sum(item: dict[str, Any]) -> str:
    r"""Work a sum from left to right: 5 + 9 - 3 becomes 5 + 9 = 14, 14 - 3 = 11, \boxed{11}."""
    first, *rest = item["metadata"]["expression"].split()
    total, lines = int(first), []
    for sign, term in zip(rest[::2], rest[1::2], strict=True):
        new = total + int(term) if sign == "+" else total - int(term)
        lines.append(f"{total} {sign} {term} = {new}")
        total = new
    return "\n".join([*lines, f"The answer is \\boxed{{{total}}}."])


def _chain_of_thought(item: dict[str, Any]) -> str:
    steps, _, answer = item["metadata"]["answer_cot"].rpartition("\n#### ")
    return f"{steps}\nThe answer is \\boxed{{{answer}}}."
