"""Benchmarks are pinned and canonical, and every evaluated item can be scored."""

import dataclasses
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.tables import BENCHMARK_ITEM, Row
from mathledger.data import benchmarks as download_benchmark
from mathledger.data import sources
from mathledger.data.wheel import fetch_wheel
from tests.conftest import Workspace

MAPPING = download_benchmark.Mapping(answer_type="number", max_items=None)


def item(name: str, answer: str | None = "3", problem: str = "What is 1 + 2?") -> Row:
    return {"id": name, "problem": problem, "answer": answer, "solution": None, "subsets": {}}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build a wheel `tiny_bench` that pip finds in a folder without an index."""
    path = tmp_path / "index/tiny_bench-1.0-py3-none-any.whl"
    path.parent.mkdir()
    problems = {"P1": {"_text": "1 + 2?", "_answer": "3", "category": "sum", "solution": {}}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_bench/v0.json", json.dumps({"problems": problems}))
        archive.writestr(
            "tiny_bench-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-bench\nVersion: 1.0\n",
        )
        archive.writestr(
            "tiny_bench-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_bench-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


def source(wheel: Path, **changes: str) -> sources.Wheel:
    fields = {"sha256": sha256(wheel), "member": "tiny_bench/v0.json", "version": "1.0"} | changes
    return sources.Wheel(kind="wheel", licence="MIT", package="tiny-bench", **fields)


def test_a_member_is_taken_out_of_a_wheel(wheel: Path, tmp_path: Path) -> None:
    file = fetch_wheel(source(wheel), tmp_path / "out")
    assert [row["id"] for row in download_benchmark.champ_items(file)] == ["P1"]


def test_a_wheel_with_other_bytes_is_refused(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has sha256 .* expected 0000"):
        fetch_wheel(source(wheel, sha256="0" * 64), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_member_is_named(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no member data/x\.json"):
        fetch_wheel(source(wheel, member="data/x.json"), tmp_path / "out")


def test_no_network_says_so(wheel: Path, tmp_path: Path) -> None:
    wheel.rename(wheel.with_suffix(".gone"))
    pinned = sources.Wheel(
        kind="wheel",
        licence="MIT",
        package="tiny-bench",
        version="1.0",
        sha256="0" * 64,
        member="tiny_bench/v0.json",
    )
    with pytest.raises(InputError, match=r"could not download tiny-bench==1\.0.*check the network"):
        fetch_wheel(pinned, tmp_path / "out")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([item("a", problem="")], "item a has no problem text"),
        ([item("a"), item("a")], "item id a occurs twice"),
        ([item("a"), item("")], "item 1 has no id"),
        ([item("a", answer="x^2")], "none of 1 items has an answer of type number"),
        ([item("a", answer=None), item("b", answer="  ")], "none of 2 items"),
    ],
)
def test_items_that_cannot_be_used_are_an_error(rows: list[Row], message: str) -> None:
    with pytest.raises(InputError, match=message):
        download_benchmark.select(rows, MAPPING)


def test_left_out_items_are_listed_with_their_reason() -> None:
    rows = [item("a"), item("b", answer="C(10, 5), or equivalently 252"), item("c")]
    rows += [item("d", answer=None), item("e", answer=" ")]
    kept, left_out = download_benchmark.select(rows, MAPPING)
    assert [row["id"] for row in kept] == ["a", "c"]
    assert left_out == [
        {"id": "b", "reason": "answer_is_not_a_number"},
        {"id": "d", "reason": "no_answer"},
        {"id": "e", "reason": "no_answer"},
    ]


def test_expressions_take_every_answer_as_it_is() -> None:
    expression = dataclasses.replace(MAPPING, answer_type="expression")
    rows = [item("a", answer="1,000"), item("b", answer=r"\frac{1}{2}")]
    kept, left_out = download_benchmark.select(rows, expression)
    assert [row["answer"] for row in kept] == ["1,000", r"\frac{1}{2}"] and not left_out
    assert {row["answer_type"] for row in kept} == {"expression"}


def test_numbers_lose_their_thousands_commas() -> None:
    rows = [item("a", answer="1,080"), item("b", answer="-12,345,678.5"), item("c", answer="7")]
    kept, _ = download_benchmark.select(rows, MAPPING)
    assert [row["answer"] for row in kept] == ["1080", "-12345678.5", "7"]


def test_integers_leave_other_numbers_out() -> None:
    """A leading zero, as in AIME answers, is ignored."""
    whole = dataclasses.replace(MAPPING, answer_type="integer")
    rows = [item("a", answer="025"), item("b", answer="1,080"), item("c", answer="0.5")]
    kept, left_out = download_benchmark.select(rows, whole)
    assert [row["answer"] for row in kept] == ["25", "1080"]
    assert left_out == [{"id": "c", "reason": "answer_is_not_an_integer"}]


def test_one_subset_is_evaluated_and_the_others_are_left_out() -> None:
    rows = [{**item("a"), "subsets": {"tier": "1", "year": "2"}}, item("c")]
    rows.append({**item("b"), "subsets": {"tier": "2", "year": "1"}})
    only = dataclasses.replace(MAPPING, only_subset={"tier": "1"})
    kept, left_out = download_benchmark.select(rows, only)
    assert [row["id"] for row in kept] == ["a"]
    assert {row["reason"] for row in left_out} == {"other_subset"} and len(left_out) == 2


COLUMNS = download_benchmark.Columns(
    problem="q", answer="a", solution="s", subsets={"level": "level", "part": "p"}, id="name"
)


def write_jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_columns_of_parquet_and_jsonl_are_mapped(tmp_path: Path) -> None:
    rows = [
        {"q": " 1 + 1? ", "a": 2.0, "s": "so 2", "level": 3, "p": "x", "name": 7},
        {"q": "1/2?", "a": 0.5, "s": "", "level": None, "p": "y", "name": 8},
    ]
    file = write_jsonl(tmp_path / "a.jsonl", *rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    expected: list[Row] = [
        {"id": "7", "problem": "1 + 1?", "answer": "2", "solution": "so 2"},
        {"id": "8", "problem": "1/2?", "answer": "0.5", "solution": None},
    ]
    expected[0]["subsets"] = {"level": "3", "part": "x"}
    expected[1]["subsets"] = {"part": "y"}
    assert download_benchmark.file_items([file], COLUMNS) == expected
    assert download_benchmark.file_items([tmp_path / "a.parquet"], COLUMNS) == expected


def test_an_answer_is_read_from_the_solution_and_rows_are_numbered_over_all_files(
    tmp_path: Path,
) -> None:
    columns = dataclasses.replace(COLUMNS, answer=None, subsets={}, id=None)
    one = write_jsonl(tmp_path / "one.jsonl", {"q": "?", "s": "9 * 120\n#### 1,080"})
    two = write_jsonl(tmp_path / "two.jsonl", {"q": "?", "s": "no answer"})
    items = download_benchmark.file_items([one, two], columns)
    assert [(row["id"], row["answer"]) for row in items] == [("0", "1080"), ("1", None)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"q": "secret"}\n{"q": secret}\n',
            r"a\.jsonl, row 1: not JSON: Expecting value at column",
        ),
        ('["secret"]\n', r"a\.jsonl, row 0: not a JSON object"),
        ('{"q": "secret", "x": 1}\n', r"row 0 has no column 'a', only q, x; correct the mapping"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_without_its_text(
    tmp_path: Path, text: str, message: str
) -> None:
    columns = dataclasses.replace(COLUMNS, solution=None, subsets={}, id=None)
    if "not a" not in message:
        columns = dataclasses.replace(columns, answer="a" if "column 'a'" in message else None)
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        download_benchmark.file_items([tmp_path / "a.jsonl"], columns)
    assert "secret" not in str(raised.value)


SECRETS = (
    "How many secret zyzzyvas are there?",
    "313373133731337",
    "Two secret quokkas?",
    "424242424242",
)


@pytest.fixture(scope="module")
def private(start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """Download a private benchmark; return the workspace and the printed output."""
    workspace = start.copy(tmp_path_factory.mktemp("private") / "project")
    file = write_jsonl(
        workspace.path.parent / "frontier.jsonl",
        {"id": "fm-1", "tier": 1, "problem": SECRETS[0], "answer": SECRETS[1]},
        {"id": "fm-2", "tier": 2, "problem": SECRETS[2], "answer": SECRETS[3]},
    )
    pin = f"benchmark.frontiermath_tier1.source.files={{{file}: '{sha256(file)}'}}"
    workspace.python("-m", "stages.params", "benchmark=[frontiermath_tier1]", pin)
    shown = workspace.python("-m", "stages.download_benchmark", "frontiermath_tier1")
    return workspace, shown


def test_a_private_benchmark_is_mapped(private: tuple[Workspace, str]) -> None:
    folder = private[0].path / "data/download_benchmark/frontiermath_tier1"
    assert pq.read_table(folder / "items.parquet")["problem"].to_pylist() == [SECRETS[0]]
    everything = pq.read_table(folder / "all_items.parquet").to_pylist()
    assert [(row["id"], row["is_evaluated"]) for row in everything] == [
        ("fm-1", True),
        ("fm-2", False),
    ]
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt["private"] is True and "source/frontier.jsonl" in receipt["files"]


def test_private_text_is_in_the_items_alone(private: tuple[Workspace, str]) -> None:
    """The text is neither printed nor in MLflow's store, scratch folders or git."""
    workspace, shown = private
    workspace.run("git", "add", "--all")
    search = ["grep", "-rlaF", "--exclude-dir=tests", "--exclude=*items.parquet"]
    search.append("--exclude-dir=source")  # the pinned file itself
    for secret in SECRETS:
        assert secret not in shown
        found = subprocess.run([*search, "--", secret, str(workspace.path)], capture_output=True)
        assert (found.returncode, found.stdout) == (1, b"")  # grep found nothing and had no error.
        assert not workspace.run(
            "git", "grep", "-lF", "--cached", secret, "--", ":!tests", ok=False
        )


