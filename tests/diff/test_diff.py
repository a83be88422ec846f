"""`mathledger diff` reports exactly what a test changed and what followed from it."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.chain.chain import Chain
from mathledger.cli import main
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from mathledger.core.tables import Row, read_rows, write_rows
from mathledger.diff import rows
from mathledger.evaluation import statistics
from mathledger.evaluation.samples import SAMPLE
from tests.conftest import ROOT, Experiment
from tests.states import Project, State, new_project, rows_of, write_bytes, write_data

TUNED = Path("data/model/tuned/model.safetensors")
EXAM = Path("data/evaluate/tuned-exam/samples.parquet")
FLIPPED = 12  # of the 60 responses to exam
Found = dict[str, Any]


def flip() -> None:
    """Flip the verdicts and answers of the first wrong responses."""
    found = read_rows(EXAM)
    for row in [row for row in found if not row["correct"]][:FLIPPED]:
        said = {"extracted_answer": "4", "response": "It is 4."}
        row |= {"correct": True, "verdict": "correct", **said}
    write_rows(EXAM, found, SAMPLE)


def other_seed(state: State) -> None:
    """Train with another seed, which gives other weights and other responses."""
    state.settings["train"]["seed"] = 43
    write_bytes(TUNED, b"other")
    flip()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = new_project(tmp_path_factory.mktemp("project"))
    made.git("tag", "start")
    return made


@pytest.fixture(scope="module")
def seed(project: Project) -> str:
    """Return the commit of the state with another seed."""
    return project.write(other_seed)


@pytest.fixture(autouse=True)
def inside(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter the project with the files of the first state checked out."""
    project.git("checkout", "--quiet", "--force", "--detach", "start")
    monkeypatch.chdir(project.path)


