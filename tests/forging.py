"""Forge a finished state as somebody does who can rewrite everything.

`rehash` gives dvc.lock, lineage, receipts, the ledger's subjects, DVC's cache and git the digests
of the changed files, so that no digest names the change. `redraw` also writes ledger and card
again, as the pipeline does from what it finds.
"""

import contextlib
import csv
import io
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.lock import folder_md5
from mathledger.core.files import read_json, write_json, write_text
from mathledger.core.hashing import sha256
from mathledger.data import receipts
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project
from tests.conftest import clean_environment

OVERRIDES = ("experiment=smoke",)


def project() -> Project:
    """Return the project in the current folder, with nothing read yet."""
    return Project(Chain.open(), VerifyOptions(OVERRIDES, num_regenerated=2))


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], env=clean_environment(), check=True, capture_output=True)


def edit_rows(path: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the rows of a parquet file; a link to the cache is replaced by a file."""
    from mathledger.core.tables import write_rows

    schema, rows = pq.read_schema(path), pq.read_table(path).to_pylist()
    change(rows)
    Path(path).unlink()
    write_rows(Path(path), rows, schema)


def edit_json(path: str, change: Callable[[Any], Any]) -> None:
    """Change a JSON file."""
    content = read_json(Path(path))
    change(content)
    text = json.dumps(content, indent=1 if path == LEDGER else 2, ensure_ascii=False) + "\n"
    Path(path).unlink()
    Path(path).write_text(text, encoding="utf-8")


def edit_text(path: str, change: Callable[[str], str]) -> None:
    """Change a text file."""
    text = Path(path).read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text, path
    Path(path).unlink()
    Path(path).write_text(changed, encoding="utf-8")


def rehash_receipts() -> None:
    """Give each receipt the digests of its files, and each benchmark's that of its items."""
    from mathledger.data.benchmarks import items_digest

    for path in sorted(Path("data").rglob("receipt.json")):
        stated = read_json(path)
        head = {key: stated[key] for key in stated if key not in ("num_rows", "files")}
        items = path.with_name("items.parquet")
        if items.exists():
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                head["items_digest"] = items_digest(pq.read_table(items).to_pylist())
        path.unlink()
        write_json(path, receipts.content(path.parent, head, stated["num_rows"]))


def redraw() -> None:
    """Write ledger, card and plots again from the files, as the stage does."""
    from mathledger.card import files

    own = project()
    files.write(
        own.ledger_again, own.outputs, own.settings, Path("model_card"), Path("plots/model_card")
    )
    edit_json(LEDGER, lambda content: content.update(predicate=own.ledger_again.content()))


def rehash() -> None:
    """Recompute every digest, and commit the state."""
    from dvc.utils.serialize import dumps_yaml

    from mathledger.core.parsing import parse_yaml

    def subjects(content: Any) -> None:
        for each in content["subject"]:
            each["digest"]["sha256"] = sha256(Path(each["name"]))

    edit_json(LEDGER, subjects)
    lock = parse_yaml(Path("dvc.lock").read_text(), "dvc.lock")
    own = project()
    locked = own.chain.stages
    for stage in locked.values():  # lineage names the data that a stage read
        path = Path(stage.lineage)
        if stage.name != "model_card":
            _rehash_lineage(own, path)
    own = project()  # lineage has changed
    _rehash_lineage(own, Path("lineage/model_card.json"))
    for name, entry in lock["stages"].items():
        if name in locked:
            for each in [*entry.get("deps", []), *entry.get("outs", [])]:
                _rehash_entry(own, each)
    write_text(Path("dvc.lock"), dumps_yaml(lock))
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", "Better results")


def _rehash_lineage(own: Project, path: Path) -> None:
    content = read_json(path)
    for dep in content["deps"]:
        if not dep.startswith("lineage") or path.name == "model_card.json":
            content["deps"][dep] = _md5(own, dep)
    path.unlink()
    write_json(path, content)


def _md5(own: Project, path: str) -> str:
    return own.folder(path)[0] if Path(path).is_dir() else own.digests(path).md5


def _rehash_entry(own: Project, entry: dict[str, Any]) -> None:
    """Give an entry of dvc.lock the digest on disk, and store it in the cache."""
    path = entry["path"]
    cache = own.chain.cache
    if Path(path).is_dir():
        entry["md5"], entry["size"], entry["nfiles"] = own.folder(path)
        listed = {
            Path(file).relative_to(path).as_posix(): own.digests(file).md5
            for file in own.files_in(path)
        }
        assert folder_md5(listed) == entry["md5"]
        rows = [{"md5": md5, "relpath": name} for name, md5 in sorted(listed.items())]
        data = json.dumps(rows, sort_keys=True).encode()
        _store(cache, entry["md5"], data)
        for file in own.files_in(path):
            _store(cache, own.digests(file).md5, Path(file).read_bytes())
    else:
        found = own.digests(path)
        entry["md5"], entry["size"] = found.md5, found.size
        _store(cache, found.md5, Path(path).read_bytes())


def _store(cache: Path, md5: str, data: bytes) -> None:
    file = cache / md5[:2] / md5[2:]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


@contextlib.contextmanager
def restored(*paths: str) -> Iterator[None]:
    """Put the files back afterwards."""
    kept = {path: Path(path).read_bytes() for path in paths}
    try:
        yield
    finally:
        for path, data in kept.items():
            Path(path).unlink(missing_ok=True)
            Path(path).write_bytes(data)


@dataclass(frozen=True)
class Lie:
    """One changed value of one stored file."""

    path: str
    where: str

    def __str__(self) -> str:
        return f"{self.path}: {self.where}"


def other_value(value: Any, chance: random.Random) -> Any:
    """Return another value of the same type, or of the type that a null would have."""
    match value:
        case bool():
            return not value
        case int():
            return value + chance.choice([1, -1, 10, 1000])
        case float():
            return chance.choice([value + 0.25, value * 1.5 + 0.001, 0.999])
        case str():
            return chance.choice([f"{value} 7", value[:-1] or "x", "correct", "42"])
        case None:
            return "7"
        case list() if value:
            return [other_value(value[0], chance), *value[1:]]
        case dict() if value:
            key = chance.choice(sorted(value))
            return {**value, key: other_value(value[key], chance)}
        case tuple() if value:
            return (*value[:-1], other_value(value[-1], chance))
        case _:
            return value


def lie_in(path: str, chance: random.Random) -> Lie:
    """Change one field of a file, of a kind that fits its format."""
    match Path(path).suffix:
        case ".parquet":
            return _lie_in_rows(path, chance)
        case ".json":
            return _lie_in_json(path, chance)
        case ".csv":
            return _lie_in_csv(path, chance)
        case ".jsonl":
            lines = Path(path).read_text(encoding="utf-8").splitlines(True)
            at = chance.randrange(len(lines))
            row = json.loads(lines[at])
            key = chance.choice(sorted(row))
            row[key] = other_value(row[key], chance)
            lines[at] = json.dumps(row, ensure_ascii=False) + "\n"
            edit_text(path, lambda _: "".join(lines))
            return Lie(path, f"line {at + 1}, {key}")
        case _:
            data = bytearray(Path(path).read_bytes())
            at = chance.randrange(len(data))
            data[at] ^= 1 << chance.randrange(7)
            Path(path).unlink()
            Path(path).write_bytes(bytes(data))
            return Lie(path, f"byte {at}")


def _lie_in_rows(path: str, chance: random.Random) -> Lie:
    schema, rows = pq.read_schema(path), pq.read_table(path).to_pylist()
    how = chance.choice(["field", "field", "field", "lost", "twice"]) if rows else "none"
    if how == "none":
        return _with_metadata(path)
    at, column = chance.randrange(len(rows)), chance.choice(schema.names)
    if how == "lost":
        del rows[at]
    elif how == "twice":
        rows.insert(at, rows[at])
    else:
        old = rows[at][column]
        new = other_value(old, chance)
        if old is None and not pa.types.is_string(schema.field(column).type):
            return _with_metadata(path)
        rows[at][column] = new
        if new == old:
            return _with_metadata(path)
    from mathledger.core.tables import write_rows

    Path(path).unlink()
    write_rows(Path(path), rows, schema)
    return Lie(path, f"row {at} {how} {column}")


def _with_metadata(path: str) -> Lie:
    """Keep the rows, and add a line to the file's own metadata."""
    table = pq.read_table(path)
    Path(path).unlink()
    note = {**(table.schema.metadata or {}), b"checked_by": b"a third party"}
    pq.write_table(table.replace_schema_metadata(note), path)
    return Lie(path, "metadata")


def _lie_in_json(path: str, chance: random.Random) -> Lie:
    content = read_json(Path(path))
    leaves: list[tuple[Any, Any, str]] = []

    def walk(node: Any, where: str) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            leaves.append((node, key, f"{where}.{key}"))
            if isinstance(value, dict | list):
                walk(value, f"{where}.{key}")

    if isinstance(content, dict | list):
        walk(content, "")
    if not leaves or chance.random() < 0.15:
        if isinstance(content, dict):
            content["best_accuracy"] = 0.999
        else:
            content = [*content, {"id": "x", "reason": "y"}]
        where = "a key more"
    else:
        node, key, where = chance.choice(leaves)
        new = other_value(node[key], chance)
        if new == node[key]:  # an empty list or object
            new = "7"
        node[key] = new
    indent = 1 if path in (LEDGER, "model_card/croissant.json") else 2
    text = json.dumps(content, indent=indent, ensure_ascii=False) + "\n"
    edit_text(path, lambda _: text)
    return Lie(path, where)


def _lie_in_csv(path: str, chance: random.Random) -> Lie:
    rows = list(csv.reader(io.StringIO(Path(path).read_text(encoding="utf-8"))))
    at, column = chance.randrange(len(rows)), chance.randrange(len(rows[0]))
    rows[at][column] = chance.choice(["1.0", "0.999", f"{rows[at][column]}1"])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    if text.getvalue() == Path(path).read_text(encoding="utf-8"):
        rows[at][column] = "0.4321"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
    edit_text(path, lambda _: text.getvalue())
    return Lie(path, f"line {at + 1}, column {column + 1}")
