"""A private problem, solution or answer is found in every form and file, and nothing else is."""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import quopri
import sqlite3
import struct
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather

from mathledger import publish
from mathledger.core.errors import InputError
from mathledger.publish import file_texts, private_texts

ITEM = {
    "id": "Q7",
    "problem": (
        "Let $\\Lambda$ be the lattice spanned by $(5,9)$ and $(9,17)$ over the integers; how "
        "many points\nof $\\Lambda$ satisfy $x^2+y^2\\leq 42^2$ and $\\dfrac{x}{2} \\neq \\nu$? "
        '"Prove" it.'
    ),
    "answer": "918273642",
    "solution": (
        "We count the lattice points row by row & column by column; the sum <telescopes>, so that "
        "the naïve bound of Gauß gives \\boxed{918273642} after $\\nabla$ is applied twice."
    ),
}
PRIVATE: dict[str, list[dict[str, Any]]] = {"secretbench": [ITEM]}


def is_found(folder: Path, public: tuple[str, ...] = ()) -> bool:
    """Return True if the folder is refused, and check that it is deleted then."""
    try:
        publish.refuse_private_texts(folder, PRIVATE, public)
    except InputError as error:
        assert "item Q7 of secretbench, which is private" in str(error)
        assert not folder.exists()
        return True
    return False


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "HTML": html.escape,
    "HTML numbers": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "URL": urllib.parse.quote,
    "URL with plus": urllib.parse.quote_plus,
    "Python": repr,
    "ASCII": ascii,
    "Markdown": lambda text: "".join(f"\\{each}" if each in "*_$#<>[]" else each for each in text),
    "quoted": lambda text: "> " + text.replace(" ", "\n> "),
    "comment": lambda text: "# " + text.replace("\n", "\n# "),
    "bold words": lambda text: " ".join(f"<b>{each}</b>" for each in html.escape(text).split()),
    "capitals": str.upper,
    "hard spaces": lambda text: text.replace(" ", "\u00a0"),
    "soft hyphens": lambda text: "\u00ad".join(text),
    "full width": lambda text: "".join(
        chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text
    ),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 of gzip": lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
    "base64 of zlib": lambda text: base64.b64encode(zlib.compress(text.encode())).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "octal as in git": lambda text: "".join(
        chr(byte) if byte < 127 and chr(byte) != "\\" else f"\\{byte:03o}" for byte in text.encode()
    ),
    "mail": lambda text: quopri.encodestring(text.encode()).decode(),
    "a header of mail": lambda text: quopri.encodestring(text.encode(), header=True).decode(),
    "JavaScript": lambda text: "".join(
        each if each.isalnum() and each.isascii() else f"%u{ord(each):04x}" for each in text
    ),
    "hexadecimal": lambda text: text.encode().hex(),
    "CSV": lambda text: '1,"' + text.replace('"', '""') + '",2',
}


