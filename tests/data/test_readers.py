"""Corpora and benchmarks read the same text from every form of a value, or refuse it alike."""

import gzip
import io
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.data import benchmarks, formats, readers

COLUMNS = {"problem": "q", "solution": "s", "answer": "a"}
ITEMS = benchmarks.Columns(problem="q", answer="a", solution="s", subsets={}, id=None)
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def pack(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return bytes(pa.compress(data, "zstd", asbytes=True)) if name.endswith(".zst") else data


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(pack(name, data))
    return path


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def jsonl(answers: Sequence[str]) -> bytes:
    """Return rows whose answers are given as JSON."""
    rows = [f'{{"q": "q", "s": "s", "a": {answer}}}\n' for answer in answers]
    return "".join(rows).encode("utf-8", "surrogatepass")


def csv_file(answers: Sequence[str]) -> bytes:
    """Return rows whose answers are given as cells of CSV."""
    return "".join(["q,s,a\r\n", *(f"q,s,{answer}\r\n" for answer in answers)]).encode()


def corpus(path: Path) -> list[Any] | str:
    """Return a corpus's answers, or the error; the rows are those that `download_corpus` counts."""
    try:
        parts = [*readers.read_columns(path, path.name, COLUMNS)]
        rows = [text for part in parts for text in part["answer"].to_pylist()]
        assert formats.count_rows(path) == len(rows)
        return [(text or "").strip() or None for text in rows]
    except InputError as error:
        assert "\n" not in str(error) and str(error).isprintable() and path.name in str(error)
        return str(error)


def benchmark(path: Path) -> list[Any] | str:
    """Return a benchmark's answers, or the error."""
    try:
        return [row["answer"] for row in benchmarks.file_items([path], ITEMS)]
    except InputError as error:
        return str(error)


def read(path: Path) -> list[Any] | str:
    found = corpus(path)
    assert benchmark(path) == found
    return found


@dataclass(frozen=True)
class Form:
    """The same answers in parquet, JSONL and CSV, and what is read from them or refused."""

    name: str
    arrow: Callable[[], pa.Array]
    json: Sequence[str] | None
    csv: Sequence[str] | None
    found: list[str | None] | str

    def __str__(self) -> str:
        return self.name


def dictionary(values: Sequence[Any], of: pa.DataType) -> pa.Array:
    return pa.array(values, of).dictionary_encode()


TEXTS, TEXT = ["x", None, "né"], ['"x"', "null", '"né"']
WHOLE, WHOLES = ["70", None, "-3"], ["70", "null", "-3"]
LONG = ["1" + "0" * 4998 + "1"]
PRINTED = ["['70']", "['2', '-3']", "['12\\\\%']", '["1", "2"]', "[0, 1]", "['2' '3']", "['a', 2]"]
FORMS = [
    *(
        Form(str(of), lambda of=of: pa.array(TEXTS, of), TEXT, ["x", "", "né"], ["x", None, "né"])
        for of in (pa.string(), pa.large_string(), pa.string_view())
    ),
    *(
        Form(
            str(of),
            lambda of=of: pa.array(TEXTS).cast(pa.binary()).cast(of),
            TEXT,
            ["x", "", "né"],
            ["x", None, "né"],
        )
        for of in (pa.binary(), pa.large_binary(), pa.binary_view())
    ),
    Form("fixed binary", lambda: pa.array([b"ab", None], pa.binary(2)), None, None, ["ab", None]),
    Form("dictionary", lambda: dictionary(TEXTS, pa.string()), TEXT, None, ["x", None, "né"]),
    Form("int dictionary", lambda: dictionary([70, None, -3], pa.int8()), WHOLES, None, WHOLE),
    Form("null", lambda: pa.nulls(2), ["null", "null"], ["", ""], [None, None]),
    *(
        Form(str(of), lambda of=of: pa.array([70, None, -3], of), WHOLES, ["70", "", "-3"], WHOLE)
        for of in (pa.int8(), pa.int32(), pa.int64())
    ),
    Form("uint64", lambda: pa.array([2**64 - 1], pa.uint64()), None, None, [str(2**64 - 1)]),
    *(
        Form(
            str(of),
            lambda of=of: pa.array([70.0, None, -3.0, math.nan, 0.5, -0.0], of),
            ["70.0", "null", "-3.0", "NaN", "0.50", "-0.0"],
            ["70.0", "", "-3.0", "nan", "0.5", "-0.0"],
            ["70", None, "-3", None, "0.5", "0"],
        )
        for of in (pa.float16(), pa.float32(), pa.float64())
    ),
    Form("a short float", lambda: pa.array([0.1], pa.float32()), ["0.1"], ["0.1"], ["0.1"]),
    Form("a tiny float", lambda: pa.array([1e-7]), ["1e-7"], None, ["0.0000001"]),
    Form(
        "a large float", lambda: pa.array([1e16, 1e22]), ["1e16", "1E+22"], ["1e+16", "1e22"],
        ["1" + "0" * 16, "1" + "0" * 22],
    ),
    *(
        Form(
            str(of),
            lambda of=of: pa.array([Decimal("70.00"), None, Decimal("-0.50")], of),
            ["70.00", "null", "-0.50"],
            None,
            ["70", None, "-0.5"],
        )
        for of in (pa.decimal32(4, 2), pa.decimal128(5, 2), pa.decimal256(60, 2))
    ),
    Form("5,000 digits", lambda: pa.array(LONG), LONG, LONG, [*LONG]),
    *(
        Form(
            str(of),
            lambda of=of: pa.array([["70"], None, ["2", "$-3$"], ["(1,2)", "(3,4)"]], of),
            ['["70"]', "null", '["2", "$-3$"]', '["(1,2)", "(3,4)"]'],
            ['"[""70""]"', "", "\"['2', '$-3$']\"", "\"['(1,2)', '(3,4)']\""],
            ["70", None, "2, -3", "(1,2), (3,4)"],
        )
        for of in (pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_(pa.string_view()))
    ),
    Form(
        "pairs", lambda: pa.array([["2", "3"], ["4", None]], pa.list_(pa.string(), 2)),
        ['["2", "3"]', '["4", null]'], None, ["2, 3", "4"],
    ),
    Form(
        "a list of numbers", lambda: pa.array([[70.0], [], [2.0, -3.5], [math.nan]]),
        ["[70.0]", "[]", "[2, -3.5]", "[NaN]"], None, ["70", None, "2, -3.5", None],
    ),
    Form("a printed list", lambda: pa.array(PRINTED), [json.dumps(each) for each in PRINTED], None,
          ["70", "2, -3", r"12\%", "1, 2", "[0, 1]", "['2' '3']", "['a', 2]"]),
    Form("a list of a list", lambda: pa.array([[["2", "3"]]]), ['[["2", "3"]]'], None, ["2, 3"]),
    Form("lists in a list", lambda: pa.array([[["2"], ["3"]]]), ['[["2"], ["3"]]'], None,
          "row 0: column 'a' holds a list of lists, not text, a number"),
    Form("boolean", lambda: pa.array([None, True]), ["null", "true"], None,
          "row 1: column 'a' holds a boolean, not text, a number or a list of them"),
    Form("booleans in a list", lambda: pa.array([[], [True]]), ["[]", "[true]"], None,
          "row 1: column 'a' holds a boolean, not text"),
    Form("struct", lambda: pa.array([None, {"final": "7"}]), ["null", '{"final": "7"}'], None,
          "row 1: column 'a' holds an object, not text"),
    Form("structs in a list", lambda: pa.array([None, [{"x": 7}]]), ["null", '[{"x": 7}]'], None,
          "row 1: column 'a' holds an object, not text"),
    Form("date", lambda: pa.array([date(2026, 1, 2)]), None, None,
          "row 0: column 'a' holds a value of type date32"),
    Form("infinite", lambda: pa.array([1.0, math.inf]), ["1", "Infinity"], ["1", "inf"],
          "row 1: column 'a' holds an infinite number, not text"),
    Form("cp1252 in binary", lambda: pa.array([b"x", b"\xe9"]), None, None,
          "row 1: column 'a' holds bytes that are not UTF-8, not text"),
    Form("a giant exponent", lambda: pa.nulls(0), ["1e999999999"], ["1e999999999"],
          "row 0: column 'a' holds a number with too many digits"),
    Form("an endless exponent", lambda: pa.nulls(0), ["1e" + "9" * 40], None,
          "row 0: column 'a' holds a number with too many digits"),
]  # fmt: skip


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_answer_is_the_same_in_every_form_and_format_for_both_readers(
    form: Form, compression: str, tmp_path: Path
) -> None:
    answers = form.arrow()
    same = pa.array(["q"] * len(answers)), pa.array(["s"] * len(answers))
    written = {"jsonl": form.json and jsonl(form.json), "csv": form.csv and csv_file(form.csv)}
    if len(answers):
        written["parquet"] = parquet(q=same[0], s=same[1], a=answers)
    for kind, data in written.items():
        if data:
            path = write(tmp_path, f"rows.{kind}{compression}", data)
            found = read(path)
            expected = form.found
            if isinstance(expected, str):
                expected = f"{path.name}, {expected}"
                assert isinstance(found, str) and found.startswith(expected), kind
            else:
                assert found == expected, kind


@pytest.mark.parametrize("column", ["q", "s"])
def test_a_problem_is_text_in_any_dress_and_no_number(column: str, tmp_path: Path) -> None:
    names = {"q": "problem", "s": "solution"}
    others = {each: pa.array(["text"] * 2) for each in ("q", "s", "a")}
    forms: list[tuple[pa.Array, list[Any], list[Any] | str]] = [
        (pa.array(["x", None], pa.string_view()), ["x", None], ["x", None]),
        (pa.array([b"x", None]), ["x", None], ["x", None]),
        (dictionary(["x", "x"], pa.string()), ["x", "x"], ["x", "x"]),
        (pa.array([["x"], []]), [["x"], []], ["x", None]),
        (pa.array([math.nan, None]), [math.nan, None], [None, None]),
        (pa.array([["x"], ["y", "z"]]), [["x"], ["y", "z"]], "row 1: .* a list of 2 values, not"),
        (pa.array([None, 5]), [None, 5], "row 1: .* a number, not text"),
        (pa.array([None, 5.5]), [None, 5.5], "row 1: .* a number, not text"),
        (pa.array([None, {"x": 1}]), [None, {"x": 1}], "row 1: .* an object, not text"),
    ]  # fmt: skip
    for number, (arrow, values, expected) in enumerate(forms):
        table = write(tmp_path, f"{number}.parquet", parquet(**(others | {column: arrow})))
        rows = [{"q": "text", "s": "text", "a": "text"} | {column: value} for value in values]
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        for path in (table, write(tmp_path, f"{number}.jsonl", lines)):
            if isinstance(expected, str):
                with pytest.raises(InputError, match=expected):
                    [*readers.read_columns(path, path.name, COLUMNS)]
                continue
            (part,) = readers.read_columns(path, path.name, COLUMNS)
            assert part[names[column]].to_pylist() == expected


def test_ids_and_subsets_may_be_numbers(tmp_path: Path) -> None:
    columns = benchmarks.Columns(
        problem="q", answer="a", solution=None, subsets={"level": "l"}, id="i"
    )
    rows = pa.table({"q": ["x"], "a": ["1"], "l": [5.0], "i": pa.array([7], pa.uint8())})
    pq.write_table(rows, tmp_path / "a.parquet")
    write(tmp_path, "a.jsonl", b'{"q": "x", "a": "1", "l": 5.0, "i": 7}')
    write(tmp_path, "a.csv", b"q,a,l,i\nx,1,5,7\n")
    for kind in ("parquet", "jsonl", "csv"):
        (item,) = benchmarks.file_items([tmp_path / f"a.{kind}"], columns)
        assert (item["id"], item["subsets"]) == ("7", {"level": "5"})


def test_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [str(number) if number % 3 else "[1, 2]" for number in range(50)]
    path = write(tmp_path, "a.jsonl", jsonl(answers))
    whole = read(path)
    monkeypatch.setattr(readers, "ROWS", 7)
    assert read(path) == whole
    monkeypatch.setattr(readers, "MAX_BYTES", 40)
    assert read(path) == whole
    write(tmp_path, "a.jsonl", jsonl([*answers, "true"]))
    assert "a.jsonl, row 50: column 'a' holds a boolean" in read(path)


# Values that nobody would expect.

TEXT_VALUES = st.text(st.characters(), max_size=6)
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30), st.floats(), st.floats(width=16), st.decimals(places=2)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), TEXT_VALUES, NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT_VALUES, inner, max_size=2),
    max_leaves=6,
)


