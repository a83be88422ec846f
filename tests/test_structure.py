"""The code has no circular imports, and no function or module is too long to read.

import-linter checks the direction of imports between rooms (`make check`).
"""

import ast
from pathlib import Path

import grimp
import pytest

MAX_FUNCTION, MAX_MODULE, MAX_STAGE = 80, 400, 120  # In lines.
MODULES = sorted([*Path("mathledger").rglob("*.py"), *Path("stages").glob("*.py")])


def functions(path: Path) -> dict[str, int]:
    """Return the number of lines of each function by name."""
    return {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions count as well."""
    graph = grimp.build_graph("mathledger", "stages", cache_dir=None)
    waiting = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    while free := {module for module, imported in waiting.items() if not imported & waiting.keys()}:
        for module in free:
            del waiting[module]
    assert not waiting, f"these modules are in an import cycle or depend on one: {sorted(waiting)}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_functions_and_modules_can_be_seen_whole(path: Path) -> None:
    too_long = {name: lines for name, lines in functions(path).items() if lines > MAX_FUNCTION}
    assert not too_long
    limit = MAX_STAGE if path.parent.name == "stages" and path.stem != "params" else MAX_MODULE
    assert len(path.read_text("utf-8").splitlines()) <= limit


def test_no_room_holds_a_quarter_of_the_code() -> None:
    lines: dict[str, int] = {}
    for path in MODULES:
        room = "/".join(path.parts[:2]) if path.parts[0] == "mathledger" else "stages"
        lines[room] = lines.get(room, 0) + len(path.read_text("utf-8").splitlines())
    shares = {room: count / sum(lines.values()) for room, count in lines.items()}
    assert max(shares.values()) <= 0.25, shares
