"""Multiple-choice rows become problems with lettered options, and the answer's letter is right."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.data import benchmarks
from mathledger.data.options import LETTERS, Options, asked
from mathledger.grading.grades import grade

COLUMNS = benchmarks.Columns("q", "a", None, {}, None)
LIST = Options(["o"], "index", False)
GPQA = Options(["right", "w1", "w2", "w3"], "text", True)
WORDS = st.text("abcxyz123 +-", min_size=1, max_size=8).filter(str.strip)


@settings(deadline=None, max_examples=30)
@given(st.lists(WORDS, min_size=2, max_size=10), st.data(), st.text(max_size=5), st.booleans())
def test_the_letter_names_the_right_option(
    texts: list[str], data: st.DataObject, name: str, is_shuffled: bool
) -> None:
    right = data.draw(st.integers(0, len(texts) - 1))
    row = {"id": name, "problem": "Which?", "answer": str(right), "options": texts}
    item = asked(row, Options(["o"], "index", is_shuffled))
    head, shown = item["problem"].split("\n\n", 1)
    by_letter = dict(line.split(" ", 1) for line in shown.split("\n"))
    assert head == "Which?"
    assert list(by_letter) == [f"({letter})" for letter in LETTERS[: len(texts)]]
    assert sorted(by_letter.values()) == sorted(text.strip() for text in texts)
    assert by_letter[item["answer"][:3]] == texts[right].strip()
    letter = item["answer"][1]
    as_letter = Options(["o"], "letter", is_shuffled)
    assert asked(row | {"answer": LETTERS[right]}, as_letter) == item
    assert grade(f"So \\boxed{{{letter}}}.", item["answer"], "choice").verdict == "correct"


def test_the_order_depends_on_the_item_alone() -> None:
    row = {"problem": "Which?", "answer": "7", "options": ["7", "8", "9", "10"]}
    texts = Options(["o"], "text", True)
    orders = {asked(row | {"id": str(number)}, texts)["problem"] for number in range(40)}
    letters = {asked(row | {"id": str(number)}, texts)["answer"] for number in range(40)}
    assert len(orders) > 10
    assert letters == {"(A) 7", "(B) 7", "(C) 7", "(D) 7"}
    other = row | {"options": ["10", "9", "8", "7"], "id": "3"}
    assert asked(other, texts) == asked(row | {"id": "3"}, texts)


@pytest.mark.parametrize(
    ("answer", "form", "texts", "message"),
    [
        ("4", "index", ["1", "2"], "an answer that is none of its 2 options"),
        ("E", "letter", ["1", "2", "3", "4"], "an answer that is none of its 4 options"),
        ("3", "letter", ["1", "2", "3", "4"], "mapping.options.answer=letter"),
        ("5", "text", ["1", "2"], "an answer that is none of its 2 options"),
        ("0", "index", ["1"], "has 1 options, not 2 to 10"),
        ("0", "index", ["1"] * 11, "has 11 options, not 2 to 10"),
    ],
)
def test_a_gold_answer_outside_the_options_is_one_line(
    answer: str, form: str, texts: list[str], message: str
) -> None:
    row = {"id": "x", "problem": "Which?", "answer": answer, "options": texts}
    with pytest.raises(InputError, match=message) as caught:
        asked(row, Options(["o"], form, False))  # type: ignore[arg-type]
    assert str(caught.value).startswith("item x has ")


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["0.5", "1/2", "2"], "(A)"),  # With equal options, only the letter says which is meant.
        (["5 cm", "6 cm"], "(A) 5 cm"),
        (["the ellipse", "the circle"], "(A) the ellipse"),
        (["2", "2", "3"], "(A)"),
    ],
)
def test_the_text_is_kept_if_it_tells_the_options_apart(texts: list[str], answer: str) -> None:
    row = {"id": "x", "problem": "Which?", "answer": "0", "options": texts}
    assert asked(row, LIST)["answer"] == answer


def test_files_of_each_kind_are_read(tmp_path: Path) -> None:
    """MMLU has a list and an index, GPQA a column for each option."""
    rows = [{"q": "Which?", "a": 1, "o": ["3", "4", None]}, {"q": "Who?", "a": 0, "o": ["I", "he"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.csv").write_text("q,a,o\nWhich?,1,\"['3', '4']\"\nWho?,0,\"['I', 'he']\"\n")
    read = [
        benchmarks.file_items([tmp_path / name], COLUMNS, LIST)
        for name in ("a.parquet", "a.jsonl", "a.csv")
    ]
    assert read[0] == read[1] == read[2]
    assert [item["answer"] for item in read[0]] == ["(B) 4", "(A) I"]
    assert read[0][0]["problem"] == "Which?\n\n(A) 3\n(B) 4"
    header = "q,right,w1,w2,w3\n"
    (tmp_path / "gpqa.csv").write_text(header + '"Why, then?",so,no,maybe,"a, b"\n')
    columns = benchmarks.Columns("q", "right", None, {}, None)
    (item,) = benchmarks.file_items([tmp_path / "gpqa.csv"], columns, GPQA)
    assert item["answer"].endswith(") so")
    assert item["answer"] in item["problem"].split("\n")
