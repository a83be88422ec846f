"""Compare stored files with those that a link wrote again, and name what differs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mathledger.core.errors import InputError
from mathledger.core.files import json_text, read_json
from mathledger.core.tables import read_rows

MAX_NAMED = 5  # differences named for one file; the others are counted


def differences(stated: Any, again: Any, where: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the differences of two JSON values: the dotted key, and the value on each side.

    >>> list(differences({"a": [1, 2]}, {"a": [1, 3]}))
    [('a.1', '2', '3')]
    """
    if isinstance(stated, dict) and isinstance(again, dict):
        for key in [*stated, *(key for key in again if key not in stated)]:
            inner = f"{where}.{key}" if where else str(key)
            if key not in stated or key not in again:
                has = ["present" if key in each else "missing" for each in (stated, again)]
                yield inner, has[0], has[1]
            else:
                yield from differences(stated[key], again[key], inner)
        if list(stated) != list(again) and stated.keys() == again.keys():
            yield where or "predicate", "in a different order", "as written"
    elif isinstance(stated, list) and isinstance(again, list) and len(stated) == len(again):
        for number, (one, other) in enumerate(zip(stated, again, strict=True)):
            yield from differences(one, other, f"{where}.{number}" if where else str(number))
    elif stated != again or type(stated) is not type(again):
        yield where, short(stated), short(again)


def short(value: Any) -> str:
    """Return a value as JSON for a message, cut to 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def files_below(folder: str | Path) -> list[Path]:
    """Return the sorted paths in a folder that are no folders; a link to a folder is one."""
    return sorted(each for each in Path(folder).rglob("*") if each.is_symlink() or each.is_file())


def folders(stored: Path, again: Path, shows_text: bool = True) -> Iterator[str]:
    """Compare all files of two folders.

    Args:
        shows_text: False if the files hold a private text.
    """
    names = {path.relative_to(again) for path in files_below(again)}
    found = {path.relative_to(stored) for path in files_below(stored)}
    for name in sorted(found - names):
        yield f"{stored / name} is not made by its stage: remove it"
    for name in sorted(names):
        yield from files(stored / name, again / name, shows_text)


def files(stored: Path, again: Path, shows_text: bool = True) -> Iterator[str]:
    """Compare a stored file with the one written again, byte for byte."""
    if not stored.is_file():
        yield f"{stored} is missing: run `dvc pull`"
        return
    if stored.samefile(again):  # linked, because it may be large and is not made again
        return
    old, new = stored.read_bytes(), again.read_bytes()
    if old == new:
        return
    try:
        named = list(_named(stored, again, shows_text))
    except InputError as error:  # the file is damaged
        named = [str(error)]
    yield from named[:MAX_NAMED]
    if len(named) > MAX_NAMED:
        yield f"{stored}: {len(named) - MAX_NAMED} more differences"


def _named(stored: Path, again: Path, shows_text: bool) -> Iterator[str]:
    match stored.suffix:
        case ".parquet":
            yield from _rows(stored, again, shows_text)
        case ".json":
            yield from values(stored, read_json(stored), read_json(again), shows_text)
        case ".csv" | ".jsonl" | ".html" | ".md":
            yield from _lines(stored, again, shows_text)
        case _:
            yield f"{stored} differs from what its stage writes"


def json_file(stored: Path, stated: Any, computed: Any) -> Iterator[str]:
    """Compare a JSON file with its computed content, to the byte."""
    if stored.read_text(encoding="utf-8") != json_text(computed):
        yield from values(stored, stated, computed)


def values(stored: Path, stated: Any, computed: Any, shows_text: bool = True) -> Iterator[str]:
    """Compare the content of a JSON file with what is computed again."""
    for where, old, new in differences(stated, computed):
        what = f"{where} " if where else ""
        is_number = {type(old), type(new)} <= {str} and _are_numbers(old, new)
        if shows_text or is_number:
            yield f"{stored}: {what}is {old}, but recomputing gives {new}"
        else:
            yield f"{stored}: {what}differs from the recomputed value"
    if stated == computed:
        yield f"{stored} is not formatted as its stage writes it"


def _are_numbers(*texts: str) -> bool:
    return all(text.replace(".", "", 1).replace("-", "", 1).isdigit() for text in texts)


def _rows(stored: Path, again: Path, shows_text: bool) -> Iterator[str]:
    """Compare two parquet files row by row."""
    old, new = read_rows(stored), read_rows(again)
    if len(old) != len(new):
        yield f"{stored} has {len(old)} rows, but its stage writes {len(new)}"
    for number, (one, other) in enumerate(zip(old, new, strict=False)):
        if one == other:
            continue
        name = next((f"{key} {one[key]}" for key in ("id", "item_id") if one.get(key)), "")
        for column in [*one, *(each for each in other if each not in one)]:
            if one.get(column) != other.get(column):
                where = f"{stored}: row {number}{f' ({name})' if name else ''}: {column}"
                if shows_text:
                    change = (short(one.get(column)), short(other.get(column)))
                    yield f"{where} is {change[0]}, but its stage writes {change[1]}"
                else:
                    yield f"{where} differs from what its stage writes"
    if old == new:
        by = [pq.read_metadata(path).created_by for path in (stored, again)]
        how = f"by {by[0]}, here by {by[1]}" if by[0] != by[1] else "with other metadata"
        yield f"{stored} has the rows that its stage writes, but was written {how}"


def _lines(stored: Path, again: Path, shows_text: bool) -> Iterator[str]:
    """Name the first line that differs in two text files."""
    old, new = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (stored, again)
    )
    for number, (one, other) in enumerate(zip(old, new, strict=False), 1):
        if one != other:
            at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
            start = max(0, at - 20)
            text = f": {one[start : start + 60]!r}" if shows_text else ""
            yield f"{stored}:{number} differs from what its stage writes{text}"
            return
    yield f"{stored} has {len(old)} lines, but its stage writes {len(new)}, or other line endings"