def as_json(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value).replace("sNaN", "NaN") if value.is_finite() else "NaN"
    if isinstance(value, list):
        return f"[{', '.join(map(as_json, value))}]"
    if isinstance(value, dict):
        return (
            f"{{{', '.join(f'{json.dumps(key)}: {as_json(each)}' for key, each in value.items())}}}"
        )
    return json.dumps(value)


@quick
@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from(["", ".gz", ".zst"]))
def test_any_json_value_is_read_or_refused_by_both_readers(
    tmp_path: Path, values: list[Any], compression: str
) -> None:
    lines = [as_json(value) for value in values]
    found = read(write(tmp_path, f"any.jsonl{compression}", jsonl(lines)))
    if isinstance(found, list):
        assert len(found) == len(values)
        for value, text in zip(values, found, strict=True):
            if isinstance(value, str) and value.strip():
                assert text == readers_text(value).strip()
            if isinstance(value, int):
                assert text == str(value)
            if isinstance(value, float) and not math.isnan(value):
                assert float(str(text)) == value and "e" not in str(text).lower()


def readers_text(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@quick
@given(
    st.one_of(
        st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5)),
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
        st.lists(st.none() | st.floats()),
        st.lists(st.none() | st.booleans()),
        st.lists(st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=3)),
        st.lists(st.none() | st.lists(st.lists(st.just("x"), max_size=2), max_size=2)),
    ).filter(bool)
)
def test_parquet_and_jsonl_agree_on_any_column(tmp_path: Path, values: list[Any]) -> None:
    texts = pa.array(["t"] * len(values))
    table = write(tmp_path, "any.parquet", parquet(q=texts, s=texts, a=pa.array(values)))
    lines = write(tmp_path, "any.jsonl", jsonl([as_json(value) for value in values]))
    one, other = read(table), read(lines)
    if isinstance(one, str):
        one = one.replace("any.parquet", "any.jsonl")
    assert one == other


