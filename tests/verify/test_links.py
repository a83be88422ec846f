"""`verify` prints every link and exits with a status that follows from them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathledger import verify
from mathledger.cli import main
from mathledger.core.errors import InputError
from mathledger.verify import links
from mathledger.verify.links import Link
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Check, New, Project
from tests import states
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a project with data to verify."""
    made = states.Project(tmp_path_factory.mktemp("project"))
    made.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", made.path)
    (made.path / ".gitignore").write_text("data/\nlineage/*\n.dvc/cache/\n")
    made.write()
    return made.path


def holding(project: Project) -> Check:
    yield from ()
    return "3 files"


def failing(project: Project) -> Check:
    for number in range(25):
        yield f"file {number} is another"
    return "25 files"


def refusing(project: Project) -> Check:
    yield "file 0 is another"
    raise InputError("file 1 is missing")


def breaking(project: Project) -> Check:
    yield "file 0 is another"
    raise ValueError("1 is no file")


@pytest.fixture
def verified(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return the exit status and the output of `verify` with some links."""

    def run(checks: dict[str, Any], *arguments: str) -> tuple[int, str]:
        made = [Link(name, check) for name, check in checks.items()]
        monkeypatch.setattr(links, "LINKS", made)
        monkeypatch.chdir(path / "data")  # Any folder of the project works.
        status = main(["verify", *arguments])
        return status, capsys.readouterr().out

    return run


def test_all_links_that_hold_are_a_pass(verified: Callable[..., tuple[int, str]]) -> None:
    status, text = verified({"one": holding, "two": holding})
    assert status == 0
    assert text.splitlines() == [
        "holds   one         3 files",
        "holds   two         3 files",
        "",
        "holds: all 2 links hold",
    ]


def test_a_link_that_fails_is_named_with_its_reasons_and_the_others_still_run(
    verified: Callable[..., tuple[int, str]],
) -> None:
    status, text = verified({"many": failing, "two": holding})
    lines = text.splitlines()
    assert status == 1
    assert lines[0] == "broken  many        file 0 is another"
    assert lines[19] == " " * 20 + "file 19 is another" and lines[20] == " " * 20 + "and 5 more"
    assert lines[21:] == [
        "holds   two         3 files",
        "",
        "broken: 1 of 2 links do not hold: many",
    ]


def test_results_that_are_not_committed_are_new_unless_another_link_is_broken(
    verified: Callable[..., tuple[int, str]],
) -> None:
    def made_here(project: Project) -> Check:
        yield New("dvc.lock differs from the commit")
        return ""

    def partly_broken(project: Project) -> Check:
        yield New("dvc.lock differs from the commit")
        yield "Makefile differs from the commit"
        return ""

    status, text = verified({"commit": made_here, "two": holding})
    first, second, _, last = text.splitlines()
    assert status == 3
    assert first == "new     commit      dvc.lock differs from the commit"
    assert second.startswith("holds ")
    assert last.startswith("new: 1 file made here and not committed, and everything else holds: ")
    assert "`git add --all && git commit`" in last
    status, text = verified({"commit": made_here, "many": failing})
    assert status == 1 and text.splitlines()[-1] == "broken: 1 of 2 links do not hold: many"
    status, text = verified({"commit": partly_broken}, "--json")
    assert status == 1 and json.loads(text)["state"] == "broken"
    status, text = verified({"commit": made_here}, "--json")
    content = json.loads(text)
    assert status == 3 and content["state"] == "new" and content["holds"] is False


def test_a_link_that_cannot_be_checked_has_failed(verified: Callable[..., tuple[int, str]]) -> None:
    status, text = verified({"a": refusing, "b": breaking})
    assert status == 1
    assert "broken  a           file 1 is missing\n" in text
    assert "broken  b           could not be checked: ValueError: 1 is no file\n" in text


def test_json_has_every_reason_and_the_same_exit_status(
    verified: Callable[..., tuple[int, str]],
) -> None:
    status, text = verified({"one": holding, "many": failing}, "--json")
    assert status == 1
    one, many = json.loads(text)["links"]
    assert one.pop("state") == "holds"
    assert one == {"name": "one", "holds": True, "looked_at": "3 files", "reasons": []}
    assert many["state"] == "broken" and many["looked_at"] is None and len(many["reasons"]) == 25
    assert json.loads(text)["state"] == "broken"
    assert verified({"one": holding}, "--json")[0] == 0


def test_a_check_without_a_command_line_gives_a_typed_result(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(links, "LINKS", [Link("one", holding), Link("a", refusing)])
    monkeypatch.chdir(path)
    result = verify.check(VerifyOptions())
    assert (result.holds, result.broken) == (False, ["a"])
    # An error hides no reason that was found before it.
    assert result.links[1].reasons == ("file 1 is missing", "file 0 is another")
    assert capsys.readouterr() == ("", "")
