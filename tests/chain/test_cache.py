"""The cache is found where DVC finds it, whichever of the four settings files names it."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from mathledger.chain.cache import cache_folder
from mathledger.core.errors import InputError

LEVELS = ("system", "global", "repo", "local")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a DVC project with its own home and settings."""
    for name in ("system", "user", "home", "project/.dvc", "project/.git"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "system"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "project"


def file_of(level: str, project: Path) -> Path:
    places = {"system": "../system/config", "global": "../user/config", "repo": ".dvc/config"}
    return Path(os.path.normpath(project / places.get(level, ".dvc/config.local")))


def as_dvc_has_it(project: Path) -> Path:
    from dvc.config import Config

    settings = Config(str(project / ".dvc"))["cache"]
    return Path(settings.get("dir") or project / ".dvc/cache")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "line",
    [
        "dir = /srv/dvc",
        "dir = cache",
        "dir = ../cache/of all",
        "dir = ~/cache",
        'dir = "/srv/quoted # not a comment"',
        "dir = /srv/dvc  # a comment",
        "DIR = /srv/100%",
        "dir = ",
        "type = symlink",
    ],
)
def test_a_folder_is_read_as_dvc_reads_it(project: Path, level: str, line: str) -> None:
    file_of(level, project).write_text(f"[core]\n    analytics = false\n[cache]\n    {line}\n")
    assert cache_folder(project) == as_dvc_has_it(project)


@pytest.mark.parametrize(
    "levels", [each for size in range(5) for each in combinations(LEVELS, size)], ids="+".join
)
def test_the_nearest_file_wins_as_with_dvc(project: Path, levels: tuple[str, ...]) -> None:
    for level in levels:
        file_of(level, project).write_text(f"[cache]\n    dir = of_{level}\n")
    assert cache_folder(project) == as_dvc_has_it(project)


def test_the_folders_of_settings_are_dvcs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no variable names them, they are the platform's."""
    from dvc.dirs import global_config_dir

    monkeypatch.delenv("DVC_GLOBAL_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    file = Path(global_config_dir()) / "config"
    assert tmp_path in file.parents
    file.parent.mkdir(parents=True)
    file.write_text("[cache]\n    dir = /srv/of_the_user\n")
    assert cache_folder(project) == as_dvc_has_it(project) == Path("/srv/of_the_user")


def test_what_cannot_be_read_is_one_line(project: Path) -> None:
    file = file_of("local", project)
    file.write_text("[cache\n    dir = cache\n")
    with pytest.raises(InputError, match=r"config\.local cannot be read as a DVC configuration"):
        cache_folder(project)
    file.write_text("[cache]\n    dir = s3://bucket/cache\n")
    with pytest.raises(InputError, match="set it to a local folder"):
        cache_folder(project)


def test_dvc_is_not_imported_for_it(project: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mathledger.chain.cache import cache_folder; "
        f"cache_folder(Path({str(project)!r})); assert 'dvc' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
