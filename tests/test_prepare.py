"""Columns are mapped, answers are checked, and no row is removed without a reason."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id
from mathledger.core.tables import EXAMPLE, Row, read_rows
from mathledger.data import readers
from mathledger.filters import prepare
from mathledger.grading.judges import Judges
from tests.conftest import Workspace

NUMINA = prepare.Mapping(
    problem="problem", solution="solution", answer=None, source="source", messages="messages"
)
OPENMATH = prepare.Mapping(
    problem="problem",
    solution="generated_solution",
    answer="expected_answer",
    source="problem_source",
    messages=None,
)
LIMITS = prepare.Params(
    max_problem_chars=100,
    max_solution_chars=200,
    min_text_rate=0.2,
    max_foreign_rate=0.1,
    no_final_answer="remove",
    proofs="remove",
    check_answers=True,
    answer_timeout_s=5,
)


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    with Judges(LIMITS.answer_timeout_s, num_processes=1) as judges:
        yield judges


def write_raw(folder: Path, rows: list[Row], name: str = "a.jsonl") -> Path:
    """Write a downloaded corpus of one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "receipt.json").write_text(json.dumps({"files": {name: {}}}))
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), folder / name)
    else:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def sift(
    folder: Path,
    judges: Judges,
    mapping: prepare.Mapping = OPENMATH,
    limits: prepare.Params = LIMITS,
) -> tuple[pa.Table, pa.Table, dict[str, Any]]:
    """Return the kept rows, the removed rows and the metrics of a corpus."""
    tally = prepare.Tally()
    parts = [*prepare.sift("c", folder, mapping, limits, judges, tally)]
    kept = pa.concat_tables([pa.table(part).cast(EXAMPLE) for part, _ in parts])
    return kept, pa.concat_tables([part for _, part in parts]), tally.metrics()


def openmath(solution: Any, answer: Any = "4", problem: Any = "2+2?") -> Row:
    return {
        "problem": problem,
        "generated_solution": solution,
        "expected_answer": answer,
        "problem_source": "math",
    }


FOUR = r"\boxed{4}"


@pytest.mark.parametrize(
    ("raw_row", "expected"),
    [
        (openmath(r"2+2=4, so \boxed{4}"), None),
        (openmath(r"it is \boxed{\frac{8}{2}}"), None),
        (openmath(r"\boxed{5}"), "answer_mismatch"),
        (openmath(r"\boxed{-4}"), "answer_mismatch"),
        (openmath(r"\boxed{\frac{9}{2}}"), "answer_mismatch"),
        (openmath("so it is four"), "no_final_answer"),
        (openmath(r"it is $\boxed{}$"), "no_final_answer"),
        (openmath("so it is four", problem="Prove that 2+2 is 4."), "proof"),
        (openmath(FOUR, problem="Prove that 2+2 is 4."), None),
        (openmath(r"cut off in \boxed{4"), "truncated"),
        (openmath("first we add 2 and 2, then we..."), "truncated"),
        (openmath(r"so \begin{align*} 2+2 &"), "truncated"),
        (openmath(r"so \[ 2+2"), "truncated"),
        (openmath(r"so $$ 2+2"), "truncated"),
        (openmath(r"so $$ 2+2 \boxed{4}"), None),
        (openmath(r"\boxed{3} no, \boxed{4}"), "contradicts_itself"),
        (openmath(r"The answer is \boxed{3}. The answer is $\boxed{4}$."), "contradicts_itself"),
        (openmath(r"x=\boxed{3}, and y=\boxed{4}"), None),
        (openmath(None), "empty"),
        (openmath([FOUR]), None),
        (openmath([]), "empty"),
        (openmath(r"\boxed{4}", problem="   "), "empty"),
        (openmath(r"\boxed{4}", problem="2" * 101), "too_long"),
        (openmath("so " * 80 + r"\boxed{4}"), "too_long"),
        (openmath("4 apples\n#### 4"), None),
        (openmath("a form feed for a macro: \x0crac{8}{2}, " + FOUR), "non_text"),
        (openmath("one lost \ufffd, " + FOUR), "non_text"),
        (openmath("one half of a pair \ud835, " + FOUR), "non_text"),
        (openmath("{} [] () $$ -- ++ ** ~~ // !! 4"), "non_text"),
        (openmath("{'label': 'Solution', 'solution': 'It is \\boxed{4}.'}"), "non_text"),
        (openmath(r"{\bf Solution}: it is \boxed{4}"), None),
        (openmath("两个二相加等于四, " + FOUR), "foreign_script"),
        (
            openmath(
                "the angle \u03b3 of \u25b3ABC in \u211d\u00b2, Poincar\u00e9, \U0001d465: " + FOUR
            ),
            None,
        ),
    ],
)
def test_reason(raw_row: Row, expected: str | None, tmp_path: Path, judges: Judges) -> None:
    kept, removed, _ = sift(write_raw(tmp_path, [raw_row]), judges)
    assert (len(kept), removed["reason"].to_pylist()) == (
        (1, []) if expected is None else (0, [expected])
    )


