"""Find the modules that some modules import, and hash them."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def with_imports(modules: Iterable[Path], package: Path) -> list[Path]:
    """Return the modules and all modules of the package that they import, at any depth."""
    needed: set[Path] = set()
    waiting = list(modules)
    while waiting:
        path = waiting.pop()
        if path not in needed:
            needed.add(path)
            waiting += _imported(path, package)
    return sorted(needed)


def _imported(path: Path, package: Path) -> list[Path]:
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    places = [
        package.parent.joinpath(*name.split("."))
        for name in names
        if name.partition(".")[0] == package.name
    ]
    files = [place for base in places for place in (base.with_suffix(".py"), base / "__init__.py")]
    return [file for file in files if file.is_file()]


def modules_digest(modules: Iterable[Path], package: Path) -> str:
    """Return the sha256 of the names and contents of some modules of a package."""
    digest = hashlib.sha256()
    for path in modules:
        content = path.read_bytes()
        name = path.relative_to(package).as_posix()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
