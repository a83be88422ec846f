"""Measure how often the grader agrees with fixed verdicts.

    python -m tests.grading.measure [CASES.jsonl]

CASES has the keys kind, answer_type, reference, response and verdict. The default is
labelled.jsonl, cases of our own whose verdicts were written down before the grader ran on them.
Printed are the agreement with its 95% interval, wrong answers that were accepted, right ones that
were refused, and how many of the disagreements the grader itself calls unsure.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mathledger.evaluation import statistics
from mathledger.grading.grades import VERSION, Grade
from mathledger.grading.judges import Judges

CASES = Path("tests/grading/labelled.jsonl")
LIMIT_S = 5


@dataclass(frozen=True)
class Agreement:
    """How the grader's verdicts agree with the fixed ones."""

    num_cases: int
    num_agreed: int
    num_accepted: int  # wrong answers that the grader calls correct
    num_refused: int  # right answers that the grader does not call correct
    num_unsure: int  # disagreements that the grader calls unsure
    disagreed_by_kind: dict[str, int]

    def line(self) -> str:
        """Return the agreement as one line."""
        interval = statistics.accuracy([True] * self.num_agreed + [False] * self.num_disagreed)
        return (
            f"{self.num_agreed} of {self.num_cases} agreed: {interval.value:.1%} "
            f"[{interval.low:.1%}, {interval.high:.1%}]; wrong accepted {self.num_accepted}, "
            f"right refused {self.num_refused}, unsure {self.num_unsure}"
        )

    @property
    def num_disagreed(self) -> int:
        """Return the number of cases with another verdict."""
        return self.num_cases - self.num_agreed


def read(path: Path) -> list[dict[str, str]]:
    """Read the cases of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def grade(cases: Sequence[dict[str, str]], judges: Judges) -> list[Grade]:
    """Grade the responses of the cases."""
    return judges.grade(
        [(case["response"], case["reference"], case["answer_type"]) for case in cases]
    )


def agreement(cases: Sequence[dict[str, str]], grades: Sequence[Grade]) -> Agreement:
    """Compare the grades with the fixed verdicts; wrong and no answer both count as not correct."""
    pairs = list(zip(cases, grades, strict=True))
    accepted, refused = (
        [
            (case, found)
            for case, found in pairs
            if (case["verdict"] == "correct", found.verdict == "correct")
            == (is_right, not is_right)
        ]
        for is_right in (False, True)
    )
    disagreed = [*accepted, *refused]
    return Agreement(
        len(cases),
        len(cases) - len(disagreed),
        len(accepted),
        len(refused),
        sum(not found.is_sure for _, found in disagreed),
        dict(Counter(case.get("kind", "other") for case, _ in disagreed)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", type=Path, nargs="?", default=CASES)
    cases = read(parser.parse_args().cases)
    with Judges(LIMIT_S) as judges:
        found = agreement(cases, grade(cases, judges))
    print(f"grader {VERSION}, {len({case['kind'] for case in cases})} kinds")
    print(found.line())
    for kind, count in found.disagreed_by_kind.items():
        print(f"  {kind}: {count}")


if __name__ == "__main__":
    main()