def test_a_reason_comes_with_what_was_expected_and_found(tmp_path: Path, judges: Judges) -> None:
    rows = [openmath(r"\boxed{5}"), openmath(FOUR, problem="2" * 101), openmath("求求求" + FOUR)]
    _, removed, _ = sift(write_raw(tmp_path, rows), judges)
    evidence = {row["origin_row"]: row["evidence"] for row in removed.to_pylist()}
    assert evidence == {
        0: {"expected": "4", "found": "5"},
        1: {"expected": "problem up to 100 characters", "found": "101 characters"},
        2: {"expected": "up to 10% of letters neither Latin nor Greek", "found": "37.5%"},
    }


def test_policies_keep_what_they_name(tmp_path: Path, judges: Judges) -> None:
    rows = [
        openmath("so it is four"),
        openmath("so it is four", problem="Show that 2+2 is 4."),
        openmath(r"\boxed{5}"),
        openmath("两个二相加等于四, " + FOUR),
    ]
    folder = write_raw(tmp_path, rows)

    def removed(**policies: Any) -> list[str]:
        table = sift(folder, judges, limits=replace(LIMITS, **policies))[1]
        return sorted(table["reason"].to_pylist())

    every = ["answer_mismatch", "foreign_script", "no_final_answer", "proof"]
    assert removed() == every
    assert removed(no_final_answer="keep") == ["answer_mismatch", "foreign_script", "proof"]
    assert removed(proofs="keep") == ["answer_mismatch", "foreign_script", "no_final_answer"]
    assert removed(check_answers=False) == ["foreign_script", "no_final_answer", "proof"]
    assert removed(max_foreign_rate=1.0) == ["answer_mismatch", "no_final_answer", "proof"]


@pytest.mark.slow
def test_what_cannot_be_compared_is_kept_and_counted(tmp_path: Path, judges: Judges) -> None:
    rows = [
        openmath(FOUR),
        openmath(r"\boxed{\frac{8}{2}}"),
        openmath(r"\boxed{5}"),
        openmath(r"\boxed{(B)}"),
        openmath(r"\boxed{" + "4" * 1001 + "}"),
    ]
    limits = replace(LIMITS, max_solution_chars=2000)
    kept, removed, metrics = sift(write_raw(tmp_path, rows), judges, limits=limits)
    assert (len(kept), len(removed)) == (4, 1)
    assert metrics["num_answers_compared"] == 5
    assert metrics["answers_by_verdict"] == {
        "equal": 2,
        "different": 1,
        "unreadable": 1,
        "too_costly": 1,
    }


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_messages_must_be_problem_and_solution(name: str, tmp_path: Path, judges: Judges) -> None:
    row = {"problem": "2+2?", "solution": FOUR, "source": "s"}
    said = [{"role": "user", "content": " 2+2?\n"}, {"role": "assistant", "content": FOUR}]
    chats: list[Any] = [
        said,
        [said[0], {"role": "assistant", "content": r"\boxed{5}"}],
        [{"role": "user", "content": "3+1?"}, said[1]],
        [{"role": "system", "content": "Think."}, *said],
        [],
        None,
    ]
    folder = write_raw(tmp_path, [row | {"messages": chat} for chat in chats], name)
    kept, removed, _ = sift(folder, judges, NUMINA)
    assert kept["origin_row"].to_pylist() == [0]
    evidence = {each["origin_row"]: each["evidence"] for each in removed.to_pylist()}
    assert set(removed["reason"].to_pylist()) == {"messages_differ"}
    assert evidence == {
        1: {"expected": FOUR, "found": r"\boxed{5}"},
        2: {"expected": "2+2?", "found": "3+1?"},
        3: {"expected": "2 messages", "found": "3"},
        4: {"expected": "2 messages", "found": "0"},
        5: {"expected": "2 messages", "found": "0"},
    }


