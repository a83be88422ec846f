"""Finished trainings become lines of a committed file, from which the card states the spread."""

import contextlib
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger import replicate
from mathledger.card import card, replicates
from mathledger.card.ledger import Ledger
from mathledger.card.ledger_replicates import Replicate
from mathledger.card.replicates import Counts
from mathledger.chain.chain import Chain
from mathledger.cli import main
from mathledger.core.errors import InputError
from mathledger.core.tables import read_rows, write_rows
from mathledger.evaluation import reruns
from mathledger.evaluation.reruns import Rerun
from mathledger.evaluation.samples import SAMPLE
from mathledger.replicate import experiments
from mathledger.verify import trainings
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project as VerifyProject
from tests.conftest import ROOT
from tests.states import SETTINGS, Project, State, new_project, write_bytes

EXAM = Path("data/evaluate/tuned-exam/samples.parquet")


def trained(seed: int, num_flipped: int, code: str = "") -> Any:
    """Return a change of a state: another seed, and other responses."""

    def change(state: State) -> None:
        state.settings["train"]["seed"] = seed
        write_bytes(Path("data/model/tuned/model.safetensors"), str(seed).encode())
        if code:
            state.code["stages/train.py"] = code
        found = read_rows(EXAM)
        for row in [row for row in found if not row["correct"]][:num_flipped]:
            row |= {"correct": True, "verdict": "correct"}
        write_rows(EXAM, found, SAMPLE)

    return change


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path)


def add(project: Project, name: str, change: Any) -> str:
    """Write an experiment as DVC keeps it, and return to the state before."""
    base = project.git("rev-parse", "HEAD")
    commit = project.write(change)
    project.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    project.git("reset", "--quiet", "--hard", base)
    return commit


def collect(project: Project, *arguments: str) -> int:
    with contextlib.chdir(project.path):
        return main(["replicate", "--collect", *arguments])


def ledger(project: Project) -> Ledger:
    """Write the card of the project as it is now, and return its ledger."""
    project.write()
    with contextlib.chdir(project.path):
        return Chain.open().ledger


@pytest.mark.slow
def test_the_card_states_the_spread_of_finished_trainings(project: Project) -> None:
    alone = ledger(project)
    assert alone.replicates is None
    shown = " ".join(card.text(alone).split())
    assert "The spread over trainings is unknown" in shown and "mathledger replicate" in shown

    commits = [add(project, f"replicate-{n}", trained(100 + n, 3 * n)) for n in (1, 2, 3)]
    add(project, "other", trained(7, 1))
    assert collect(project) == 0
    own = ledger(project)
    found = own.replicates
    assert found and [each.commit for each in found.trainings] == commits
    assert found.num_with_other_inputs == 0
    assert [each.seeds["train.seed"] for each in found.trainings] == [101, 102, 103]
    (exam,) = (each for each in found.spreads if each.benchmark == "exam")
    (entry,) = (each for each in own.benchmarks if each.benchmark == "exam")
    score = entry.models["tuned"]
    right = [score.num_correct + more for more in (0, 3, 6, 9)]
    assert exam.scores == pytest.approx([each / score.num_samples for each in right], abs=1e-8)
    assert exam.mean == pytest.approx(sum(right) / 4 / score.num_samples, abs=1e-8)
    assert exam.low is not None and exam.high is not None and exam.low < exam.mean < exam.high
    text = card.text(own)
    assert re.search(r"\| exam \| 4 \| \d+ \[", text.replace("\u00a0", " "))
    assert "`mix.seed` and `train.seed`" in " ".join(text.split())


def test_other_params_or_other_code_do_not_count(project: Project) -> None:
    def other_rate(state: State) -> None:
        trained(102, 3)(state)
        state.settings["train"]["learning_rate"] = 0.5

    add(project, "replicate-1", trained(101, 3, code="edited"))
    add(project, "replicate-2", other_rate)
    assert collect(project) == 0
    own = ledger(project)
    assert own.replicates
    assert (own.replicates.num_with_other_inputs, own.replicates.trainings) == (1, [])
    assert "1 training with these params had other rows or code" in " ".join(card.text(own).split())