@pytest.fixture
def text(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return what the command prints."""

    def run(*arguments: str) -> str:
        assert main(["diff", *arguments]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def found(text: Callable[..., str]) -> Callable[..., Found]:
    return lambda *arguments: json.loads(text(*arguments, "--json"))


@pytest.fixture
def error(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return the single error line for bad input."""

    def run(*arguments: str) -> str:
        assert main(["diff", *arguments]) == 2
        out, err = capsys.readouterr()
        assert not out
        assert err.startswith("mathledger diff: ")
        assert err.count("\n") == 1
        return err

    return run


def changed(entries: list[Found]) -> set[tuple[str, str]]:
    return {(each["kind"], each["key"]) for each in entries}


def responses(commit: str) -> list[Row]:
    """Return the tuned model's responses to exam in a state."""
    return read_rows(Chain.open(commit).cached(str(EXAM)))


def number(found: Found, name: str) -> Found:
    return next(e for e in found["numbers"] if f"{e['benchmark']}@{e['model']}" == name)


def test_a_state_does_not_differ_from_itself(
    text: Callable[..., str], found: Callable[..., Found]
) -> None:
    assert "No number differs" in text("start", "start")
    content = found("start", "workspace")
    assert content["b"]["commit"] is None
    for key in ("causes", "unexplained", "without_effect", "rows", "training", "weights"):
        assert content[key] == []
    assert all(each["test"] is None for each in content["numbers"])


def test_a_changed_param_is_the_cause_of_the_numbers_that_rest_on_it(
    seed: str, found: Callable[..., Found], text: Callable[..., str]
) -> None:
    content = found("start", seed)
    (cause,) = content["causes"]
    assert cause == {
        "kind": "params",
        "key": "train.seed",
        "a": 42,
        "b": 43,
        "stages": ["train"],
        "numbers": ["exam@tuned"],  # The other responses are the same.
    }
    assert content["unexplained"] == []
    assert [each["model"] for each in content["weights"]] == ["tuned"]
    first = text("start", seed).splitlines()[3]
    assert first.startswith("exam@tuned  ")
    assert first.endswith("; cause: params train.seed")


def test_the_difference_is_tested_by_item_and_adjusted_for_all_that_were_tested(
    seed: str, found: Callable[..., Found]
) -> None:
    """aime and secret were also asked again, of the other weights, with the same responses."""
    content = found("start", seed)
    own = number(content, "exam@tuned")
    before, after = ([row["correct"] for row in responses(each)] for each in ("start", seed))
    expected = statistics.compare(before, after)
    assert expected.num_gained == FLIPPED
    assert own["test"]["p_value"] == expected.p_value
    assert own["test"]["p_holm"] == min(1, 3 * expected.p_value)
    assert own["test"]["is_beyond_noise"]
    assert own["test"]["difference"]["value"] == expected.difference.value
    assert number(content, "aime@tuned")["test"]["p_value"] == 1
    assert number(content, "exam@base")["test"] is None


def test_flipped_responses_are_listed_with_both_verdicts(
    seed: str, found: Callable[..., Found], text: Callable[..., str]
) -> None:
    own = number(found("start", seed), "exam@tuned")["responses"]
    verdicts = {
        new["item_id"]: (old["verdict"], new["verdict"])
        for old, new in zip(responses("start"), responses(seed), strict=True)
        if old["correct"] != new["correct"]
    }
    assert verdicts == {
        each["item_id"]: (each["a"]["verdict"], each["b"]["verdict"]) for each in own["flips"]
    }
    assert own["num_texts_changed"] == FLIPPED
    assert f"and {FLIPPED - 5} more" in text("start", seed, "exam@tuned")


def test_a_difference_without_a_recorded_cause_is_called_that(
    project: Project, found: Callable[..., Found], text: Callable[..., str]
) -> None:
    commit = project.write(lambda state: flip())
    content = found("start", commit)
    assert content["causes"] == []
    assert content["unexplained"] == [{"stage": "evaluate@tuned-exam", "numbers": ["exam@tuned"]}]
    shown = text("start", commit)
    assert "cause: none recorded at evaluate@tuned-exam" in shown
    assert "packages and hardware are the same" in " ".join(shown.split())


def test_packages_and_hardware_are_causes_where_they_alone_changed(
    project: Project, found: Callable[..., Found]
) -> None:
    def change(state: State) -> None:
        state.packages = {"evaluate@tuned-exam": {"torch": "2.14.0"}}
        state.hardware = {"evaluate@tuned-exam": {"cpu": "another"}}
        flip()

    content = found("start", project.write(change))
    assert changed(content["causes"]) == {("packages", "torch"), ("hardware", "cpu")}
    assert content["unexplained"] == []


def test_a_change_that_gave_the_same_data_is_not_a_cause(
    project: Project, found: Callable[..., Found], text: Callable[..., str]
) -> None:
    def change(state: State) -> None:
        state.code = {"stages/prepare.py": "with a comment", "stages/train.py": "other"}
        state.revision = "1" * 40
        write_bytes(TUNED, b"other")
        flip()

    commit = project.write(change)
    content = found("start", commit)
    assert changed(content["causes"]) == {("code", "stages/train.py")}
    assert f"git diff {'0' * 10} {'1' * 10} -- stages/train.py" in text("start", commit)
    (idle,) = content["without_effect"]
    assert (idle["key"], idle["stages"]) == ("stages/prepare.py", ["prepare@web", "prepare@books"])


def lose(state: State) -> None:
    """The filter removes three rows of web: two are the same problem, one is rephrased."""
    state.settings["decontaminate"]["thresholds"]["rephrase"] = 0.5
    evidence = {"class": "same", "benchmark": "exam", "item_id": "exam-003", "containment": 1.0}
    lost = {f"web-00{number}": ("same", evidence) for number in (5, 7)}
    write_data(lost | {"web-009": ("rephrase", evidence)})
    write_bytes(TUNED, b"other")
    flip()


def test_rows_are_followed_from_where_they_went_with_reason_and_evidence(
    project: Project, found: Callable[..., Found], text: Callable[..., str]
) -> None:
    commit = project.write(lose)
    content = found("start", commit)
    kept, mixed = content["rows"]
    assert (kept["file"], kept["num_a"] - kept["num_b"]) == ("data/decontaminate/kept.parquet", 3)
    assert (kept["num_gained"], kept["lost_by"]) == (0, {"same": 2, "rephrase": 1})
    first = kept["examples"][0]
    assert first["problem"] == next(r for r in rows_of("web") if r["id"] == "web-005")["problem"]
    assert first["evidence"]["item_id"] == "exam-003"
    assert (mixed["file"], mixed["lost_by"]) == ("data/mix/train.parquet", {"not in its input": 3})
    assert changed(content["causes"]) == {("params", "decontaminate.thresholds.rephrase")}
    # In the other direction they are gained, and A says why they were missing.
    back = found(commit, "start")["rows"][0]
    assert (back["num_lost"], back["gained_by"]) == (0, {"same": 2, "rephrase": 1})
    shown = text("start", commit)
    assert shown.index("CAUSES") < shown.index("ROWS") < shown.index("RESPONSES")
    assert "benchmark exam, item_id exam-003" in shown


def test_nothing_of_a_private_benchmark_is_shown_but_ids_and_verdicts(
    project: Project, text: Callable[..., str]
) -> None:
    def change(state: State) -> None:
        lose(state)
        state.settings["benchmark"]["exam"]["source"] = {"private": True}

    shown = text("start", project.write(change), "--json")
    assert "What is" not in shown
    assert '"extracted_answer": ' not in shown
    assert '"verdict": "correct"' in shown


def test_other_items_are_compared_unpaired_and_it_says_so(
    project: Project, found: Callable[..., Found], text: Callable[..., str]
) -> None:
    def change(state: State) -> None:
        receipt = Path("data/download_benchmark/exam/receipt.json")
        write_json(receipt, read_json(receipt) | {"items_digest": "e" * 32, "revision": "4567"})
        flip()

    commit = project.write(change)
    content = found("start", commit)
    own = number(content, "exam@tuned")
    scores = [statistics.Interval(*(own[s][k] for k in ("accuracy", "low", "high"))) for s in "ba"]
    expected = statistics.gap(*scores)
    assert own["test"]["difference"]["low"] == expected.low
    assert not own["test"]["is_paired"]
    assert ("data", "benchmarks.exam.revision") in changed(content["causes"])
    assert "the benchmark's items are not the same" in text("start", commit)


def drop_exam(state: State) -> None:
    del state.settings["benchmark"]["exam"]


def test_a_benchmark_of_one_side_is_named_and_cannot_be_asked_for(
    project: Project, found: Callable[..., Found], error: Callable[..., str]
) -> None:
    commit = project.write(drop_exam)
    assert found("start", commit)["only_in_a"] == ["exam@base", "exam@tuned"]
    assert {each["benchmark"] for each in found("start", commit)["numbers"]} == {"aime", "secret"}
    assert f"{commit} has no number for exam; it has aime, secret" in error("start", commit, "exam")
    assert "has no number for exam@other; it has exam@base" in error("start", commit, "exam@other")


def test_a_card_is_compared_by_what_its_ledger_holds(
    project: Project,
    seed: str,
    tmp_path: Path,
    found: Callable[..., Found],
    text: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for commit, name in (("start", "one"), (seed, "other")):
        (tmp_path / name).mkdir()
        for file in ("ledger.json", "README.md"):
            shown = project.git("show", f"{commit}:model_card/{file}")
            (tmp_path / name / file).write_text(shown + "\n")
    content = found(seed, str(tmp_path / "one"))
    own = number(content, "exam@tuned")
    assert (own["test"]["is_paired"], own["test"]["reason"]) == (
        False,
        "a card holds no responses",
    )
    assert changed(content["causes"]) == {("params", "train.seed")}
    monkeypatch.chdir(tmp_path)  # This is outside any project.
    both = [text("one", f"other/{file}") for file in ("", "ledger.json", "README.md")]
    assert len({shown.split("\n", 2)[2] for shown in both}) == 1
    assert "train.seed: 42 -> 43" in both[0]


def test_cards_of_no_use_are_refused_in_one_line(
    project: Project, tmp_path: Path, error: Callable[..., str]
) -> None:
    card = tmp_path / "README.md"
    for content in (b"caf\xe9", b"<!DOCTYPE html><html></html>", b"| 1 | 2 |\n" * 500_000):
        card.write_bytes(content)
        assert f"{card} has no ledger.json next to it" in error("start", str(card))
    ledger = tmp_path / "ledger.json"
    statement = read_json(project.path / "model_card/ledger.json")
    ledger.write_text(json.dumps(statement))
    assert "is not the card that the ledger next to it covers" in error("start", str(card))
    ledger.write_text(json.dumps(statement | {"predicateType": "https://slsa.dev/provenance/v1"}))
    assert "slsa.dev" in error("start", str(tmp_path))
    ledger.write_text(json.dumps(statement["predicate"]))  # The old form.
    assert "is not a statement about a ledger" in error("start", str(ledger))
    del statement["predicate"]["benchmarks"][0]["models"]["base"]["accuracy"]
    ledger.write_text(json.dumps(statement))
    assert "benchmarks.0.models.base.accuracy: missing key" in error("start", str(ledger))
    for content in (b"caf\xe9", b"<html>", b"[" * 5_000_000):
        ledger.write_bytes(content)
        assert "is not valid JSON" in error("start", str(ledger))
    assert "does not exist" in error("start", "no/such/README.md")


def test_names_that_stand_for_nothing_or_for_two_states_are_refused(
    project: Project, seed: str, error: Callable[..., str], found: Callable[..., Found]
) -> None:
    start = project.git("rev-parse", "start")
    assert "names no revision and no experiment" in error("start", "nowhere")
    project.git("update-ref", f"refs/exps/aa/{start}/warm", seed)
    assert found("start", "warm")["b"]["commit"] == seed
    project.git("update-ref", f"refs/exps/bb/{seed}/warm", start)
    assert "warm names 2 experiments" in error("start", "warm")
    (project.path / "start").mkdir()
    assert "start is both a path and a revision: write ./start" in error("start", seed)
    (project.path / "start").rmdir()


def test_what_is_not_in_the_cache_is_asked_of_dvc_pull(
    project: Project, seed: str, error: Callable[..., str]
) -> None:
    file = Chain.open(seed).cached(str(EXAM))
    aside = file.rename(file.with_suffix(".aside"))
    assert f"run `dvc pull` in a checkout of {seed}" in error("start", seed)
    aside.rename(file)


def test_a_ledger_of_another_run_than_the_lock_is_refused(
    project: Project, seed: str, error: Callable[..., str]
) -> None:
    project.git("checkout", "--quiet", seed, "--", "dvc.lock")
    assert "belongs to another run of evaluate@tuned-exam than dvc.lock" in error(seed, "workspace")


def test_a_shallow_clone_says_what_it_lacks(
    project: Project,
    seed: str,
    tmp_path: Path,
    error: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.git("checkout", "--quiet", seed)
    project.git("clone", "--quiet", "--depth", "1", f"file://{project.path}", str(tmp_path / "new"))
    monkeypatch.chdir(tmp_path / "new")
    assert "this clone is shallow: `git fetch --unshallow`" in error("HEAD~1", "HEAD")


def test_states_that_do_not_differ_are_compared_without_heavy_imports(project: Project) -> None:
    code = (
        "import sys; from mathledger.cli import main; main(['diff', 'start', 'start']); "
        "print([m for m in ('scipy', 'pandas', 'dvc', 'mlflow', 'torch') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=project.path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.endswith("[]\n")


def test_the_walk_finds_what_two_multisets_do_not_share() -> None:
    draw = random.Random(0)
    for _ in range(200):
        old, new = (sorted(draw.choices("abcdefgh", k=draw.randrange(9))) for _ in range(2))
        walked = list(rows.walk(old, new))
        assert Counter(row for row, is_gained in walked if is_gained) == Counter(new) - Counter(old)
        assert Counter(row for row, is_gained in walked if not is_gained) == (
            Counter(old) - Counter(new)
        )
        assert [row for row, _ in walked] == sorted(row for row, _ in walked)


def test_ids_out_of_order_are_an_error_and_no_wrong_count(tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    pq.write_table(pa.table({"id": ["a", "b", "c", "b"]}), path, row_group_size=3)
    with pytest.raises(InputError, match="ids are not sorted"):
        list(rows.ids(path))


def test_an_experiment_differs_in_what_it_was_run_with(faster: Experiment) -> None:
    """This runs the real pipeline through `dvc exp run`."""
    workspace = faster.workspace
    shown = workspace.python("-m", "mathledger", "diff", "HEAD", "fast", "--json")
    content = json.loads(shown)
    every = [*content["causes"], *content["without_effect"]]
    assert changed(every) == {("params", "train.learning_rate")}
    assert [each["model"] for each in content["weights"]] == ["tuned"]
    assert {each["key"] for each in content["training"]} >= {"training.last_loss"}
    assert content["rows"] == []
    base = number(content, "tiny_chain_sum@base")
    assert base["has_same_responses"]
    assert base["test"] is None
    text = workspace.python("-m", "mathledger", "diff", "HEAD", "fast")
    assert "weights of tuned" in text
