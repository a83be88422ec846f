"""Find the modules that some modules import, and hash them."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

_COMMENT = re.compile(rb"#.*")
# from MODULE import NAMES, or import MODULES; names in parentheses may span lines.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|.*)|import[ \t]+(.*))", re.MULTILINE
)
_NAME = re.compile(r"[\w.]+")


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
    """Return the package's modules that one module imports.

    Every process that needs a kernel asks this for some sixty modules. A pattern takes a tenth of
    the time of a parser. It may also match a line of a docstring, which names one module more.
    """
    source = _COMMENT.sub(b"", path.read_bytes()).decode()
    names = []
    for module, taken, imported in _IMPORT.findall(source):
        names += _NAME.findall(imported)
        names += [module, *(f"{module}.{name}" for name in _NAME.findall(taken))]
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