# Files as people keep them.


def test_marks_blank_lines_and_line_ends_mean_nothing(tmp_path: Path) -> None:
    rows = [b'{"q": "q", "s": "s", "a": %d}' % number for number in range(3)]
    for number, data in enumerate(
        [
            b"\n".join(rows),
            b"\r\n".join(rows) + b"\r\n\r\n  \n",
            b"\xef\xbb\xbf" + b"\n\n".join(rows) + b"\n",
            b"\n".join(b"\xef\xbb\xbf" + row for row in rows),  # `cat` of three files.
            b"\n \t\n" + b"\n".join(rows),
        ]
    ):
        assert read(write(tmp_path, f"{number}.jsonl", data)) == ["0", "1", "2"]
    for number, data in enumerate(
        [
            b"q,s,a\nq,s,0\nq,s,1\nq,s,2",
            b"\xef\xbb\xbfq,s,a\r\nq,s,0\r\n\r\nq,s,1\r\nq,s,2\r\n\r\n",
            b'"q","s","a"\n"q","s","0"\n"a\n\nb","s",1\nq,"say ""s""",2\n',
        ]
    ):
        assert read(write(tmp_path, f"{number}.csv", data)) == ["0", "1", "2"]


def test_a_quoted_cell_keeps_its_lines_and_commas(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b'q,s,a\n"1, 2\n\n3","a ""b""",007\n')
    (part,) = readers.read_columns(path, "a.csv", COLUMNS)
    assert [part[name][0].as_py() for name in COLUMNS] == ["1, 2\n\n3", 'a "b"', "007"]


