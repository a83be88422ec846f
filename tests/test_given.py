"""A file that a user names is read, or refused in one line; nothing hangs or fills the memory."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mathledger import cli, given
from mathledger.core.errors import InputError
from tests.conftest import ROOT, clean_environment

STRANGE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing": (lambda folder: folder / "none.md", "does not exist: name it"),
    "a folder": (lambda folder: folder, "is a folder: name it"),
    "a pipe without a writer": (lambda folder: pipe(folder / "pipe.md"), ""),
    "a device without an end": (lambda _: Path("/dev/zero"), "is a device: name it"),
    "a device of chance": (lambda _: Path("/dev/urandom"), "is a device: name it"),
    "a link to itself": (
        lambda folder: loop(folder / "loop.md"),
        "cannot be read: Too many",
    ),
    "a name too long": (lambda folder: folder / ("a" * 300), "cannot be read: File name too long"),
    "a file of the kernel": (lambda _: Path("/proc/self/mem"), "cannot be read: Input/output err"),
    "a table of the kernel": (lambda _: Path("/proc/self/pagemap"), "has more than 1 MiB: name it"),
    "a large file": (lambda folder: large(folder / "large.md"), "has more than 1 MiB: name it"),
}


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def loop(path: Path) -> Path:
    path.symlink_to(path.name)
    return path


def large(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(1 << 40)
    return path


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_file_is_one_line(name: str, tmp_path: Path) -> None:
    make, said = STRANGE[name]
    path = make(tmp_path)
    if path.is_relative_to("/proc") and sys.platform != "linux":
        pytest.skip("only Linux has it")
    if not said:
        assert given.read_bytes(path, "name it") == b""
        return
    with pytest.raises(InputError) as caught:
        given.read_bytes(path, "name it", 1 << 20)
    assert said in str(caught.value) and "name it" in str(caught.value)


def test_a_pipe_with_a_writer_is_read() -> None:
    read, write = os.pipe()
    os.write(write, b"text")
    os.close(write)
    assert given.read_text(Path(f"/dev/fd/{read}"), "name it") == "text"
    os.close(read)


def test_a_text_that_is_not_utf_8_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"ab\xff")
    with pytest.raises(InputError, match="is not UTF-8 at byte 2: save it as UTF-8, or name it"):
        given.read_text(tmp_path / "a.md", "name it")


COMMANDS = [["audit"], ["audit", "--known"], ["diff", "HEAD"], ["gate"]]


def given_to(command: list[str], path: str) -> list[str]:
    """Return the arguments of a command that is given this file."""
    card = ["tests/audit/cards/seed.md"] if "--known" in command else []
    return [command[0], *card, *command[1:], path]


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "/dev", "PIPE"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_is_given_a_strange_file_ends_in_one_line(
    command: list[str], path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if path == "PIPE":
        path = str(pipe(tmp_path / "pipe.json"))
    assert cli.main(given_to(command, path)) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1 and path.rstrip("/") in shown.err and not shown.out


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_its_process_ends_with_the_status_of_an_error(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mathledger", *given_to(command, "/dev/zero")],
        capture_output=True, cwd=ROOT, env=clean_environment(), text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.count("\n") == 1 and "/dev/zero" in done.stderr
