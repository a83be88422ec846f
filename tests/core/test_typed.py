"""Records are read from JSON Lines as they were written, and a bad line is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.core.typed import Record


class Named(Record):
    name: str


def read(folder: Path, content: bytes) -> list[Named]:
    file = folder / "names.jsonl"
    file.write_bytes(content)
    return Named.read_lines(file, written_by="make names")


@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\r\x85\u2028\x1c"))
    ),
    is_ascii=st.booleans(),
)
def test_lines_are_read_as_they_were_written(
    names: list[str], is_ascii: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [json.dumps({"name": name}, ensure_ascii=is_ascii) + "\n" for name in names]
    found = read(tmp_path_factory.mktemp("lines"), "".join(lines).encode())
    assert [each.name for each in found] == names


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b"", b'{"name": "\xff"}', b"[" * 10_000])
def test_a_line_that_is_not_an_object_is_named(line: bytes, tmp_path: Path) -> None:
    message = r"names\.jsonl:2 is not a JSON object: `make names` writes it"
    with pytest.raises(InputError, match=message):
        read(tmp_path, b'{"name": "a"}\n' + line + b"\n")


def test_a_line_with_another_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names\.jsonl:1: age: unknown key"):
        read(tmp_path, b'{"name": "a", "age": 1}\n')


def test_no_file_holds_no_records(tmp_path: Path) -> None:
    assert Named.read_lines(tmp_path / "names.jsonl", written_by="make names") == []