@pytest.mark.parametrize("part", ["problem", "solution"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found(form: str, part: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    text = f"before it {FORMS[form]('See: ' + ITEM[part])} after it\n"
    (folder / "notes.md").write_text(text, encoding="utf-8")
    assert is_found(folder)


@pytest.mark.parametrize(
    "number", ["918273642", "918,273,642", "918{,}273{,}642", "918\\,273\\,642"]
)
@pytest.mark.parametrize("form", ["as it is", "JSON", "HTML", "quoted", "HTML numbers", "base64"])
def test_an_answer_is_found(form: str, number: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes").write_text(FORMS[form](f"The answer is \\boxed{{{number}}}."))
    assert is_found(folder)


def in_parquet(text: str) -> bytes:
    table = pa.table({"rows": [[{"role": "user", "content": text}]], "n": [1]})
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def in_parquet_metadata(text: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"note": text}), file)
    return file.getvalue()


def in_a_column(text: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({text: pa.array([], pa.int64())}), file)
    return file.getvalue()


def in_an_inner_field(text: str) -> bytes:
    inner = pa.field("n", pa.int64(), metadata={"note": text})
    schema = pa.schema([pa.field("rows", pa.list_(pa.struct([inner])))])
    file = io.BytesIO()
    pq.write_table(schema.empty_table(), file)
    return file.getvalue()


def in_two_columns(text: str) -> bytes:
    file = io.BytesIO()
    columns = [pa.array([text]), pa.array(["nothing"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["n", "n"]), file, compression="zstd")
    return file.getvalue()


def before_the_footer(text: str) -> bytes:
    whole = in_parquet("x")
    at = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    return whole[:at] + text.encode() + whole[at:]


def in_feather(text: str) -> bytes:
    file = io.BytesIO()
    feather.write_feather(pa.table({"n": [text]}), file, compression="zstd")
    return file.getvalue()


def in_stream(compression: str) -> Callable[[str], bytes]:
    def pack(text: str) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, compression) as packed:
            packed.write(text.encode())
        return bytes(sink.getvalue())

    return pack


def in_zip_of_parquet(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.parquet", in_two_columns(text))
    return file.getvalue()


def in_zip(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.bin", gzip.compress(text.encode()))
    return file.getvalue()


def in_safetensors(text: str) -> bytes:
    head = json.dumps({"__metadata__": {"note": text}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(range(256)) * 8


def in_png(text: str) -> bytes:
    content = b"Comment\0\0" + zlib.compress(text.encode("latin-1", "replace"))
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + b"\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk


def in_sqlite(text: str) -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("create table a (b text)")
    database.execute("insert into a values (?)", (text,))
    database.commit()
    return database.serialize()


FILES: dict[str, Callable[[str], bytes]] = {
    "tokenizer.json": lambda text: json.dumps({"added_tokens": [{"content": text}]}).encode(),
    "run.py": lambda text: f"PROBLEM = {text!r}".encode(),
    "train.log": str.encode,
    "LICENSE": str.encode,
    "page.xhtml": lambda text: html.escape(text).encode(),
    "notes.utf16": lambda text: text.encode("utf-16"),
    "bare.utf16": lambda text: text.encode("utf-16-le"),
    "notes.utf32": lambda text: text.encode("utf-32"),
    "notes.latin": lambda text: text.encode("latin-1", "replace"),
    "rows.parquet": in_parquet,
    "rows.dat": in_parquet,
    "schema.parquet": in_parquet_metadata,
    "a column.parquet": in_a_column,
    "an inner field.parquet": in_an_inner_field,
    "two columns.parquet": in_two_columns,
    "before the footer.parquet": before_the_footer,
    "rows.feather": in_feather,
    "parquet.zip": in_zip_of_parquet,
    "a.zst": in_stream("zstd"),
    "a.lz4": in_stream("lz4"),
    "a.gz": lambda text: gzip.compress(text.encode()),
    "a.bz2": lambda text: bz2.compress(text.encode()),
    "a.xz": lambda text: lzma.compress(text.encode()),
    "a.whl": in_zip,
    "model.safetensors": in_safetensors,
    "plot.png": in_png,
    "mlflow.db": in_sqlite,
    "pytorch_model.bin": lambda text: b"\x80\x02\xff\0" + text.encode() + b"\0\xfe" * 99,
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_whatever_its_suffix(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / ".hidden").mkdir(parents=True)
    (folder / ".hidden" / name).write_bytes(FILES[name](f"x\n{ITEM['problem']}\ny"))
    assert is_found(folder)


def test_a_name_of_a_file_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "918273642.txt").write_text("nothing")
    assert is_found(folder)


@pytest.mark.parametrize(
    "text",
    [
        # Typeset differently.
        ITEM["problem"].replace("\\dfrac{x}{2}", "\\frac x2").replace("\\leq", "≤"),
        ITEM["problem"].replace("$", "").replace("\\neq", "≠").replace("\\nu", "\u03bd"),
        # A long passage of it, cut off as a card cuts its samples.
        ITEM["problem"][:150] + "…",
    ],
)
def test_another_typesetting_and_a_passage_are_found(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "README.md").write_text(f"A sample.\n\n> {text}\n")
    assert is_found(folder)


def test_texts_over_the_edge_of_a_part_and_deep_in_a_large_binary_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_texts, "LARGE", 1 << 12)
    monkeypatch.setattr(file_texts, "PART", 4000)
    monkeypatch.setattr(file_texts, "OVERLAP", 1000)
    noise = bytes((each * 37 + 11) % 256 & 0x9F for each in range(20_000))
    cases = {"large.bin": noise + ITEM["problem"].encode() + noise}
    for place in (2800, 3000, 3900, 6900):
        cases[f"{place}.md"] = ("filler " * place)[:place].encode() + ITEM["problem"].encode()
    for name, content in cases.items():
        folder = tmp_path / "out"
        folder.mkdir()
        (folder / name).write_bytes(content)
        assert is_found(folder), name


@pytest.mark.parametrize(
    "text",
    [
        "Let us count the points of the lattice that lie within the closed disc of radius 42.",
        "The values 0.918273642 and 918273642.5, the digest a918273642b0 and 9182736421.",
        "How many points satisfy it? Prove it. The answer is 42.",
        "\\boxed{918273643}",
        "%zz \\q &nope; &#xffffffffff; \\ud800 \\U99999999 <<<< =====" + "A" * 101,
    ],
)
def test_other_texts_are_not_found(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "README.md").write_text(text)
    (folder / "empty.bin").write_bytes(b"")
    assert not is_found(folder)


def test_what_a_public_benchmark_has_too_is_not_found() -> None:
    """A stock phrase and an answer of a public item are not secrets."""
    stock = "Find the sum of all primes."
    items = [{"id": "1", "problem": stock, "answer": "918273645", "solution": None}]
    closed = private_texts.search({"b": items}, [])
    assert closed.find(f"{stock} It is x.") and closed.find("It is 918273645.")
    opened = private_texts.search({"b": items}, [f"{stock} It is 918273645."])
    assert not opened.find(f"{stock} It is 918273645.")


def test_a_variant_of_a_public_template_is_not_found() -> None:
    template = (
        "A gardener plants {} rows of tulips with {} bulbs in each row, and the rabbits eat one "
        "bulb in every row during the first night. How many bulbs are left in the garden?"
    )
    items = [{"id": "1", "problem": template.format(17, 23), "answer": "374", "solution": None}]
    search = private_texts.search({"b": items}, [template.format(4, 9)])
    assert not search.find(f"The model got: {template.format(12, 31)}")
    assert search.find(f"The model got: {template.format(17, 23)}")


def test_an_archive_that_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a.zip").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InputError, match=r"a\.zip cannot be unpacked"):
        publish.refuse_private_texts(folder, PRIVATE)
    assert not folder.exists()


NAMES = st.sampled_from(sorted(FORMS))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("abcdefghijklmnopqrstuvwxyzäßπ0123456789", min_size=3, max_size=9),
             min_size=8, max_size=30, unique=True),
    NAMES,
    NAMES,
)  # fmt: skip
def test_two_forms_one_inside_another_are_found(words: list[str], one: str, other: str) -> None:
    """A text that is escaped, and then quoted or packed somewhere else, is still found."""
    text = " ".join(words) + "?"
    search = private_texts.search(
        {"b": [{"id": "1", "problem": text, "answer": None, "solution": None}]}, []
    )
    # Upper case and full-width letters destroy an escape or a digit of base64 inside them.
    if other not in ("capitals", "full width", "soft hyphens", "bold words", "quoted"):
        for space in " \n":
            form = FORMS[other](FORMS[one](text))
            assert search.find(f"so{space}{form}{space}far")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    try:
        found = list(file_texts.texts(path))
    except InputError:
        return
    for text in found:
        private_texts.views(text)