CHATS_ALONE = prepare.Mapping(
    problem=None, solution=None, answer="result", source=None, messages="conversations"
)


def test_a_corpus_of_chats_gives_problems_and_solutions(tmp_path: Path, judges: Judges) -> None:
    def row(*said: tuple[str, str]) -> Row:
        return {"conversations": [{"from": who, "value": text} for who, text in said], "result": 4}

    asked, answered = ("human", " 2+2? "), ("gpt", FOUR)
    raw = [
        row(asked, answered),
        row(("system", "Be brief."), ("human", "1+3?"), answered),
        row(asked, answered, ("human", "Why?"), answered),
        row(answered, asked),
        row(("human", "2+3?"), ("gpt", r"\boxed{5}")),
        row(asked, ("gpt", " ")),
    ]
    kept, removed, metrics = sift(write_raw(tmp_path, raw), judges, CHATS_ALONE)
    assert sorted(kept["problem"].to_pylist()) == ["1+3?", "2+2?"]
    assert kept["solution"].to_pylist() == [FOUR, FOUR]
    reasons = dict(
        zip(removed["origin_row"].to_pylist(), removed["reason"].to_pylist(), strict=True)
    )
    differ = "messages_differ"
    assert reasons == {2: differ, 3: differ, 4: "answer_mismatch", 5: "empty"}
    assert metrics["num_in"] == 6


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"problem": "p", "messages": "m"}, "must both be columns, or both be null"),
        ({"solution": "s", "messages": "m"}, "must both be columns, or both be null"),
        ({}, "messages must be a column"),
    ],
)
def test_a_mapping_names_where_the_problem_is(columns: dict[str, str], message: str) -> None:
    every = dict.fromkeys(("problem", "solution", "answer", "source", "messages"))
    with pytest.raises(InputError, match=message):
        check("corpus.c.mapping", every | columns, prepare.Mapping)


def test_the_answer_is_the_references_or_else_the_solutions(tmp_path: Path, judges: Judges) -> None:
    rows = [
        openmath(r"\boxed{\frac{8}{2}}", answer=" 4 "),
        openmath(r"\boxed{1{,}250}", answer=None),
        openmath(r"\boxed{4}", answer=4),
    ]
    kept, _, _ = sift(write_raw(tmp_path, rows), judges)
    assert kept["answer"].to_pylist() == ["4", "1250", "4"]


def test_an_id_is_the_hash_of_corpus_problem_and_solution() -> None:
    def id_of(*parts: str) -> str:
        corpus, problem, solution = parts
        (found,) = readers.ids(corpus, pa.array([problem]), pa.array([solution])).to_pylist()
        assert len(found) == len(content_id(*parts)) == 32
        return str(found)

    assert id_of("c", "né", "b") == id_of("c", "né", "b")
    different = [("c", "ab", "c"), ("c", "a", "bc"), ("d", "ab", "c"), ("c", "c", "ab")]
    assert len({id_of(*parts) for parts in different}) == 4
    pair = readers.ids("c", pa.array(["x", "ab"]), pa.array(["y", "c"]))
    assert pair[1].as_py() == id_of("c", "ab", "c")


