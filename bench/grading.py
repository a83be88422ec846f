"""Compare the grader's speed and accuracy with math-verify alone.

    python -m bench.grading [CASES.jsonl] [--cases 1000]

CASES has the keys response, reference, answer_type and verdict (correct or wrong). The default is
the conformance cases of the test suite; we wrote these, so they show where the two differ, but not
how often. math-verify parses the response and the reference with its default settings.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import alternate, medians, options, report, run_main

CASES = Path("tests/grading/cases.jsonl")
LIMIT_S = 5


def ours(cases: list[dict[str, str]]) -> list[bool]:
    from mathledger.grading.judges import Judges

    work = [(each["response"], each["reference"], each["answer_type"]) for each in cases]
    with Judges(LIMIT_S, num_processes=1) as judges:
        return [grade.verdict == "correct" for grade in judges.grade(work)]


def math_verify(cases: list[dict[str, str]]) -> list[bool]:
    from math_verify import parse, verify

    return [
        bool(verify(parse(f"${each['reference']}$"), parse(each["response"]))) for each in cases
    ]


def timed(
    tool: Callable[[list[dict[str, str]]], list[bool]], cases: list[dict[str, str]]
) -> dict[str, float]:
    started = time.perf_counter()
    found = tool(cases)
    seconds = time.perf_counter() - started
    right = [
        is_correct == (case["verdict"] == "correct")
        for is_correct, case in zip(found, cases, strict=True)
    ]
    return {"answers_per_second": len(cases) / seconds, "agreement": sum(right) / len(right)}


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("file", {"type": Path, "nargs": "?", "default": CASES}),
        ("--cases", {"type": int, "default": 1000}),
    )
    lines = chosen.file.read_text(encoding="utf-8").splitlines()
    cases: list[dict[str, str]] = [json.loads(line) for line in lines]
    cases = cases[:: max(1, len(cases) // chosen.cases)]
    tools = {
        "mathledger": partial(timed, ours, cases),
        "math-verify": partial(timed, math_verify, cases),
    }
    runs = alternate(tools, chosen.rounds)
    found = {name: medians(each) for name, each in runs.items()}
    base = found["mathledger"]["answers_per_second"]
    rows: list[list[Any]] = [
        [
            name,
            own["answers_per_second"],
            own["answers_per_second"] / base,
            f"{own['agreement']:.1%}",
        ]
        for name, own in found.items()
    ]
    head = ["grader", "answers/s, one process", "times mathledger's", "agreement with the label"]
    report("grading", chosen, f"{len(cases):,} cases of {chosen.file.name}", head, rows, runs)


if __name__ == "__main__":
    run_main(main)
