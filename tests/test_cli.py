"""The command line lists its commands and answers quickly."""

import argparse
import contextlib
import importlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mathledger
from mathledger import cli
from mathledger.core.escaping import CONTROLS

ROOT = Path(__file__).parent.parent
HEAVY = {"dvc", "mlflow", "numba", "numpy", "pyarrow", "pydantic", "rich", "scipy", "shtab"}
HEAVY |= {"torch", "yaml"}


def subcommands() -> dict[str, argparse.ArgumentParser]:
    for action in cli.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no subcommands")


@pytest.mark.parametrize("name", subcommands())
def test_every_command_has_a_module_that_runs_it(name: str) -> None:
    module = importlib.import_module(subcommands()[name].get_default("module"))
    assert callable(module.run)


def test_without_arguments_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    told = capsys.readouterr().out
    assert told.startswith("usage: mathledger") and all(name in told for name in subcommands())


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert project["dynamic"]["version"]["attr"] == "mathledger.__version__"
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"mathledger {mathledger.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "postgresql://me:Pa55word@host/db", "\x1b[2J"],
        ["https://me:Pa55word@host/\x1b[2J\u202e"],
        ["sync-mlflow", "--bogus=https://me:Pa55word@host/?token=Pa55word\x9b"],
        ["review", "--pairs", "9" * 5000],
        ["compare", "https://me:Pa55word@host\x1b]0;a\x07"],
    ],
    ids=lambda each: each[0][:8],
)
def test_no_message_repeats_a_password_or_steers_the_terminal(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        assert cli.main(arguments) == 2
    told = capsys.readouterr()
    shown = told.out + told.err
    assert "Pa55word" not in shown and len(shown) < 2500
    assert not CONTROLS.search(shown)


def test_the_console_command_is_the_modules_main() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["mathledger"].partition(":")
    assert getattr(importlib.import_module(module), function) is cli.main


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--print-completion", shell])
    script = capsys.readouterr().out
    assert stopped.value.code == 0
    assert all(name in script for name in subcommands())


@pytest.mark.skipif(not shutil.which("bash"), reason="bash completes in bash")
def test_bash_completes_commands_and_options() -> None:
    script = subprocess.run(
        [sys.executable, "-m", "mathledger", "--print-completion", "bash"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for words, expected in (("mathledger tr", "trace"), ("mathledger diff --js", "--json")):
        asked = f"""COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shtab_mathledger; echo "${{COMPREPLY[@]}}\""""
        done = subprocess.run(
            ["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [expected], done.stderr


def test_nothing_heavy_is_imported() -> None:
    """Help and the error for a mistyped option appear quickly."""
    code = (
        f"import sys; from mathledger import cli; cli.parser(); print({HEAVY} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