@pytest.mark.slow
def test_collecting_again_changes_nothing_and_newer_code_replaces_older(project: Project) -> None:
    file = project.path / replicates.FILE
    add(project, "replicate-1", trained(101, 3, code="old"))
    add(project, "replicate-2", trained(102, 3, code="old"))
    collect(project)
    once = file.read_bytes()
    collect(project)
    assert file.read_bytes() == once and once.count(b"\n") == 2
    add(project, "again-1", trained(103, 3, code="new"))
    collect(project, "--name", "again")
    assert [each.seeds["train.seed"] for each in replicates.read(file)] == [103]


def test_without_experiments_the_error_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collect(project) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no finished experiments replicate-1, replicate-2, ...: `dvc queue status`" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "replicates.jsonl:1 is not a JSON object"),
        ("[]", "replicates.jsonl:1 is not a JSON object"),
        ('{"experiment": "a"}', "replicates.jsonl:1: commit: missing key"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "replicates.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        replicates.read(file)


def test_seeds_do_not_change_the_digest_and_everything_else_does() -> None:
    settings = json.loads(json.dumps(SETTINGS))
    digest = replicates.params_digest(settings)
    for key in replicates.seeds(settings):
        section, name = key.split(".")
        settings[section][name] += 1
    assert replicates.params_digest(settings) == digest
    assert set(replicates.seeds(settings)) == {"mix.seed", "train.seed"}  # greedy responses
    settings["model_card"]["name"] = "another name"
    assert replicates.params_digest(settings) == digest
    settings["deduplicate"]["seed"] += 1
    assert replicates.params_digest(settings) != digest
    settings["evaluate"]["temperature"] = 0.7
    assert "evaluate.seed" in replicates.seeds(settings)


def test_what_ends_before_the_mix_counts_by_its_rows_alone(project: Project) -> None:
    own = ledger(project)
    digest = replicates.inputs_digest(own.code, own.stages)
    others = ["mathledger/filters/overlap.py", "mathledger/text/lexer.py"]
    for path in [*own.code, *others, "conf/decontaminate/reviewed.jsonl"]:
        is_before = path.startswith(
            ("conf/", "mathledger/filters/", "mathledger/text/")
        ) or path in (
            "stages/prepare.py",
            "stages/deduplicate.py",
            "stages/decontaminate.py",
            "stages/download_corpus.py",
            "stages/download_benchmark.py",
            "stages/download_model.py",
        )
        changed = replicates.inputs_digest(own.code | {path: "0" * 32}, own.stages)
        assert (changed == digest) == (is_before and path != "mathledger/filters/mix.py"), path
    for stage, path in (("mix", "data/decontaminate/kept.parquet"), ("train", "data/model/base")):
        other = own.stages | {stage: own.stages[stage] | {path: "0" * 32}}
        assert replicates.inputs_digest(own.code, other) != digest
    mixed = own.stages | {"train": own.stages["train"] | {"data/mix": "0" * 32}}  # another seed
    assert replicates.inputs_digest(own.code, mixed) == digest


@pytest.mark.slow
def test_names_and_seeds_count_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    first = experiments.plan(project.path, "replicate", 2, ["experiment=smoke"])
    assert [each.name for each in first] == ["replicate-1", "replicate-2"]
    assert all(each.overrides[0] == "experiment=smoke" for each in first)
    add(project, "replicate-2", trained(101, 3))
    (next_one,) = experiments.plan(project.path, "replicate", 1, ["experiment=smoke"])
    assert next_one.name == "replicate-3"
    head = project.git("rev-parse", "HEAD")
    queue = f"commit: dvc-exp:{head}:{head}:replicate-4"
    project.git("update-ref", "--create-reflog", "-m", queue, "refs/exps/celery/stash", head)
    (after_queued,) = experiments.plan(project.path, "replicate", 1, ["experiment=smoke"])
    assert after_queued.name == "replicate-5"
    assert collect(project) == 0
    for ref in project.git("for-each-ref", "--format=%(refname)", "refs/exps").split():
        project.git("update-ref", "-d", ref)  # as in a clone, which has only what is committed
    (after_recorded,) = experiments.plan(project.path, "replicate", 1, ["experiment=smoke"])
    assert after_recorded.name == "replicate-3"
    seen = [tuple(each.overrides) for each in (*first, next_one)]
    assert len(set(seen)) == 3
    with pytest.raises(InputError, match="replicate chooses this seed"):
        experiments.plan(project.path, "replicate", 1, ["train.seed=3"])
    with pytest.raises(InputError, match="use letters, digits"):
        experiments.plan(project.path, "a b", 1, [])


def test_the_card_states_the_noise_of_reruns_of_its_own_responses(project: Project) -> None:
    assert "Noise of a rerun" in card.text(ledger(project))
    own = ledger(project)
    digest = own.benchmarks[0].models["tuned"].samples_sha256
    with contextlib.chdir(project.path):
        reruns.FILE.parent.mkdir(parents=True, exist_ok=True)
        for samples in (digest, "0" * 64):
            content = dict.fromkeys(Rerun.model_fields, 3) | {"dtype": "float32", "gpus": []}
            text = {"model": "tuned", "benchmark": "exam", "backend": "hf", "cpu": "A|B"}
            with reruns.FILE.open("a") as file:
                print(json.dumps(content | text | {"samples_sha256": samples}), file=file)
    own = ledger(project)
    assert [each.samples_sha256 for each in own.reruns] == [digest]
    shown = " ".join(card.text(own).split())
    assert "tuned on exam: 3 of 3 equal, 100.0% of the characters precede a difference" in shown


def test_dvc_is_given_the_name_and_the_seeds(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--run` runs in a copy and collects; without it the experiments are queued."""
    calls: list[tuple[str, ...]] = []

    def dvc(*arguments: str) -> int:
        calls.append(arguments)
        return int(len(calls) == 3)

    monkeypatch.setattr(experiments, "dvc", dvc)
    monkeypatch.setattr(replicate.git, "root", lambda: ROOT)
    options = ["-n", "2", "-S", "experiment=smoke", "--name", "never"]
    assert main(["replicate", *options]) == 0
    first, second = calls
    assert first[:5] == ("exp", "run", "--name", "never-1", "--queue")
    assert second[3] == "never-2" and first[5:7] == ("-S", "experiment=smoke")
    assert {each for each in first if ".seed=" in each}.isdisjoint(second)
    assert "mathledger replicate --collect --name never" in capsys.readouterr().out
    assert main(["replicate", "--run", *options]) == 2
    assert "--temp" in calls[2] and len(calls) == 3
    assert "`dvc exp run` of never-1 failed" in capsys.readouterr().err


@pytest.mark.slow
def test_verify_compares_the_lines_with_the_experiments_that_are_here(project: Project) -> None:
    add(project, "replicate-1", trained(101, 3))
    add(project, "replicate-2", trained(102, 6))
    collect(project)
    file = project.path / replicates.FILE

    def verified() -> tuple[list[str], str]:
        with contextlib.chdir(project.path):
            checking = trainings.trainings(VerifyProject(Chain.open(), VerifyOptions()))
            reasons = []
            while True:
                try:
                    reasons.append(next(checking))
                except StopIteration as stop:
                    return reasons, stop.value

    assert verified() == ([], "2 of 2 trainings with other seeds are in this clone, and agree")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["scores"]["exam"]["num_correct"][0] ^= 1
    lines[1]["seeds"]["train.seed"] = 7
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    reasons, _ = verified()
    assert [re.sub(".*: ", "", each) for each in reasons] == [
        "scores of replicate-1 differs from its commit's ledger",
        "seeds of replicate-2 differs from its commit's ledger",
    ]
    lines[0]["commit"], lines[1]["commit"] = "0" * 40, "1" * 40
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    here = "0 of 2 trainings with other seeds are in this clone, and agree"
    assert verified() == ([], f"{here}; the card counts 2 others, taken as stored")
    lines[1]["seeds"] = lines[0]["seeds"]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert verified()[0] == [f"{replicates.FILE}: the card counts 2 trainings with the same seeds"]
    for line in lines:
        line["params_sha256"] = "0" * 64  # of other params, so the card does not count them
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert verified() == ([], here)


OWN = {"mix.seed": 0, "train.seed": 0}
FEW = st.sampled_from(["0", "1", "2"])


@given(st.lists(st.tuples(st.permutations([*OWN]), FEW, FEW, FEW, FEW), max_size=4))
def test_trainings_of_one_run_are_named_however_they_are_written(
    lines: list[tuple[list[str], str, str, str, str]],
) -> None:
    """The order of the seeds in a line does not make another training of it."""
    counted = [
        Replicate(
            experiment=f"replicate-{number}",
            commit=commit * 40,
            seeds={key: int({"mix.seed": mix, "train.seed": train}[key]) for key in order},
            ledger_sha256=digest * 64,
        )
        for number, (order, mix, train, commit, digest) in enumerate(lines)
    ]
    facts = [(each.commit, each.ledger_sha256, each.seeds) for each in counted]
    is_repeated = any(
        one[kind] == other[kind] for one, other in combinations(facts, 2) for kind in range(3)
    )
    assert bool(list(trainings.repeated(counted, OWN))) == is_repeated


@pytest.mark.parametrize("seeds", [{"train.seed": 1}, {**OWN, "evaluate.seed": 5}, {}])
def test_a_training_with_other_seeds_than_the_params_have_is_named(seeds: dict[str, int]) -> None:
    """With a seed more, this training itself would pass for another."""
    line = Replicate(experiment="own", commit="0" * 40, seeds=seeds, ledger_sha256="0" * 64)
    (reason,) = trainings.repeated([line], OWN)
    assert "own has the seeds" in reason and "the params have mix.seed, train.seed" in reason


def test_a_rerun_counts_once(project: Project) -> None:
    own = ledger(project)
    content = dict.fromkeys(Rerun.model_fields, 1) | {"dtype": "float32", "gpus": []}
    content |= {"model": "tuned", "benchmark": "exam", "backend": "hf", "cpu": "A"}
    content["samples_sha256"] = own.benchmarks[0].models["tuned"].samples_sha256
    with contextlib.chdir(project.path):
        reruns.FILE.parent.mkdir(parents=True, exist_ok=True)
        for batches in ([1, 2], [1, 1], [2, 1, 2, 2]):
            lines = [json.dumps(content | {"batch_size": size}) for size in batches]
            reruns.FILE.write_text("".join(f"{line}\n" for line in lines))
            checking = trainings.trainings(VerifyProject(Chain.open(), VerifyOptions()))
            twice = [each for each in checking if "of the same conditions" in each]
            most = max(batches.count(size) for size in batches)
            found = [f"tuned on exam has {most} lines"] if most > 1 else []
            assert [each.partition(": ")[2].partition(" of the")[0] for each in twice] == found


@given(st.lists(st.integers(0, 4), max_size=4), st.integers(1, 4))
def test_more_correct_responses_than_responses_are_one_line(right: list[int], repeats: int) -> None:
    """Such a line would put a score above 100% on the card."""
    content = {"items_digest": "0", "num_repeats": repeats, "num_correct": right}
    if max(right, default=0) <= repeats:
        assert Counts.read(content, "FILE:1").content() == content
        return
    with pytest.raises(InputError, match=r"FILE:1: .*an item has . correct responses") as error:
        Counts.read(content, "FILE:1")
    assert "\n" not in str(error.value)