def test_half_of_a_surrogate_pair_is_seen_by_both_readers(tmp_path: Path) -> None:
    """`prepare` removes such a row as non_text, and a benchmark leaves such an item out."""
    path = write(tmp_path, "a.jsonl", b'{"q": "half \\ud83d", "s": "s", "a": 1}\n' + jsonl(["2"]))
    (part,) = readers.read_columns(path, "a.jsonl", COLUMNS)
    assert part["problem"][0].as_py() == "half \ufffd"
    items = benchmarks.file_items([path], ITEMS)
    mapping = benchmarks.Mapping(answer_type="integer", max_items=None, columns=ITEMS)
    kept, left_out = benchmarks.select(items, mapping)
    assert [item["answer"] for item in kept] == ["2"]
    assert left_out == [{"id": "0", "reason": "lost_characters"}]


def test_an_integer_of_5000_digits_is_an_answer(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", jsonl([f'"0{"9" * 5000}"', "9" * 5000]))
    mapping = benchmarks.Mapping(answer_type="integer", max_items=None, columns=ITEMS)
    kept, _ = benchmarks.select(benchmarks.file_items([path], ITEMS), mapping)
    assert [item["answer"] for item in kept] == ["9" * 5000] * 2


def test_a_raw_row_is_the_one_that_was_read(tmp_path: Path) -> None:
    rows = [{"q": f"q{number}", "s": "s", "a": str(number)} for number in range(3)]
    blank = b"\xef\xbb\xbf\n" + "\n\n".join(json.dumps(row) for row in rows).encode()
    table = pa.Table.from_pylist(rows)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=2)
    data = {
        "jsonl": blank,
        "csv": b"q,s,a\nq0,s,0\n\nq1,s,1\nq2,s,2\n",
        "parquet": buffer.getvalue(),
    }
    for kind, content in data.items():
        for compression in ("", ".gz", ".zst"):
            name = f"a.{kind}{compression}"
            cached = write(tmp_path, name, content).rename(tmp_path / "0f")  # As in DVC's cache.
            for number, row in enumerate(rows):
                assert formats.raw_row(cached, name, number) == row
            assert formats.raw_row(cached, name, 3) is None


