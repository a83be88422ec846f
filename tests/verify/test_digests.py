"""A file that no stage made does not pass for a result."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mathledger.chain.chain import Chain
from mathledger.verify import digests
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

LEFT = "metrics/evaluate/tuned-champ.json"  # of earlier params; DVC keeps its entry
STRANGERS = ["metrics/evaluate/tuned-aime26.json", "data/train/proof.txt", "data/train/a/b.csv"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with a training and an evaluation, as far as the lock and files tell."""
    monkeypatch.chdir(tmp_path)
    made = {"train": "metrics/train.json", "evaluate@tuned-champ": LEFT}
    for path in (*made.values(), "data/train/samples.csv", "metrics/.gitignore"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("{}")
    stages = {name: {"cmd": "", "outs": [{"path": path}]} for name, path in made.items()}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return Project(Chain("workspace", None, tmp_path), VerifyOptions())


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("is_link", [True, False])
def test_a_file_of_no_stage_is_named(project: Project, name: str, is_link: bool) -> None:
    assert list(digests.unrecorded(project)) == []
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    if is_link:
        path.symlink_to("/nowhere")
    else:
        path.write_text("97%")
    (reason,) = digests.unrecorded(project)
    assert reason.startswith(f"{name} ") and reason.endswith(": remove it")


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
