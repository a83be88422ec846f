"""The link `sources`: a download that is not the pinned one is named, whatever its kind."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathledger.chain.chain import Chain
from mathledger.core.configuration import check
from mathledger.core.files import write_json
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_rows
from mathledger.data import benchmarks, local, receipts
from mathledger.data.sources import BenchmarkSource, CorpusSource
from mathledger.verify import sources
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project
from tests import forging

SECRET = "Quillon counts 17 geese and 25 ducks; how many birds?"
ROWS = [
    {"id": "a", "problem": SECRET, "answer": "42"},
    {"id": "b", "problem": "How many legs do 9 ducks have?", "answer": "18"},
]
COLUMNS = {"problem": "problem", "answer": "answer", "solution": None, "subsets": {}, "id": "id"}
CHAMP = {
    name: {"_text": f"Find {name}.", "_answer": "7", "category": "Algebra", "solution": {}}
    for name in ("P1", "P2")
}
EXAM = Path("data/download_benchmark/exam")
RAW = Path("data/download_corpus/raw")


def mapping(columns: Any) -> dict[str, Any]:
    return {"answer_type": "number", "max_items": None, "columns": columns}


@pytest.fixture(params=["local", "wheel", "practice"])
def project(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Make a project with a benchmark and a corpus, as the stages write them."""
    monkeypatch.chdir(tmp_path)
    rows = Path("own.jsonl")
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    wheel = Path("champ-1.0-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("champ/v0.json", json.dumps({"problems": CHAMP}))
    own = {"licence": "MIT", "files": {str(rows.absolute()): sha256(rows)}}
    of_wheel = {"package": "champ", "version": "1.0", "member": "champ/v0.json"}
    source, columns = {
        "local": ({"kind": "local", "private": True, **own}, COLUMNS),
        "wheel": ({"kind": "wheel", "licence": "MIT", "sha256": sha256(wheel), **of_wheel}, None),
        "practice": (
            {"kind": "practice", "licence": "MIT", "task": "chain_sum", "seed": 1, "num_items": 3},
            None,
        ),
    }[request.param]
    corpus = {"kind": "local", **own}
    content = {
        "benchmark": {"exam": {"source": source, "mapping": mapping(columns)}},
        "corpus": {"raw": {"source": corpus}},
        "models": {},
    }
    Path("params.yaml").write_text(yaml.safe_dump(content))
    checked = check("source", source, BenchmarkSource)
    if request.param == "wheel":
        (EXAM / "source").mkdir(parents=True)
        (EXAM / "source" / wheel.name).write_bytes(wheel.read_bytes())
        files = [EXAM / "source" / wheel.name]
    else:
        files = benchmarks.fetch(checked, EXAM / "source")
    how = check("mapping", mapping(columns), benchmarks.Mapping)
    metrics = benchmarks.write(checked, how, benchmarks.read(checked, how, files), EXAM)
    write_json(Path("metrics/download_benchmark/exam.json"), metrics)
    pinned = check("source", corpus, CorpusSource)
    local.fetch_local(pinned, RAW)
    receipts.write_receipt(RAW, receipts.identity(pinned), len(ROWS))
    made = Project(Chain("workspace", None, tmp_path), VerifyOptions())
    made.__dict__["settings"] = content
    yield made


def reasons(project: Project, tmp_path: Path) -> list[str]:
    """Return what the link finds about benchmark and corpus."""
    with sources.scratch() as name:
        found = list(sources._corpus(RAW, Path(name)))
        return found + list(sources._benchmark(project, "exam", Path(name) / "exam"))


def gold() -> None:
    forging.edit_rows(
        str(EXAM / "items.parquet"), lambda rows: [row.update(answer="8") for row in rows]
    )


def searched() -> None:
    forging.edit_rows(str(EXAM / "all_items.parquet"), lambda rows: rows.pop())


def pinned_file() -> None:
    for path in (EXAM / "source").glob("*"):
        path.write_bytes(path.read_bytes() + b"\n")


def raw_row() -> None:
    (RAW / "own.jsonl").write_text((RAW / "own.jsonl").read_text().replace("42", "43"))


def receipt() -> None:
    forging.edit_json(str(EXAM / "receipt.json"), lambda content: content.update(revision="v2"))


def stranger() -> None:
    (RAW / "more.jsonl").write_text(json.dumps(ROWS[0]) + "\n")


def count() -> None:
    forging.edit_json(
        "metrics/download_benchmark/exam.json", lambda content: content.update(num_in=10_000)
    )


def test_what_the_stages_wrote_holds(project: Project, tmp_path: Path) -> None:
    assert reasons(project, tmp_path) == []


@pytest.mark.parametrize("lie", [gold, searched, pinned_file, raw_row, receipt, stranger, count])
def test_a_lie_is_named_though_the_receipts_are_rehashed(
    project: Project, tmp_path: Path, lie: Callable[[], None]
) -> None:
    if lie is pinned_file and not (EXAM / "source").exists():
        pytest.skip("practice items have no file")
    lie()
    if lie is not receipt:
        forging.rehash_receipts()
    found = reasons(project, tmp_path)
    assert found, lie.__name__
    if lie is gold:
        assert any("items.parquet" in reason for reason in found)
    if project.settings["benchmark"]["exam"]["source"].get("private"):
        texts = [SECRET, *(str(row["answer"]) for row in read_rows(EXAM / "items.parquet"))]
        assert not [reason for reason in found if texts[0] in reason and "exam" in reason]


def test_a_benchmark_without_its_pinned_file_says_how_to_get_it(
    project: Project, tmp_path: Path
) -> None:
    files = list((EXAM / "source").glob("*"))
    for path in files:
        path.unlink()
    found = reasons(project, tmp_path)
    assert bool(found) == bool(files) and all("`dvc repro`" in each for each in found)