def test_a_raw_row_of_any_type_can_be_printed(tmp_path: Path) -> None:
    table = pa.table(
        {"d": [Decimal("0.50")], "b": [b"\xff"], "t": [date(2026, 1, 2)], "l": [[{"x": 1.5}]]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    row = formats.raw_row(tmp_path / "a.parquet", "a.parquet", 0)
    assert row == {"d": "0.5", "b": "\ufffd", "t": "2026-01-02", "l": [{"x": 1.5}]}
    path = write(
        tmp_path, "a.jsonl", b'{"n": 7, "f": 0.5, "s": "\\ud83d", "h": %s}' % (b"1" * 5000)
    )
    row = formats.raw_row(path, "a.jsonl", 0)
    assert row == {"n": 7, "f": 0.5, "s": "\ufffd", "h": "1" * 5000}
    json.dumps(row).encode()


@quick
@given(st.integers(-(10**15), 10**15), st.integers(0, 3))
def test_a_whole_number_is_the_same_in_every_form(
    tmp_path: Path, number: int, num_zeros: int
) -> None:
    zeros = "0" * num_zeros
    tokens = [
        f"{number}",
        f"{number}.{zeros or '0'}",
        f"{number}e0",
        f"{number * 10**num_zeros}e-{num_zeros}",
    ]
    for kind, data in (("jsonl", jsonl(tokens)), ("csv", csv_file(tokens))):
        assert read(write(tmp_path, f"n.{kind}", data)) == [str(number)] * len(tokens)
    for of in (pa.int64(), pa.float64(), pa.decimal128(38, num_zeros), pa.string()):
        value: Any = str(number) if of == pa.string() else number
        if pa.types.is_decimal(of):
            value = Decimal(number)
        data = parquet(q=["q"], s=["s"], a=pa.array([value], of))
        assert read(write(tmp_path, "n.parquet", data)) == [str(number)]


# Chats.

SAID = ["What is 7 * 11?", "It is 77."]
THOUGHT = "<think>\nSeven elevens.\n</think>\n\nIt is 77."
PARTS = [[{"type": "text", "text": "What is "}, {"type": "text", "text": "7 * 11?"}],
         [{"type": "text", "text": "It is 77."}]]  # fmt: skip
CHATS: list[tuple[str, Any, Any]] = [
    ("plain", [{"role": "user", "content": text} for text in SAID], SAID),
    ("parts", [{"role": "user", "content": parts} for parts in PARTS], SAID),
    ("sharegpt", [{"from": "human", "value": SAID[0]}, {"from": "gpt", "value": SAID[1]}], SAID),
    *(
        (
            name,
            [
                {"role": "user", "content": SAID[0], name: None},
                {"role": "assistant", "content": SAID[1], name: "\nSeven elevens.\n"},
            ],
            [SAID[0], THOUGHT],
        )
        for name in ("reasoning_content", "reasoning", "thinking")
    ),
    (
        "no thinking",
        [{"role": "user", "content": SAID[0], "reasoning_content": None},
         {"role": "assistant", "content": SAID[1], "reasoning_content": ""}],
        SAID,
    ),
    (
        "thinking twice",
        [{"role": "assistant", "content": THOUGHT, "reasoning_content": "Seven elevens."}],
        [THOUGHT],
    ),
    (
        "a thinking part",
        [{"content": [{"type": "thinking", "thinking": "Seven elevens.", "text": None},
                      {"type": "text", "thinking": None, "text": SAID[1]}]}],
        [THOUGHT],
    ),
    ("an object of lists", {"role": ["user", "assistant"], "content": SAID}, SAID),
    ("sharegpt in an object of lists", {"from": ["human", "gpt"], "value": SAID}, SAID),
    ("lists of different lengths", {"role": ["user"], "content": SAID},
     "an object of lists of different lengths"),
    ("a list and a text", {"role": "user", "content": SAID}, "an object"),
    ("a call", [{"role": "assistant", "content": None}], [None]),
    ("empty", [], []),
    ("null", None, None),
    ("an image", [{"content": [{"type": "image", "text": None}]}],
     "a message with a part that is not text"),
    ("a number", [{"role": "user", "content": 5}], "a number"),
    ("no content", [{"role": "user", "said": "x"}], "messages without content"),
    ("strings", ["x", "y"], "a message that is not an object"),
    ("true", True, "a boolean"),
    ("five", 5, "a number"),
    ("an object", {"content": "x"}, "an object"),
    ("a text", "2+2?", "text"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "chat", "found"), CHATS, ids=[each[0] for each in CHATS])
def test_a_chat_is_read_from_parquet_jsonl_and_json_text(
    name: str, chat: Any, found: Any, tmp_path: Path
) -> None:
    wanted = {"problem": "q", "messages": "m"}
    lines = f'{{"q": "q", "m": null}}\n{{"q": "q", "m": {json.dumps(chat)}}}\n'.encode()
    paths = [write(tmp_path, "a.jsonl", lines)]
    texts = pa.array(["q", "q"])
    paths.append(write(tmp_path, "a.parquet", parquet(q=texts, m=pa.array([None, chat]))))
    if name != "a text":
        text = json.dumps(chat)
        paths.append(write(tmp_path, "b.parquet", parquet(q=texts, m=pa.array([None, text]))))
        cell = text.replace('"', '""')
        paths.append(write(tmp_path, "a.csv", f'q,m\nq,\nq,"{cell}"\n'.encode()))
    for path in paths:
        if isinstance(found, str):
            with pytest.raises(
                InputError, match=rf"row 1: column 'm' holds {found}, not a list of"
            ):
                [*readers.read_columns(path, path.name, wanted)]
            continue
        (part,) = readers.read_columns(path, path.name, wanted)
        assert part["messages"].to_pylist() == [None, found]


KEYS = st.sampled_from(["content", "value", "role", "from", "text", "type", "reasoning_content"])
PIECES = st.sampled_from(["text", "thinking", "<think>x</think>", "", None, 5, True, "\ud83d"])
TURNS = st.lists(
    st.dictionaries(
        KEYS, PIECES | st.lists(PIECES | st.dictionaries(KEYS, PIECES, max_size=3), max_size=2)
    ),
    max_size=3,
)


@quick
@given(TURNS | PIECES | st.lists(PIECES, max_size=2))
def test_any_chat_is_read_or_refused_alike(tmp_path: Path, chat: Any) -> None:
    wanted = {"problem": "q", "messages": "m"}
    line = f'{{"q": "q", "m": {json.dumps(chat)}}}\n'.encode()
    text = json.dumps(json.dumps(chat)).encode()
    found = []
    for data in (line, b'{"q": "q", "m": ' + text + b"}"):
        path = write(tmp_path, "a.jsonl", data)
        try:
            (part,) = readers.read_columns(path, "a.jsonl", wanted)
            (contents,) = part["messages"].to_pylist()
            assert contents is None or len(contents) == len(chat)
            found.append(contents)
        except InputError as error:
            assert "row 0: column 'm' holds" in str(error) and str(error).isprintable()
            found.append(str(error))
    assert found[0] == found[1] or isinstance(chat, str | None)
    try:
        data = parquet(q=["q"], m=pa.array([chat]))
    except (pa.ArrowException, UnicodeEncodeError):
        return  # Parquet has no type for it.
    path = write(tmp_path, "a.parquet", data)
    try:
        (part,) = readers.read_columns(path, "a.jsonl", wanted)
    except InputError as error:
        assert isinstance(found[0], str) and "holds" in str(error)
    else:
        assert part["messages"].to_pylist() == [found[0]]


# Bad files, hostile or damaged.

LINE = b'{"q": "secret?", "s": "secret", "a": 1}\n'
TABLE = parquet(q=["secret?"] * 50, s=["secret"] * 50, a=[str(n) for n in range(50)])
CSV = b"q,s,a\nsecret?,secret,1\nsecret?,secret,2\n"
UTF16 = (LINE * 2).decode().encode("utf-16")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n"
BAD: dict[str, tuple[str, bytes, str]] = {
    "utf-16": ("a.jsonl", UTF16, "is not jsonl but UTF-16: convert it"),
    "utf-16 without a mark": ("a.jsonl", UTF16[2:], "row 0: NUL bytes"),
    "cp1252": ("a.jsonl", LINE + LINE.replace(b"?", b"\xe9"), "row 1: not UTF-8 at byte 13"),
    "utf-16 csv": ("a.csv", CSV.decode().encode("utf-16"), "is not csv but UTF-16"),
    "cp1252 csv": ("a.csv", CSV + b"\xe9,secret,3\n", "row 2: not UTF-8"),
    "cp1252 header": ("a.csv", b"q,s,a,\xe9\n", "first line: not UTF-8"),
    "not json": ("a.jsonl", LINE + b"{secret}\n", "row 1: not JSON: Expecting property name"),
    "truncated": ("a.jsonl", LINE + LINE[:20], "row 1: not JSON: Expecting ':'"),
    "cut in a text": ("a.jsonl", LINE[:10] + b"\n", "row 0: not JSON: Invalid control"),
    "filled with zeros": ("a.jsonl", LINE + b"\0" * 5000, "row 1: NUL bytes"),
    "zeros in a line": ("a.jsonl", LINE.replace(b"?", b"\0"), "row 0: NUL bytes"),
    "zeros alone": ("a.jsonl", b"\0" * 5000, "row 0: NUL bytes"),
    "zeros as csv": ("a.csv", CSV + b"\0" * 99 + b"\n", "row 2: NUL bytes"),
    "zeros as parquet": ("a.parquet", b"\0" * 5000, "is not a readable parquet file"),
    "an array": ("a.jsonl", b"[" + LINE + b"]\n", "row 0: not JSON"),
    "arrays": ("a.jsonl", b'["secret"]\n', "row 0: not a JSON object: write one object per line"),
    "a number": ("a.jsonl", b"5\n", "row 0: not a JSON object"),
    "two on a line": ("a.jsonl", LINE.strip() + LINE, "row 0: not JSON: Extra data"),
    "spread over lines": ("a.jsonl", LINE.replace(b", ", b",\n"), "row 0: not JSON"),
    "line ends of old": ("a.jsonl", LINE.replace(b"\n", b"\r") * 2, "row 0: not JSON: Extra data"),
    "a key twice": ("a.jsonl", LINE.replace(b'"s"', b'"q"'), "row 0: a key occurs twice"),
    "a key twice inside": ("a.jsonl", LINE.replace(b"1}", b'{"x":1,"x":2}}'), "a key occurs"),
    "a missing key": ("a.jsonl", LINE + b'{"q": "", "s": ""}\n', "row 1 has no column 'a'"),
    "no keys": ("a.jsonl", b"{}\n", "row 0 has no column 'q', only none;"),
    "keys with controls": ("a.jsonl", b'{"\\u001b[2J\\n": 1}\n', "has no column 'q'; correct"),
    "keys of text": ("a.jsonl", b'{"s": 1, "The secret is 1": 2}\n', "has no column 'q'; correct"),
    "many keys": ("a.jsonl", json.dumps({f"a{n}": 1 for n in range(99)}).encode(), ", ...;"),
    "a long key": ("a.jsonl", json.dumps({"q" * 99: 1}).encode(), "has no column 'q'; correct"),
    "nested deeply": ("a.jsonl", b'{"q": ' + b"[" * 200_000 + b"\n", "row 0: not JSON"),
    "a control sign": ("a.jsonl", LINE.replace(b"?", b"\x01"), "row 0: not JSON: Invalid control"),
    "an lfs pointer": ("a.jsonl", LFS, "is not jsonl but a Git LFS pointer: fetch the file itself"),
    "an lfs pointer as parquet": ("a.parquet", LFS, "is not parquet but a Git LFS pointer"),
    "an lfs pointer as csv": ("a.csv", LFS, "is not csv but a Git LFS pointer"),
    "a web page": ("a.jsonl", b"<!DOCTYPE html>\n<html>", "is not jsonl but a web page"),
    "parquet named jsonl": ("a.jsonl", TABLE, "is not jsonl but parquet: rename it to .parquet"),
    "parquet named csv": ("a.csv", TABLE, "is not csv but parquet: rename it"),
    "jsonl named parquet": ("a.parquet", LINE, "is not a readable parquet file"),
    "gzip without a name": ("a.jsonl", gzip.compress(LINE), "compressed by gzip: add .gz to"),
    "zstd without a name": ("a.jsonl", pack(".zst", LINE), "compressed by zstd: add .zst"),
    "gzip without a name, parquet": ("a.parquet", gzip.compress(TABLE), "compressed by gzip"),
    "a zip archive": ("a.jsonl", b"PK\x03\x04" + b"\0" * 99, "is not jsonl but a zip archive"),
    "an empty parquet": ("a.parquet", b"", "is not a readable parquet file"),
    "half a parquet": ("a.parquet", TABLE[: len(TABLE) // 2], "is not a readable parquet file"),
    "a parquet without its end": ("a.parquet", TABLE[:-1], "is not a readable parquet file"),
    "a damaged footer": ("a.parquet", TABLE[:-40] + b"\xff" * 30 + TABLE[-10:], "not a readable"),
    "a damaged page": ("a.parquet", TABLE[:4] + b"\xff" * 60 + TABLE[64:], "is not a readable"),
    "two columns in csv": ("a.csv", b"q,s,a,q\nx,y,1,z\n", "the first line names a column twice"),
    "no header": ("a.csv", b"secret?,secret,1\n", "first line has no column 'q'; correct"),
    "no header, twice": ("a.csv", b"secret?,secret,secret\n", "names a column twice"),
    "a short row": ("a.csv", CSV + b"secret?,secret\n", "row 2: 2 cells for 3 columns"),
    "a long row": ("a.csv", CSV + b"1,2,3,4\n", "row 2: 4 cells for 3 columns"),
    "semicolons": ("a.csv", CSV.replace(b",", b";"), "first line has no column 'q'; correct"),
    "an open quote": ("a.csv", CSV + b'"secret?,secret,3\n', "row 2: not CSV: unexpected end"),
    "a quote inside": ("a.csv", CSV + b'"a"b,secret,3\n', "row 2: not CSV: "),
    "another suffix": ("a.json", LINE, "a.json is neither .parquet, .jsonl nor .csv"),
    "an excel sheet": ("a.xlsx", b"PK\x03\x04", "a.xlsx is neither .parquet, .jsonl nor .csv"),
    "a suffix of two": ("a.jsonl.bz2", LINE, "a.jsonl.bz2 is neither"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "message"), BAD.values(), ids=[*BAD])
def test_a_bad_file_is_one_line_from_both_readers(
    name: str, data: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found = read(path)
    assert isinstance(found, str) and message in found, found
    assert "secret" not in found  # The benchmark may be private.


@pytest.mark.parametrize("compression", [".gz", ".zst"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-6],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\0" * 100,
        lambda data: LINE,
        lambda data: data + b"\x1f\x8bgarbage",
        lambda data: data[:9] + bytes(8) + data[17:],
    ],
)
def test_a_damaged_archive_is_one_line(
    damage: Callable[[bytes], bytes], compression: str, tmp_path: Path
) -> None:
    noise = bytes(random.Random(1).choices(b"abcdefgh", k=4000))
    whole = b'{"q": "secret %s", "s": "secret", "a": 1}\n' % noise
    for kind, data in (
        ("jsonl", whole),
        ("csv", b"q,s,a\n" + noise + b",s,1\n"),
        ("parquet", TABLE),
    ):
        path = tmp_path / f"a.{kind}{compression}"
        path.write_bytes(damage(pack(path.name, data)))
        found = read(path)
        assert isinstance(found, str) and path.name in found and "secret" not in found


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_LINE", 1000)
    long = LINE.replace(b"secret?", b"x" * 2000)
    assert "row 1: longer than" in read(write(tmp_path, "a.jsonl.gz", LINE + long))
    assert "an endless line" in read(write(tmp_path, "a.csv.gz", CSV + b"x" * 2000))
    assert "field larger than" in read(write(tmp_path, "b.csv", CSV + b'"' + b"x\n" * 900))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    texts = pa.array(["x"])
    table = pa.Table.from_arrays([texts] * 4, names=["q", "s", "a", "q"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == "a.parquet has two columns named q: rename one"
    table = pa.Table.from_arrays([texts] * 5, names=["q", "s", "a", "a secret", "a secret"])
    pq.write_table(table, tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet") == "b.parquet has two columns of one name: rename one"


@quick
@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, unique=True),
    st.sampled_from(["jsonl", "parquet"]),
)
def test_no_error_shows_a_text_in_the_place_of_a_columns_name(names: list[str], kind: str) -> None:
    texts = [f"{name} is 5?" for name in names]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{kind}"
        if kind == "parquet":
            table = pa.Table.from_arrays([pa.array(["x"])] * len(texts), names=texts)
            pq.write_table(table, path)
        else:
            path.write_text(json.dumps(dict.fromkeys(texts, "x")))
        found = read(path)
    assert found.endswith("has no column 'q'; correct the mapping in conf/")


@quick
@given(st.data())
def test_no_damage_is_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    name, whole = data.draw(
        st.sampled_from([("a.jsonl", LINE * 3), ("a.csv", CSV), ("a.parquet", TABLE)])
    )
    name += data.draw(st.sampled_from(["", ".gz", ".zst"]))
    damaged = bytearray(pack(name, whole))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        piece = data.draw(st.binary(max_size=4) | st.just(b"\0" * 8) | st.just(b"\xff\xfe"))
        match data.draw(st.sampled_from(["insert", "replace", "cut", "end"])):
            case "insert":
                damaged[at:at] = piece
            case "replace":
                damaged[at : at + len(piece)] = piece
            case "cut":
                del damaged[at : at + 7]
            case "end":
                del damaged[at:]
    path = tmp_path / name
    path.write_bytes(damaged)
    one, other = corpus(path), benchmark(path)
    # Arrow's threads decide which of two damaged columns an error names.
    assert one == other or (isinstance(one, str) and isinstance(other, str))


def test_numpy_writes_the_digits_of_its_width() -> None:
    from mathledger.data.values import float_text

    assert float_text(np.float16(0.1)) == float_text(np.float32(0.1)) == "0.1"
    assert float_text(np.float64(2.0**70)) == str(2**70)


# Corpora that hold only chats.

ASKED = st.sampled_from(["user", "human", "User", "prompter"])
ANSWERED = st.sampled_from(["assistant", "gpt", "model", "bot"])
OTHER = st.sampled_from(["system", "developer", "tool", "observation"])


@quick
@given(
    st.lists(st.tuples(ASKED | ANSWERED | OTHER, st.sampled_from(SAID)), max_size=4), st.booleans()
)
def test_one_question_and_its_answer_are_an_example(
    tmp_path: Path, said: list[tuple[str, str]], is_sharegpt: bool
) -> None:
    keys = ("from", "value") if is_sharegpt else ("role", "content")
    chat = [dict(zip(keys, turn, strict=True)) for turn in said]
    kept = [(role.lower(), text) for role, text in said if role not in ("system", "developer")]
    roles = [role for role, _ in kept]
    is_example = (
        len(roles) == 2
        and roles[0] in ("user", "human", "prompter")
        and roles[1] in ("assistant", "gpt", "model", "bot")
    )
    problem, solution = [text for _, text in kept] if is_example else (None, None)
    expected = {"problem": problem, "solution": solution, "messages": [text for _, text in kept]}
    line = json.dumps({"m": chat}).encode()
    columns = {key: [turn[key] for turn in chat] for key in keys}
    paths = [write(tmp_path, "a.jsonl", line)]
    paths.append(write(tmp_path, "b.jsonl", json.dumps({"m": columns}).encode()))
    if chat:
        paths.append(write(tmp_path, "b.parquet", parquet(m=pa.array([columns]))))
        paths.append(write(tmp_path, "a.parquet", parquet(m=pa.array([chat]))))
    for path in paths:
        (part,) = readers.read_columns(path, path.name, {"examples": "m"})
        assert part["examples"].to_pylist() == [expected]


def test_a_message_of_nobody_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", b'{"m": [{"content": "2+2?"}, {"content": "4"}]}')
    with pytest.raises(InputError, match="row 0: column 'm' holds a message without a role"):
        [*readers.read_columns(path, path.name, {"examples": "m"})]


@pytest.mark.slow
def test_a_small_parquet_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    """A text that a dictionary holds once may stand in every row."""
    text, num_rows = "x" * (1 << 20), 3 * readers.ROWS
    column = pa.DictionaryArray.from_arrays(pa.array([0] * num_rows, pa.int32()), pa.array([text]))
    pq.write_table(pa.table({"q": column}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 18
    parts = readers.read_columns(tmp_path / "a.parquet", "a.parquet", {"problem": "q"})
    before = pa.total_allocated_bytes()
    for _, part in zip(range(2), parts, strict=False):
        assert 0 < part["problem"].nbytes < 3 * readers.MAX_BYTES
        assert pa.total_allocated_bytes() - before < 6 * readers.MAX_BYTES
    parts.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [1, 255, 700, 5000])
def test_a_raw_row_is_found_in_any_row_group(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(1500)}), path, row_group_size=size)
    for number in (0, 254, 255, 256, 700, 1023, 1499):
        assert formats.raw_row(path, "a.parquet", number) == {"n": number}
    assert formats.raw_row(path, "a.parquet", 1500) is None
    assert [row["n"] for row in formats.raw_rows(path)] == list(range(1500))
