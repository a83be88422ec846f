"""Every reader of a foreign file gives its content or one clear error, whatever the bytes are.

The suite tries a few damaged files of each kind; `.github/workflows/fuzz.yml` tries thousands.
"""

import contextlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger import audit
from mathledger.card import statement
from mathledger.chain.lock import parse_folder, parse_lock
from mathledger.core.errors import InputError
from mathledger.core.parsing import parse_json, parse_yaml
from mathledger.core.receipts import is_private
from mathledger.core.tables import read_rows
from mathledger.data import formats, readers, wheel
from mathledger.data.sources import Wheel
from mathledger.model import folder
from mathledger.model.gguf import check_gguf
from mathledger.run.lineage import Lineage
from mathledger.verify.statements import Statement
from tests.conftest import ROOT

MEMBER = "data/v0.json"
# A weekly run (`--hypothesis-profile=weekly`) tries the profile's number instead.
FEW = {"max_examples": 15} if settings.get_current_profile_name() == "fixed" else {}

Reader = Callable[[Path], Any]


def _json(path: Path) -> Any:
    return parse_json(path.read_bytes(), path.name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(str(error)) from None


def read_lock(path: Path) -> Any:
    content = parse_yaml(_text(path), path.name)
    return parse_lock(content, {"train", "mix", "model_card"}, path.name)


def read_ledger(path: Path) -> Any:
    return statement.parse(_json(path), path.name)


def read_lineage(path: Path) -> Any:
    return Lineage.read(_json(path), path.name)


def read_table(path: Path) -> Any:
    wanted = {"problem": "problem", "answer": "answer"}
    return list(readers.read_columns(path, path.name, wanted))


def read_wheel(path: Path) -> Any:
    source = Wheel("wheel", "MIT", "own", "1", "0" * 64, MEMBER)
    return wheel.extract(path, source, path.parent / "out")


def read_receipt(path: Path) -> bool:
    return is_private(path.parent)


def read_card(path: Path) -> Any:
    return audit.audit(path)


@cache
def valid(kind: str) -> bytes:
    """Return an intact file, so that a change of it reaches deep into its reader."""
    rows = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(20)]
    match kind:
        case "lock":
            return (ROOT / "dvc.lock").read_bytes()[:4000]
        case "ledger":
            return (ROOT / "model_card/ledger.json").read_bytes()
        case "card":
            return (ROOT / "model_card/README.md").read_text(encoding="utf-8")[:6000].encode()
        case "lineage":
            return (ROOT / "lineage/model_card.json").read_bytes()
        case "parquet":
            file = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows), file, compression="zstd")
            return file.getvalue()
        case "jsonl":
            return "".join(json.dumps(row) + "\n" for row in rows).encode()
        case "csv":
            lines = [f'"{row["problem"]}",{row["answer"]}\n' for row in rows]
            return ("problem,answer\n" + "".join(lines)).encode()
        case "wheel":
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(MEMBER, '{"problems": {}}' * 40)
            return file.getvalue()
        case "safetensors":
            from safetensors.numpy import save

            return bytes(save({"a.weight": np.zeros((4, 4), np.float32)}))
        case "gguf":
            return _gguf()
        case "folder":
            return json.dumps([{"md5": "0" * 32, "relpath": "a/b"}] * 3).encode()
        case "receipt":
            return json.dumps({"private": False, "files": {"a": {"sha256": "0" * 64}}}).encode()
        case _:
            found = {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"name": "a", "digest": {"sha256": "0" * 64}}],
                "predicateType": "urn:mathledger:reproduction:1",
                "predicate": {},
            }
            return json.dumps(found).encode()


def _gguf() -> bytes:
    """Return a GGUF file with two keys and one tensor."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    head += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    head += text(b"llama.block_count") + struct.pack("<II", 4, 1)
    head += text(b"a.weight") + struct.pack("<IQIQ", 1, 8, 0, 0)
    return head + b"\0" * (-len(head) % 32) + np.zeros(8, np.float32).tobytes()


READERS: dict[str, tuple[str, Reader]] = {
    "lock": ("dvc.lock", read_lock),
    "ledger": ("ledger.json", read_ledger),
    "card": ("README.md", read_card),
    "lineage": ("train.json", read_lineage),
    "parquet": ("rows.parquet", read_rows),
    "parquet_columns": ("part.parquet", read_table),
    "jsonl": ("rows.jsonl", read_table),
    "csv": ("rows.csv", read_table),
    "count": ("rows.jsonl", formats.count_rows),
    "wheel": ("own-1-py3-none-any.whl", read_wheel),
    "safetensors": ("model.safetensors", folder.check_weights),
    "gguf": ("model.gguf", check_gguf),
    "folder": ("folder.json", lambda path: parse_folder(_json(path), path.name)),
    "receipt": ("receipt.json", read_receipt),
    "statement": ("statement.json", lambda path: Statement.read(_json(path), path.name)),
}
KIND = {"parquet_columns": "parquet", "count": "jsonl"}  # readers that share a format

edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat", "replace"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=4,
)


def damaged(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """Apply some changes to the bytes, each at a share of their length."""
    for how, share, extra in changes:
        at = int(share * len(data))
        match how:
            case "flip" if data:
                data = data[:at] + bytes([data[at] ^ (1 << extra[0] % 8)]) + data[at + 1 :]
            case "cut":
                data = data[:at]
            case "insert":
                data = data[:at] + extra + data[at:]
            case "repeat":
                data = data[:at] + data[at : at + 4 * extra[0]] * 3 + data[at:]
            case _:
                data = data[:at] + extra + data[at + len(extra) :]
    return data


@pytest.mark.parametrize("name", READERS)
def test_the_intact_file_is_read(name: str, tmp_path: Path) -> None:
    """Otherwise the damage below would never reach beyond the first check."""
    if name == "statement":
        return  # it is intact only with all its keys, which test_reproduce.py has
    file, reader = READERS[name]
    (tmp_path / file).write_bytes(valid(KIND.get(name, name)))
    reader(tmp_path / file)


@pytest.mark.parametrize("name", READERS)
@settings(deadline=None, suppress_health_check=[*HealthCheck], **FEW)
@given(changes=edits, noise=st.none() | st.binary(max_size=200))
def test_damage_is_one_clear_error(
    name: str, changes: list[tuple[str, float, bytes]], noise: bytes | None, tmp_path: Path
) -> None:
    file, reader = READERS[name]
    data = noise if noise is not None else damaged(valid(KIND.get(name, name)), changes)
    path = tmp_path / file
    path.write_bytes(data)
    before = {each.name for each in tmp_path.iterdir()}
    with contextlib.suppress(InputError):
        reader(path)
    # A reader writes nothing but the member that it was asked for.
    assert {each.name for each in tmp_path.iterdir()} - before <= {"out"}
    assert {each.name for each in (tmp_path / "out").glob("*")} <= {Path(MEMBER).name}
