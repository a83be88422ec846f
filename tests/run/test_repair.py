"""What a killed DVC or a power cut leaves torn is repaired, and whole files are left alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.rwlock import SCHEMA as TABLE_SCHEMA
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from voluptuous import Invalid

from mathledger.core.files import read_json, write_json
from mathledger.run import repair
from mathledger.run.checkout import checkout_in_use
from mathledger.run.turns import Turn
from tests.conftest import ROOT
from tests.run.test_git import plain

LOCK = yaml.safe_load((ROOT / "dvc.lock").read_text())
TEXT = yaml.safe_dump(
    {"schema": "2.0", "stages": dict(list(LOCK["stages"].items())[:2])}, sort_keys=False
)
OWNERS = {"read": {"/a": [{"pid": 1, "cmd": "dvc repro"}]}, "write": {"/b": {"pid": 2, "cmd": "x"}}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a committed project with a short dvc.lock, as the current folder."""
    text = yaml.safe_dump({"schema": "2.0", "stages": {"mix": {"cmd": "python -m stages.mix"}}})
    (tmp_path / "dvc.lock").write_text(text)
    (tmp_path / ".dvc/tmp/exps").mkdir(parents=True)
    plain(tmp_path, "init", "--quiet")
    plain(tmp_path, "add", "dvc.lock")
    plain(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repair, "WAIT_S", 0)
    return tmp_path


TORN = ["", "\0" * 4096, "schema: '2.0'\nstages:\n  mix:\n    cm", "{", "schema: '2.0'\n", "\ufffe"]


@pytest.mark.fault("torn lock files")
@pytest.mark.parametrize("torn", TORN)
def test_a_torn_lock_is_restored_from_the_copy_and_else_from_the_commit(
    project: Path, torn: str
) -> None:
    lock = project / "dvc.lock"
    committed = lock.read_text()
    lock.write_text(torn)
    assert repair.repair() == ["dvc.lock: restored from the commit, as a killed DVC left it torn"]
    assert lock.read_text() == committed and repair.repair() == []
    later = committed + "  train:\n    cmd: python -m stages.train\n"
    lock.write_text(later)
    assert repair.repair() == [] and lock.read_text() == later
    lock.write_text(torn)
    (line,) = repair.repair()
    assert "restored as it was before the last run" in line and lock.read_text() == later
    plain(project, "commit", "--quiet", "--all", "--message", "with train")
    lock.write_text(torn)  # The copy belongs to another commit.
    assert "restored from the commit" in repair.repair()[0] and lock.read_text() == later
    plain(project, "rm", "--quiet", "--cached", "dvc.lock")
    plain(project, "commit", "--quiet", "--message", "no lock")
    lock.write_text(torn)
    assert "dvc.lock: removed" in repair.repair()[0] and not lock.exists()


@settings(deadline=None)
@given(st.integers(0, len(TEXT)), st.booleans())
@example(len(TEXT), False)
def test_what_is_taken_for_whole_is_what_dvc_accepts(end: int, is_nul: bool) -> None:
    """Cut off anywhere, or filled with NUL bytes from there on."""
    text = TEXT[:end] + "\0" * (len(TEXT) - end) * is_nul
    assert repair.is_lock(TEXT)
    if repair.is_lock(text):
        COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(text))
        assert text.endswith("\n")
    elif end == len(TEXT):
        raise AssertionError("a whole file is taken for torn")


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["read", "write", "pid", "cmd", "/a"]), inner, max_size=2)
    ),
)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON)
@example(OWNERS)
def test_a_table_is_kept_exactly_if_dvc_accepts_it(project: Path, content: Any) -> None:
    table = project / ".dvc/tmp/rwlock"
    table.write_text(json.dumps(content))
    try:
        TABLE_SCHEMA(content)
        is_known = True
    except Invalid:
        is_known = False
    assert bool(repair.repair()) != is_known and table.exists() == is_known


@pytest.mark.parametrize("torn", [b"", bytes(64), b'{"read": {', b"\xff", b"[]"])
def test_torn_tables_of_locks_block_nothing(project: Path, torn: bytes) -> None:
    for table in repair.TABLES:
        table.write_bytes(torn)
    assert len(repair.repair()) == 2 and not any(table.exists() for table in repair.TABLES)
    repair.TABLES[1].write_bytes(torn)  # A stage alone repairs its table.
    with checkout_in_use("mix"):
        assert "stage mix is running" in repair.TABLES[1].read_text()


def test_a_damaged_index_of_dvc_is_removed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    (project / ".dvc/config").write_text("")
    (project / "dvc.yaml").write_text("stages: {}\n")
    assert repair.repair() == []  # DVC makes the index when it opens the project.
    (database, *_) = (tmp_path / "site").rglob("hashes/**/*.db")
    database.write_bytes(bytes(5000))
    (line,) = repair.repair()
    assert "removed DVC's index of digests" in line and not database.exists()
    assert repair.repair() == [] and database.exists()


@pytest.mark.parametrize(
    "torn", [b"", bytes(64), b'{"dvc": [', b"[]", b'{"dvc": 5, "outs": {}}', b'{"dvc": null}']
)
def test_a_torn_record_of_a_turn_is_not_a_record(
    project: Path, torn: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    turn = Turn("mix", "f", ["inputs"])
    turn._record.write_bytes(torn)
    assert not turn.wait()
    turn.done({})
    turn.end()
    assert read_json(turn._record)["outs"] == {}


def test_a_text_is_whole_under_its_name_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is on the disk before the name is."""
    file, done = tmp_path / "a.json", []
    monkeypatch.setattr("os.fsync", lambda number: done.append(file.exists()))
    write_json(file, {"a": 1})
    assert done == [False] and file.exists()


def test_the_recipe_repairs_before_anything_reads_the_files() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nrepro:")[1].split("\n\n")[0]
    assert recipe.index("mathledger.run.repair") < recipe.index("stages.params")
    assert recipe.index("stages.params") < recipe.index("dvc repro")
    assert shutil.which("dvc")


@pytest.mark.parametrize("name", [".scratch", "dvc.lock", ".dvc/tmp/rwlock"])
def test_a_file_or_folder_in_the_wrong_place_is_one_line(project: Path, name: str) -> None:
    path = project / name
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    if name == ".scratch":
        path.write_text("")
    else:
        path.mkdir(parents=True)
    with pytest.raises(SystemExit) as stop:
        repair.main()
    said = str(stop.value.code)
    assert said.startswith("error: ") and name in said and "\n" not in said
