"""The modules that a module imports are those that Python's parser finds."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.core import code
from tests.conftest import ROOT

PACKAGE = ROOT / "mathledger"
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES[::20]]


def by_the_parser(source: str) -> set[Path]:
    """Return the same as `code.with_imports` for one module, without what the others import."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    bases = [ROOT.joinpath(*name.split(".")) for name in names if name.startswith("mathledger")]
    return {
        path
        for base in bases
        for path in (base.with_suffix(".py"), base / "__init__.py")
        if path.is_file()
    }


@pytest.mark.slow
def test_every_module_of_the_project() -> None:
    for path in MODULES:
        found = set(code._imported(path, PACKAGE))
        assert found == by_the_parser(path.read_text("utf-8")), path


@pytest.mark.slow
def test_any_form_of_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"

    @given(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        st.sampled_from(["import", "from", "from, in parentheses", "from, with a comment"]),
        st.sampled_from(["", "    "]),
        st.sampled_from(["", "  # a note", "  # noqa: F401 (kept) import mathledger.core.keys"]),
    )
    def check(names: list[str], form: str, indent: str, note: str) -> None:
        lines = [f"import {', '.join(names)}{note}"]
        if form != "import":
            parts = [name.rpartition(".") for name in names]
            lines = [f"from {parent} import {name}{note}" for parent, _, name in parts]
        if form == "from, in parentheses":
            lines = [f"from {parent} import ({name},){note}" for parent, _, name in parts]
        if form == "from, with a comment":
            lines = [
                f"from {parent} import (\n    {name} as other,  # (one)\n){note}"
                for parent, _, name in parts
            ]
        start = "if True:\n" if indent else ""
        source = start + "".join(f"{indent}{line}\n" for line in lines)
        path.write_text(source, "utf-8")
        assert set(code._imported(path, PACKAGE)) == by_the_parser(source)

    check()
