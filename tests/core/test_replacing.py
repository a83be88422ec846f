"""An output folder is replaced as a whole, and what a kill leaves next to it is not an output."""

from pathlib import Path

import pytest

from mathledger.core.files import replacing


@pytest.mark.parametrize("old", [None, ["kept.txt"], ["a/b/kept.txt", "c"]])
def test_the_folder_holds_the_new_files_alone(tmp_path: Path, old: list[str] | None) -> None:
    """DVC removes an output before it runs a stage; a run by hand does not."""
    folder = tmp_path / "out"
    for name in old or []:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("old")
        (folder / name).chmod(0o444)  # as DVC leaves an output that links to its cache
    with replacing(folder) as aside:
        (aside / "new.txt").write_text("new")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["new.txt"]


def test_an_error_leaves_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.txt").write_text("old")
    with pytest.raises(KeyError), replacing(tmp_path / "out") as aside:
        (aside / "new.txt").write_text("new")
        raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old.txt"]


def test_dvc_and_git_ignore_what_a_kill_leaves(tmp_path: Path) -> None:
    """data/model is a dependency as a folder; half a model next to the others must not count."""
    from dvc.repo import Repo

    with Repo() as repo:
        ignored = repo.dvcignore.is_ignored_dir(str(Path("data/model/tuned.partial").absolute()))
        tuned = str(Path("data/model/tuned").absolute())
        assert ignored and not repo.dvcignore.is_ignored_dir(tuned)
    assert "*.partial" in Path(".gitignore").read_text().splitlines()
