"""A file that no stage made does not pass for a result."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.chain.chain import Chain
from mathledger.verify import digests
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

LEFT = "metrics/evaluate/tuned-champ.json"  # of earlier params; DVC keeps its entry
STRANGERS = [
    "metrics/evaluate/tuned-aime26.json", "metrics/train.json.partial", "data/train/proof.txt",
    "data/train/a/b.csv", "data/RESULTS.md", "data/evaluate/tuned-aime26/samples.parquet",
    "lineage/audit.json", "lineage/.notes", "lineage/evaluate/tuned-aime26.json",
]  # fmt: skip
# What a killed run, a file manager or git leaves is no result.
LEFT_BEHIND = ["data/mix.partial/train.parquet", "lineage/mix.json.partial", "data/.DS_Store"]
# Any path, of names that are special somewhere.
NAMES = st.sampled_from(
    ["a", ".a", "b.json", "train", "evaluate", "model_card.json", "receipt.json", "~", "x.swp"]
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with a training and an evaluation, as far as the lock and files tell."""
    monkeypatch.chdir(tmp_path)
    made = {
        "train": ["metrics/train.json", "data/train", "lineage/train.json", "lineage/train.csv"],
        "evaluate@tuned-champ": [LEFT, "data/evaluate/tuned-champ"],
    }
    others = ["data/train/samples.csv", "data/evaluate/tuned-champ/samples.parquet"]
    others += ["metrics/.gitignore", "lineage/.gitignore", "lineage/model_card.json"]
    for path in (*made["train"], LEFT, *others):
        if "." in path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text("{}")
    stages = {
        name: {"cmd": "", "outs": [{"path": path} for path in paths]}
        for name, paths in made.items()
    }
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return Project(Chain("workspace", None, tmp_path), VerifyOptions())


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("is_link", [True, False])
def test_a_file_of_no_stage_is_named(project: Project, name: str, is_link: bool) -> None:
    assert list(digests.unrecorded(project)) == []
    path = Path(name)
    path.parent.mkdir(exist_ok=True, parents=True)
    if is_link:
        path.symlink_to("/nowhere")
    else:
        path.write_text("97%")
    (reason,) = digests.unrecorded(project)
    assert reason.startswith(f"{name} ") and reason.endswith(": remove it")


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_a_killed_run_or_a_file_manager_leaves_is_no_result(
    project: Project, name: str
) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("")
    assert list(digests.unrecorded(project)) == []


@settings(deadline=None, suppress_health_check=[*HealthCheck])
@given(st.sampled_from(digests.RECORDED), st.lists(NAMES, min_size=1, max_size=3))
def test_any_file_outside_the_recorded_outputs_is_named(
    project: Project, folder: str, names: list[str]
) -> None:
    """`receipt.json` and the like are not known by their names, only by the lock."""
    path = Path(folder, *names)
    outs = {"metrics/train.json", "data/train", "lineage/train.json", "lineage/train.csv", LEFT}
    outs |= {"data/evaluate/tuned-champ", "lineage/model_card.json"}
    is_blocked = any(parent.is_file() for parent in path.parents) or path.exists()
    if is_blocked or {path.as_posix(), *(parent.as_posix() for parent in path.parents)} & outs:
        return
    known = set(path.parents)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    (reason,) = digests.unrecorded(project)
    assert reason == f"{path} is recorded by no stage in dvc.lock: remove it"
    path.unlink()
    for parent in sorted(known, key=lambda each: -len(each.parts))[: len(names) - 1]:
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def folders(top: Path) -> Iterator[Path]:
    """Make files, folders and links; yield those that count."""
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/file").write_text("")
    (top / ".hidden").write_text("")
    (top / "empty").mkdir()
    for name, to in (("to_a", "a"), ("to_file", ".hidden"), ("to_nothing", "none")):
        (top / name).symlink_to(to)
    yield from (top / name for name in (".hidden", "a/b/file", "to_a", "to_file", "to_nothing"))


def test_links_count_as_files_wherever_they_lead(tmp_path: Path) -> None:
    assert digests.files_below(tmp_path / "none") == []
    assert list(folders(tmp_path)) == digests.files_below(tmp_path)
