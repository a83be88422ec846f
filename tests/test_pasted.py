"""What messages print as a command can be pasted into a shell."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDERS = ("mathledger", "stages", "hydra_plugins")
PROGRAM = re.compile(r"(?:dvc|git|python|mathledger|mlflow|make|mv|rm|touch|pip|openssl)\b")
# Expressions whose values need no quotes: constants, digits, and names that params allow.
PLAIN = re.compile(r"shlex\.(quote|join)\(.*|[A-Z_]+|len\(.*|\w*(digest|commit|md5)\w*(\[:10\])?")


def commands(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, text and expressions of each command between backticks in the f-strings."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        text, values = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            elif isinstance(part, ast.FormattedValue):
                text += f"\0{len(values)}\0"
                values.append(ast.unparse(part.value))
        for command in re.findall("`([^`]+)`", text):
            if PROGRAM.match(command):
                own = [values[int(number)] for number in re.findall("\0(\\d+)\0", command)]
                yield node.lineno, command, own


PATHS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_values_in_commands_are_quoted(path: Path) -> None:
    for line, command, values in commands(path):
        for value in values:
            assert PLAIN.fullmatch(value), f"{path}:{line}: {command!r}: quote {value}"
        shlex.split(command)
