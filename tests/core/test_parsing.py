"""A file that was torn or filled with anything is read, or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.parsing import parse_json, parse_yaml
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


def test_a_key_that_a_mapping_has_twice_is_named() -> None:
    """One of the two would win, and two readers may choose differently."""
    with pytest.raises(InputError, match="mapping of line 3 has the key 'b' twice"):
        parse_yaml("b: 1\na:\n  b: 1\n  c: 2\n  'b': 3\n", "a.yaml")
    assert parse_yaml("a: {b: 1}\nb: &x {c: 1}\nd: {<<: *x, c: 2}\n", "a.yaml")["d"] == {"c": 2}


@pytest.mark.parametrize("text", ["2026-11-30", "2026-11-30T10:00:00Z", "2026-11-30 10:00:00"])
def test_a_date_stays_a_text(text: str) -> None:
    assert parse_yaml(f"a: {text}", "a.yaml") == {"a": text}


TEXTS = st.text().filter(lambda text: "${" not in text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
        max_leaves=8,
    )
)
def test_what_omegaconf_writes_is_read_back(value: Any) -> None:
    """`python -m stages.params` writes params.yaml with OmegaConf."""
    content = {"a": value}
    assert parse_yaml(OmegaConf.to_yaml(OmegaConf.create(content)), "a.yaml") == content
