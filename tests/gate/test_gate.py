"""A rule breaks if the items show it, holds if they rule it out, and else says so."""

import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mathledger.cli import main
from mathledger.core.errors import InputError
from mathledger.core.tables import read_rows, write_rows
from mathledger.evaluation.samples import SAMPLE
from mathledger.evaluation.statistics import Interval
from mathledger.gate import compute, policy
from mathledger.gate.load import Measured, Scores
from mathledger.gate.policy import Rule
from tests.conftest import ROOT
from tests.states import Project, State, write_bytes

EXAM = Path("data/evaluate/tuned-exam/samples.parquet")
RULE = {"metric": "exam@tuned", "direction": "not_lower", "margin": 2, "confidence": 0.95}


def change(number: int, to: bool) -> None:
    """Change the verdict of the first responses that have the other one."""
    found = read_rows(EXAM)
    for row in [row for row in found if row["correct"] is not to][:number]:
        row |= {"correct": to, "verdict": "correct" if to else "wrong"}
    write_rows(EXAM, found, SAMPLE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a state before, one that is much worse, and one that is a little worse."""
    made = Project(tmp_path_factory.mktemp("project"))
    made.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", made.path)
    ignored = "data/\nlineage/*\n!lineage/model_card.json\n.dvc/cache/\n"
    (made.path / ".gitignore").write_text(ignored)
    for name, number, to in (("before", 0, True), ("worse", 20, False), ("slightly", 1, False)):

        def edit(state: State, name: str = name, number: int = number, to: bool = to) -> None:
            write_bytes(Path("data/model/tuned/model.safetensors"), name.encode())
            change(number, to)

        made.write(edit)
        made.git("tag", name)
    made.git("checkout", "--quiet", "before")
    return made


def gate(
    project: Project, capsys: pytest.CaptureFixture[str], *arguments: str, **rule: Any
) -> tuple[int, str, str]:
    """Run the command on one rule; return status, output and errors."""
    own = {key: value for key, value in (RULE | rule).items() if value is not None}
    file = project.path / "gate.yaml"
    file.write_text(yaml.safe_dump({"rules": [own]}))
    with contextlib.chdir(project.path):
        status = main(["gate", str(file), *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def verdict(project: Project, capsys: pytest.CaptureFixture[str], rev: str, **rule: Any) -> Any:
    options = ["--base", "before", "--revision", rev, "--json"]
    status, out, _ = gate(project, capsys, *options, **rule)
    (found,) = json.loads(out)["rules"]
    assert status == int(not found["passes"])
    return found["verdict"], found["passes"], found["rests_on"]


def test_a_clear_fall_breaks_the_rule_and_a_small_one_cannot_be_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(project, capsys, "before") == ("holds", True, "same responses")
    assert verdict(project, capsys, "worse") == ("broken", False, "paired by item")
    assert verdict(project, capsys, "slightly")[:2] == ("unsure", True)
    assert verdict(project, capsys, "slightly", when_unsure="fail")[:2] == ("unsure", False)
    assert verdict(project, capsys, "slightly", margin=30)[:2] == ("holds", True)
    assert verdict(project, capsys, "worse", margin=70)[:2] == ("holds", True)


def test_a_rise_must_be_shown(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(project, capsys, "before", direction="higher")[:2] == ("broken", False)
    status, out, _ = gate(
        project, capsys, "--base", "worse", "--json", direction="higher", margin=0
    )
    (found,) = json.loads(out)["rules"]
    assert (status, found["verdict"]) == (0, "holds")


def test_a_fixed_value_needs_no_base(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = gate(project, capsys, value=1)
    assert status == 0 and "holds" in out and "No failure among 1 rule." in out
    status, out, _ = gate(project, capsys, value=99.5)
    assert status == 1 and "BROKEN" in out and "1 of 1 rule failed." in out


def test_without_data_the_ledgers_counts_are_compared(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unpaired interval is wider, and the table says what it rests on."""
    cache = project.path / ".dvc/cache"
    cache.rename(project.path / "elsewhere")
    try:
        found = verdict(project, capsys, "worse")
        same = verdict(project, capsys, "before")
    finally:
        (project.path / "elsewhere").rename(cache)
    assert found[2] == "not paired: counts" and same[2] == "same responses"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"metric": "exam"}, "rules.0.metric: String should match"),
        ({"metric": "exam@nobody"}, "the ledger of before .* has no exam@nobody; it has "),
        ({"direction": "up"}, "rules.0.direction: Input should be 'not_lower' or 'higher'"),
        ({"margin": -1}, "rules.0.margin: Input should be greater than or equal to 0"),
        ({"confidence": 95}, "rules.0.confidence: Input should be less than 1"),
        ({"confidence": None}, "rules.0.confidence: missing key"),
        ({"margins": 2}, "rules.0.margins: unknown key"),
        ({"when_unsure": "warn"}, "rules.0.when_unsure: Input should be 'pass' or 'fail'"),
    ],
)
def test_a_wrong_policy_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], rule: dict[str, Any], said: str
) -> None:
    status, out, err = gate(project, capsys, "--base", "before", "--revision", "before", **rule)
    assert status == 2 and not out
    (line,) = err.splitlines()
    assert re.search(said, line), line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "does not exist: name a policy"),
        ("", "has no `rules`"),
        ("rules: []", "rules: List should have at least 1 item"),
        ("rules: [", "gate.yaml"),
        ("- a", "has no `rules`"),
        (yaml.safe_dump({"rules": [RULE]}), "exam@tuned is compared with a base revision: name it"),
    ],
)
def test_a_file_that_is_not_a_policy_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    file = project.path / "gate.yaml"
    file.unlink(missing_ok=True)
    if text is not None:
        file.write_text(text)
    with contextlib.chdir(project.path):
        assert main(["gate", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line, line


RULES = st.builds(
    Rule,
    metric=st.just("a@b"),
    direction=st.sampled_from(["not_lower", "higher"]),
    margin=st.integers(0, 20).map(float),
    confidence=st.just(0.95),
)
ENDS = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted)


@given(RULES, ENDS, st.floats(0, 0.5))
def test_a_higher_score_never_gets_a_worse_verdict(
    rule: Rule, ends: list[float], more: float
) -> None:
    order = ["broken", "unsure", "holds"]
    low, value, high = ends
    one = compute.verdict(rule, Interval(value, low, high))
    better = compute.verdict(rule, Interval(value + more, low + more, high + more))
    assert order.index(better) >= order.index(one)


def test_the_policy_of_this_project_is_sound() -> None:
    """The pull-request workflow checks it."""
    found = policy.read(ROOT / ".github/gate.yaml")
    benchmarks = yaml.safe_load((ROOT / "params.yaml").read_text())["benchmark"]
    assert {rule.benchmark for rule in found.rules} <= set(benchmarks)


def test_a_high_confidence_needs_the_responses() -> None:
    rule = Rule(metric="a@b", direction="not_lower", margin=0.0, confidence=0.99)

    class Repeated:
        accuracy, low, high = 0.5, 0.4, 0.6
        num_items, num_samples, num_correct = 10, 40, 20
        samples_sha256 = "x"

    measured: Any = Measured(Repeated(), "d", None)  # type: ignore[arg-type]
    other: Any = Measured(Repeated(), "e", None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="needs the responses, which are not in the cache"):
        compute.judge(rule, Scores(measured, other))
