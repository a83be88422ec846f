"""Git is asked in one place, and its answers depend on the commit and the bytes alone."""

import ast
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydra_plugins import tracked_config
from mathledger.core.errors import InputError
from mathledger.run.git import (
    NoRepositoryError,
    differences,
    find_object,
    git,
    git_paths,
    head,
    read_object,
)
from tests.conftest import ROOT

NAMED = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.example"}
NAMED |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in NAMED.items()}


def plain(at: Path, *arguments: str, **environment: str) -> str:
    """Run git as a user does, outside the code under test."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=at,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(at), **NAMED, **environment},
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a committed project that is a folder of a larger repository."""
    top, at = tmp_path / "top", tmp_path / "top" / "of us" / "project"
    (at / "code").mkdir(parents=True)
    (at / "code/rule.py").write_text("x = 1\n")
    (at / "code/übung (1).py").write_text("y = 1\n")
    (at / "dvc.yaml").write_text("stages: {}\n")
    (at / ".dvcignore").write_text("__pycache__/\n")
    plain(top, "init", "--quiet")
    plain(top, "add", "--all")
    plain(top, "commit", "--quiet", "--message", "first")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return at


def changed(at: Path) -> set[tuple[str, str]]:
    return {(path, kind) for path, kind in differences(head(at), "code", "dvc.yaml", at=at)}


def hide_by_config(at: Path) -> None:
    plain(at, "config", "status.showUntrackedFiles", "no")


def hide_by_ignore_file(at: Path) -> None:
    (at / ".gitignore").write_text("*.py\n")


def hide_by_exclude_file(at: Path) -> None:
    (at.parents[1] / ".git/info/exclude").write_text("*.py\n")


def hide_by_global_ignore(at: Path) -> None:
    folder = Path(os.environ["HOME"]) / ".config/git"
    folder.mkdir(parents=True)
    (folder / "ignore").write_text("*.py\n")


def hide_by_parent_ignore(at: Path) -> None:
    (at.parents[1] / ".gitignore").write_text("of us/\n")


def hide_by_assume_unchanged(at: Path) -> None:
    plain(at, "update-index", "--assume-unchanged", "code/rule.py", "dvc.yaml")


def hide_by_skip_worktree(at: Path) -> None:
    plain(at, "update-index", "--skip-worktree", "code/rule.py", "dvc.yaml")


def hide_by_fsmonitor(at: Path) -> None:
    plain(at, "config", "core.fsmonitor", "/bin/true")
    plain(at, "config", "core.untrackedCache", "true")
    plain(at, "status", "--porcelain")


def hide_by_ignore_stat(at: Path) -> None:
    plain(at, "config", "core.ignoreStat", "true")
    plain(at, "config", "core.checkStat", "minimal")


def hide_by_staging(at: Path) -> None:
    """A staged file is not in the commit."""
    (at / "code/added.py").write_text("z = 1\n")
    plain(at, "add", "--all")


HIDDEN = [value for name, value in sorted(globals().items()) if name.startswith("hide_by_")]


@pytest.mark.parametrize("hide", HIDDEN, ids=lambda each: each.__name__.removeprefix("hide_by_"))
def test_no_setting_hides_a_change(project: Path, hide: Callable[[Path], None]) -> None:
    hide(project)
    cache = project / "code/__pycache__"
    cache.mkdir()
    (cache / "rule.pyc").write_bytes(b"\0")
    (project / "code/rule.py").write_text("x = 2\n")
    (project / "code/added.py").write_text("z = 1\n")
    (project / "code/übung (1).py").unlink()
    assert changed(project) == {
        ("code/rule.py", "changed"),
        ("code/added.py", "added"),
        ("code/übung (1).py", "missing"),
    }


@pytest.mark.parametrize("hide", HIDDEN[:-1], ids=lambda each: each.__name__)
def test_a_clean_checkout_is_clean(project: Path, hide: Callable[[Path], None]) -> None:
    hide(project)
    assert not changed(project) or hide is hide_by_staging


