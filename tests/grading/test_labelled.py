"""The grader agrees with fixed verdicts, and the measured agreement is computed right."""

from mathledger.grading.grades import Grade
from mathledger.grading.judges import Judges
from tests.grading import measure


def test_every_labelled_case_gets_its_verdict(judges: Judges) -> None:
    cases = measure.read(measure.CASES)
    assert len(cases) >= 200 and len({case["kind"] for case in cases}) >= 20
    assert len({(c["answer_type"], c["reference"], c["response"]) for c in cases}) == len(cases)
    found = measure.agreement(cases, measure.grade(cases, judges))
    assert not found.disagreed_by_kind, found.line()


def test_accepted_and_refused_answers_are_counted_apart() -> None:
    verdicts = ["correct", "correct", "wrong", "no_answer", "wrong"]
    cases = [{"kind": verdict, "verdict": verdict} for verdict in verdicts]
    grades = [
        Grade("correct", "1"),
        Grade("wrong", "2", is_sure=False),
        Grade("correct", "3"),
        Grade("wrong", "4"),
        Grade("no_answer", None),
    ]
    found = measure.agreement(cases, grades)
    assert (found.num_agreed, found.num_accepted, found.num_refused) == (3, 1, 1)
    assert found.num_unsure == 1 and found.disagreed_by_kind == {"wrong": 1, "correct": 1}
    assert found.line().startswith("3 of 5 agreed: 60.0% [")
