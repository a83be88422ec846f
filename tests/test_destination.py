"""Every command that writes a file which the user names says in one line why it cannot."""

import argparse
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger import cli, destination
from mathledger.core.errors import InputError

ROOT = Path(__file__).parent.parent
OTHERS = {
    "audit": ["model_card/README.md"],
    "trace": ["chain_sum"],
    "attest": ["--private-key", "key.pem"],
}  # what each command needs besides the path


def written() -> dict[str, list[str]]:
    """Return, by command and argument, the command line up to the path that is written."""
    found = {}
    for action in cli.parser()._actions:
        commands = action.choices if isinstance(action, argparse._SubParsersAction) else {}
        for name, command in commands.items():
            for argument in command._actions:
                if argument.type is destination.to_write:
                    options = argument.option_strings[:1]
                    found[f"{name} {argument.dest}"] = [name, *OTHERS.get(name, []), *options]
    return found


# Where a path leads nowhere -> the place that the message must name.
WRONG: dict[str, Callable[[Path], tuple[Path, Path]]] = {
    "missing folder": lambda at: (at / "no/where/x.html", at / "no/where"),
    "below a file": lambda at: (at / "file/x.html", at / "file"),
    "protected folder": lambda at: (at / "protected/x.html", at / "protected"),
    "a name too long": lambda at: (at / ("x" * 300), at / ("x" * 300)),
    "a link to nowhere": lambda at: (at / "link", at / "no"),
    "a link to itself": lambda at: (at / "loop", at / "loop"),
    "a folder": lambda at: (at / "protected", at / "protected"),
}


def test_the_commands_that_write_are_known() -> None:
    expected = "attest signature, audit html, publish folder, review html, trace html, view out"
    assert ", ".join(sorted(written())) == expected


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("argument", written())
def test_a_place_that_takes_no_file_is_named_with_a_remedy(
    argument: str,
    wrong: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "protected").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "no/x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.rglob("*"))
    allows = os.access  # root may write anywhere, so the mode alone would not do
    monkeypatch.setattr(os, "access", lambda at, *a: at.name != "protected" and allows(at, *a))
    monkeypatch.chdir(ROOT)
    path, place = WRONG[wrong](tmp_path)
    assert cli.main([*written()[argument], str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    command = f"mathledger {argument.split()[0]}: "
    assert said.err.startswith((f"{command}{place}", f"{command}{path} exists"))
    assert " name a" in said.err
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "kept"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, depth=st.integers(0, 2), old=st.sampled_from([None, "file", "link"]))
def test_a_file_is_written_whole_or_the_place_is_named(
    name: str, depth: int, old: str | None, tmp_path: Path
) -> None:
    """Whatever the name, the text lies there, or one line says why not; nothing lies beside it."""
    at = tmp_path / "at"
    shutil.rmtree(at, ignore_errors=True)
    folder = at.joinpath(*["in"] * depth)
    at.mkdir()
    if depth < 2:
        folder.mkdir(exist_ok=True)
    path = folder / name
    is_plain = name not in (".", "..")
    old = old if is_plain and folder.is_dir() else None
    if old:
        real = tmp_path / "real" if old == "link" else path
        real.write_text("old")
        if old == "link":
            path.symlink_to(real)
    try:
        destination.write(path, "text")
    except InputError as error:
        assert not (is_plain and depth < 2) and str(at) in str(error)
        assert not [each for each in at.rglob("*") if each.is_file()]
        return
    assert path.read_text() == "text" and not [*at.rglob("*.partial")]
    assert path.is_symlink() == (old == "link")


def test_a_device_stays_a_device() -> None:
    destination.write(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