def test_a_touched_file_and_another_mode_make_no_change(project: Path) -> None:
    os.utime(project / "code/rule.py", (1, 1))
    (project / "code/rule.py").chmod(0o755)
    assert not changed(project)


def test_other_line_ends_are_a_change(project: Path) -> None:
    plain(project, "config", "core.autocrlf", "true")
    (project / "code/rule.py").write_bytes(b"x = 1\r\n")
    assert changed(project) == {("code/rule.py", "changed")}


def test_the_environment_names_no_other_repository(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook, where git sets these variables."""
    other = tmp_path / "other"
    other.mkdir()
    plain(other, "init", "--quiet")
    plain(other, "commit", "--quiet", "--allow-empty", "--message", "other")
    wanted = head(project)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/none"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert head(project) == wanted != head(other)
    assert not changed(project)


def test_a_replaced_object_is_not_read(project: Path) -> None:
    (project / "forged").write_text("x = 3\n")
    forged = plain(project, "hash-object", "-w", "forged")
    blob = plain(project, "rev-parse", "HEAD:./code/rule.py")
    plain(project, "replace", blob, forged)
    assert read_object("HEAD:./code/rule.py", project) == b"x = 1\n"


@pytest.mark.parametrize("kind", ["worktree", "submodule", "shallow clone", "detached", "moved"])
def test_every_kind_of_checkout_is_read(project: Path, tmp_path: Path, kind: str) -> None:
    top, at = project.parents[1], tmp_path / "another"
    plain(top, "commit", "--quiet", "--allow-empty", "--message", "second")
    match kind:
        case "worktree":
            plain(top, "worktree", "add", "--quiet", str(at))
        case "submodule":
            at.mkdir()
            plain(at, "init", "--quiet")
            allow = ("-c", "protocol.file.allow=always")
            plain(at, *allow, "submodule", "--quiet", "add", str(top), "inner")
            at /= "inner"
        case "shallow clone":
            plain(top, "clone", "--quiet", "--depth=1", f"file://{top}", str(at))
        case "detached":
            plain(top, "checkout", "--quiet", "--detach", "HEAD")
            at = top
        case "moved":
            top.rename(at)
    inner = at / "of us/project"
    assert head(inner) == plain(at, "rev-parse", "HEAD")
    assert not changed(inner)
    (inner / "code/rule.py").write_text("x = 4\n")
    assert changed(inner) == {("code/rule.py", "changed")}


def test_a_submodule_in_the_code_is_compared(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "shared"
    other.mkdir()
    plain(other, "init", "--quiet")
    (other / "a.yaml").write_text("a: 1\n")
    plain(other, "add", "--all")
    plain(other, "commit", "--quiet", "--message", "shared")
    allow = ("-c", "protocol.file.allow=always")
    plain(project, *allow, "submodule", "--quiet", "add", str(other), "code/shared")
    plain(project, "commit", "--quiet", "--message", "add")
    assert not changed(project)
    (project / "code/shared/a.yaml").write_text("a: 2\n")
    (project / "code/shared/b.yaml").write_text("b: 2\n")
    assert changed(project) == {
        ("code/shared/a.yaml", "changed"),
        ("code/shared/b.yaml", "added"),
    }
    plain(project / "code/shared", "commit", "--quiet", "--all", "--message", "moved on")
    assert changed(project) == {("code/shared", "changed")}


def test_a_failing_git_is_an_error_with_its_text(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(NoRepositoryError, match="outside is not in a git repository"):
        head(outside)
    plain(outside, "init", "--quiet")
    with pytest.raises(InputError, match=r"HEAD names no commit; .*`git add --all && git commit`"):
        head(outside)
    (outside / ".git/HEAD").write_bytes(b"")
    with pytest.raises(InputError, match="not a git repository") as broken:
        head(outside)
    assert not isinstance(broken.value, NoRepositoryError)
    git_folder = project.parents[1] / ".git"
    pack = next(path for path in git_folder.glob("objects/??/*"))
    (git_folder / "config").write_text("[core\n")
    with pytest.raises(InputError, match=r"git cat-file: bad config line 1 in file"):
        head(project)
    assert pack.exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no program git: install it"):
        head(project)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_dubious_ownership_is_said(project: Path) -> None:
    for path in [project.parents[1], *project.parents[1].rglob("*")]:
        os.lchown(path, 1234, 1234)
    ask: list[Callable[[], object]] = [
        lambda: head(project),
        lambda: find_object("HEAD:./dvc.yaml", project),
        lambda: git_paths("ls-files", "-z", at=project),
    ]
    for each in ask:
        with pytest.raises(InputError, match=r"git config --global --add safe.directory") as error:
            each()
        assert "\n" not in str(error.value) and not isinstance(error.value, NoRepositoryError)


def test_an_object_that_is_missing_is_none_and_one_that_is_broken_is_an_error(
    project: Path,
) -> None:
    blob = plain(project, "rev-parse", "HEAD:./code/rule.py")
    assert find_object("HEAD:./code/rule.py", project) == ("blob", blob)
    for name in ("HEAD:./code/none.py", "none:./x", "none", "HEAD:./a\nHEAD:./code/rule.py"):
        assert find_object(name, project) is None and read_object(name, project) is None
    assert read_object("HEAD:./code", project) is None  # A folder.
    file = project.parents[1] / ".git/objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"git cat-file: .*object file .* is empty"):
        read_object("HEAD:./code/rule.py", project)


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(NAMES)
def test_a_file_of_any_name_is_found_and_read(project: Path, name: str) -> None:
    folder = project / "code/any"
    folder.mkdir()
    (folder / name).write_text("here\n")
    try:
        assert changed(project) == {(f"code/any/{name}", "added")} or name == "__pycache__"
        plain(project, "add", "--force", "--", f":(literal)code/any/{name}")
        plain(project, "commit", "--quiet", "--message", "add")
        assert not changed(project)
        content = read_object(f"HEAD:./code/any/{name}", project)
        assert content == (None if "\n" in name else b"here\n")
    finally:
        shutil.rmtree(folder)
        plain(project, "add", "--all")
        plain(project, "commit", "--quiet", "--allow-empty", "--message", "remove")


def test_configuration_that_git_does_not_know_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = project / "conf"
    (conf / "corpus").mkdir(parents=True)
    (conf / "corpus/it's (1)\nü.yaml").write_text("a: 1\n")
    hide_by_global_ignore(project)
    monkeypatch.chdir(project)
    files = tracked_config.unknown(conf)
    assert files == ["conf/corpus/it's (1)\nü.yaml"]
    subprocess.run(shlex.join(["git", "add", "--force", "--", *files]), shell=True, check=True)
    assert tracked_config.unknown(conf) == []
    (project.parents[1] / ".git/config").write_text("[core\n")
    with pytest.raises(HydraException, match="bad config line 1"):
        tracked_config.unknown(conf)
    shutil.rmtree(project.parents[1] / ".git")
    assert tracked_config.unknown(conf) == []


def test_nothing_else_runs_git() -> None:
    for folder in ("mathledger", "stages", "hydra_plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            if path == ROOT / "mathledger/run/git.py" or "git" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.List) and node.elts:
                    first = node.elts[0]
                    is_git = isinstance(first, ast.Constant) and first.value == "git"
                    # The argument of shlex.join, for a message, is not a call.
                    assert not is_git or path.name == "tracked_config.py", path


def test_the_settings_of_the_repository_check_out_the_bytes_of_the_commit() -> None:
    for path in ("mathledger/cli.py", "conf/config.yaml", "Makefile", "tests/grading/cases.jsonl"):
        assert git("check-attr", "eol", "--", path, at=ROOT) == f"{path}: eol: lf"
    for path in ("dvc.lock", "metrics/mix.json", "model_card/report.html", "plots/train/loss.csv"):
        assert git("check-attr", "text", "--", path, at=ROOT) == f"{path}: text: unset"
