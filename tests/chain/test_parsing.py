"""A file that was torn or filled with anything is read, or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mathledger.chain.parsing import parse_json, parse_yaml
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.run import params
from tests.conftest import ROOT

PARAMS = (ROOT / "params.yaml").read_bytes()
TORN = st.builds(
    lambda end, filler: PARAMS[:end] + filler,
    st.integers(0, 3000),
    st.sampled_from([b"", bytes(9), b"\xff", b": ${", b"\t- ["]),
)
ANY = (
    TORN
    | st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)


def of_file(read: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    def read_bytes(content: bytes, folder: Path) -> Any:
        (folder / "a.yaml").write_bytes(content)
        return read(folder / "a.yaml")

    return read_bytes


READERS: dict[str, Callable[[bytes, Path], Any]] = {
    "parse_yaml": lambda content, _: parse_yaml(content.decode("utf-8", "replace"), "a.yaml"),
    "parse_json": lambda content, _: parse_json(content, "a.json"),
    "params.read": of_file(params.read),
    "read_json": of_file(read_json),
}


@pytest.mark.parametrize("name", READERS)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=ANY)
@example(content=b"a: 2026-99-99")
@example(content=b"[" * 100_000)
@example(content=b"{a: " * 50_000)
@example(content=b"- " * 50_000)
@example(content=b"? " * 50_000)
@example(content="\n".join(f"{' ' * n}a:" for n in range(3000)).encode())
@example(content="\n".join(f"{' ' * n}- a:" for n in range(0, 3000, 2)).encode())
@example(content=b"a: ${b}")
@example(content=b"9" * 5000)
def test_any_content_is_read_or_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    try:
        READERS[name](content, tmp_path)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