def test_batches_and_processes_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judges: Judges
) -> None:
    rows = [
        openmath(rf"\boxed{{\frac{{{number}}}{{2}}}}", str(number // 2)) for number in range(40)
    ]
    folder = write_raw(tmp_path, rows)
    kept, removed, metrics = sift(folder, judges)
    monkeypatch.setattr(readers, "ROWS", 7)
    with Judges(LIMITS.answer_timeout_s, num_processes=2) as two:
        again = sift(folder, two)
    order = [("origin_row", "ascending")]
    assert again[0].equals(kept) and again[2] == metrics
    assert again[1].sort_by(order).equals(removed.sort_by(order))
    assert metrics["num_kept"] == 20


def test_rows_add_up_and_lead_back_to_the_download(smoke: Workspace) -> None:
    for folder in sorted((smoke.path / "data/prepare").iterdir()):
        raw_folder = smoke.path / "data/download_corpus" / folder.name
        kept, removed = (read_rows(folder / f"{part}.parquet") for part in ("kept", "removed"))
        metrics = json.loads((smoke.path / f"metrics/prepare/{folder.name}.json").read_text())
        lines = (raw_folder / "train.jsonl").read_text().splitlines()
        assert len(kept) + len(removed) == len(lines) == metrics["num_in"]
        assert pq.read_schema(folder / "kept.parquet").equals(EXAMPLE)
        assert sorted(row["origin_row"] for row in kept + removed) == list(range(len(lines)))
        assert [row["id"] for row in kept] == sorted(row["id"] for row in kept)
        for row in kept:
            assert json.loads(lines[row["origin_row"]])["problem"] == row["problem"]
        assert all(row["reason"] for row in removed)
        assert [path.name for path in folder.iterdir() if "parquet" not in path.suffix] == []


def test_every_planted_wrong_answer_is_found(smoke: Workspace) -> None:
    metrics = json.loads((smoke.path / "metrics/prepare/tiny_numinamath_cot.json").read_text())
    assert metrics["removed_by_source"] == {"planted_wrong_answer": 2}
    assert metrics["removed_by_reason"] == {"contradicts_itself": 2}


def test_a_missing_column_is_named(smoke_copy: Workspace) -> None:
    params = smoke_copy.path / "params.yaml"
    params.write_text(params.read_text().replace("generated_solution", "response"))
    shown = smoke_copy.repro("prepare@tiny_openmathinstruct2", ok=False)
    assert "has no column 'response'" in shown and "generated_solution" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("line", [b"{oops", b'{"problem": "\xff"}', b'["a list"]'])
def test_a_line_that_is_not_a_json_object_is_named(line: bytes, tmp_path: Path) -> None:
    write_raw(tmp_path, [openmath("x")])
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(InputError, match=r"a\.jsonl, row 1: .*(JSON|UTF-8)"):
        list(readers.batches(tmp_path, vars(OPENMATH)))


@pytest.mark.parametrize(
    ("column", "value", "wants"),
    [("problem", 4, "a number, not text"), ("messages", "2+2?", "text, not a list of messages")],
)
def test_a_column_of_another_type_is_named(
    column: str, value: Any, wants: str, tmp_path: Path
) -> None:
    row = {"problem": "2+2?", "solution": FOUR, "source": "s", "messages": None} | {column: value}
    write_raw(tmp_path, [row], "a.parquet")
    with pytest.raises(InputError, match=rf"a\.parquet, row 0: column '{column}' holds {wants}"):
        list(readers.batches(tmp_path, vars(NUMINA)))


def test_prepare_reads_as_many_rows_as_were_counted(tmp_path: Path) -> None:
    folder = write_raw(tmp_path / "raw", [openmath(FOUR), openmath("so it is four")])
    for count in (2, 3):
        (folder / "receipt.json").write_text(
            json.dumps({"num_rows": count, "files": {"a.jsonl": {}}})
        )
        if count == 2:
            metrics = prepare.filter_rows("c", folder, tmp_path / "out", OPENMATH, LIMITS)
            assert metrics["num_in"] == 2
            continue
        with pytest.raises(InputError, match="has 2 rows, but its receipt counts 3"):
            prepare.filter_rows("c", folder, tmp_path / "out", OPENMATH, LIMITS)


def test_parquet_and_jsonl_give_the_same_rows(tmp_path: Path) -> None:
    rows = [openmath(r"\boxed{4}", answer=4), openmath(r"\boxed{5}", answer=None)]
    found = []
    for name in ("a.jsonl", "a.parquet"):
        folder = write_raw(tmp_path / name, rows, name)
        (batch,) = readers.batches(folder, vars(OPENMATH))
        found.append(batch.drop_columns(["origin_file"]))
    assert found[0].equals(found[1])


def test_nothing_left_is_an_error(smoke_copy: Workspace) -> None:
    shown = smoke_copy.run(
        "dvc", "exp", "run", "-S", "experiment=smoke", "-S", "prepare.max_problem_chars=1",
        "prepare", ok=False,
    )  # fmt: skip
    assert "rows were removed" in shown and "conf/prepare/" in shown