def test_a_missing_private_file_says_what_to_do(private: tuple[Workspace, str]) -> None:
    workspace = private[0]
    params_file = workspace.path / "params.yaml"
    before = params_file.read_text()
    params_file.write_text(before.replace("/frontier.jsonl", "/gone.jsonl"))
    shown = workspace.python("-m", "stages.download_benchmark", "frontiermath_tier1", ok=False)
    params_file.write_text(before)
    assert "gone.jsonl; put it there, or correct source.files in conf/" in shown
    assert "Traceback" not in shown


def test_a_private_benchmark_without_a_file_says_what_to_do(private: tuple[Workspace, str]) -> None:
    shown = private[0].python("-m", "stages.params", "benchmark=[frontiermath_tier1]", ok=False)
    assert "benchmark.frontiermath_tier1.source.files" in shown
    assert "`python -m mathledger.data.pins local PATH` prints the lines" in shown


def test_a_file_without_columns_says_which_key_is_missing(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", {"problem": "?"})
    source = sources.LocalBenchmark(
        kind="local", licence="MIT", files={str(file): sha256(file)}, private=False
    )
    with pytest.raises(InputError, match=r"mapping\.columns: missing key"):
        download_benchmark.read(source, MAPPING, tmp_path / "scratch")


def test_the_choice_of_items_does_not_depend_on_their_order() -> None:
    rows = [item(f"i{number}") for number in range(50)]
    two = download_benchmark.Mapping(answer_type="number", max_items=7)
    assert download_benchmark.select(rows, two)[0] == download_benchmark.select(rows[::-1], two)[0]


def test_canonical_form(smoke: Workspace) -> None:
    for folder in sorted((smoke.path / "data/download_benchmark").iterdir()):
        table = pq.read_table(folder / "items.parquet")
        assert table.schema.equals(BENCHMARK_ITEM)
        assert table["id"].to_pylist() == sorted(set(table["id"].to_pylist()))
        everything = pq.read_table(folder / "all_items.parquet")
        assert everything.schema.equals(download_benchmark.ALL_ITEM)
        evaluated = {row["id"] for row in everything.to_pylist() if row["is_evaluated"]}
        assert evaluated == set(table["id"].to_pylist())
        receipt = json.loads((folder / "receipt.json").read_text())
        assert receipt["private"] is False
        assert receipt["num_rows"] == len(table) and len(receipt["items_digest"]) == 32


@pytest.mark.slow
def test_the_committed_champ_pin_is_what_the_index_serves(tmp_path: Path) -> None:
    """The real wheel (7 MB) has the pinned digest, the expected columns and gradable answers."""
    from mathledger.run import params

    pinned = params.load("benchmark.champ.source", sources.BenchmarkSource)
    rows = download_benchmark.champ_items(fetch_wheel(pinned, tmp_path))
    kept, left_out = download_benchmark.select(rows, MAPPING)
    assert len(rows) == 270 and len(kept) + len(left_out) == 270
    answers = {row["id"]: row["answer"] for row in kept}
    assert answers["P_Combinatorics_1"] == "239"
