"""`mathledger pin` asks a hub for a benchmark's pins and writes them into its file."""

import json
import re
from pathlib import Path

import pytest
import yaml

from mathledger import cli
from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.data import benchmarks, sources
from tests.hub import Hub, commit_of

FILE = """\
# @package benchmark.exam
# Three items, of which the last has no answer.
defaults:
  - task: default
  - _self_

source:
  kind: hub  # the hub's
  licence: MIT
  repo: org/exam
  revision: {revision}   # a commit
  split: test
  num_rows: {rows}
  files: {files}
mapping:
  answer_type: {kind}
  max_items: null
  columns: {{problem: question, answer: answer, solution: null, subsets: {{}}, id: null}}
task:
  version: 1  # the first
about: an exam.
"""
BLOCK = "\n    # the only file\n    test.jsonl: null"


def pin(capsys: pytest.CaptureFixture[str], name: str = "exam") -> str:
    cli.main(["pin", "benchmark", name])
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture(autouse=True)
def exam(hub: Hub) -> None:
    folder = hub.folder / "datasets/org/exam"
    folder.mkdir(parents=True)
    rows = [{"question": f"{n} + 1?", "answer": n + 1 if n < 2 else None} for n in range(3)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(revision: str = "null", rows: int = 3, files: str = BLOCK, kind: str = "integer") -> Path:
    path = Path("conf/benchmark/exam.yaml")
    path.write_text(FILE.format(revision=revision, rows=rows, files=files, kind=kind))
    return path


@pytest.mark.parametrize("files", ["{test.jsonl: null}", "{'*.jsonl': null}", BLOCK])
@pytest.mark.parametrize("revision", ["null", "main", "~"])
def test_pins_are_written_and_all_else_stays(
    hub: Hub, capsys: pytest.CaptureFixture[str], files: str, revision: str
) -> None:
    path = write(revision, files=files)
    before = path.read_text()
    assert pin(capsys) == f"{path}: pinned, 2 items of 3\n"
    commit, digest = commit_of("datasets/org/exam"), hub.sha256("datasets/org/exam/test.jsonl")
    lines = f"\n    test.jsonl: {digest}"
    wanted = before.replace(f"revision: {revision} ", f"revision: {commit} ")
    wanted = wanted.replace(f" {files}" if files != BLOCK else files, lines)
    assert path.read_text().replace("files: \n", "files:\n") == wanted.replace(
        "files: \n", "files:\n"
    )
    assert pin(capsys) == f"{path}: pinned, 2 items of 3\n"  # The commit is kept.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 4}, r"org/exam at \w{40} has 3 rows, expected 4"),
        ({"files": "{other.jsonl: null}"}, r"org/exam has no file other.jsonl at \w{40}"),
        ({"files": "{'*.csv': null}"}, r"org/exam has no file \*\.csv at \w{40}"),
        ({"files": "null"}, r"source\.files: name it, then pin again"),
        ({"revision": "dev"}, r"org/exam has no commit dev"),
        ({"kind": "word"}, r"benchmark\.exam\.mapping\.answer_type: "),
    ],
)
def test_what_cannot_be_pinned_is_one_line_and_changes_nothing(
    hub: Hub, capsys: pytest.CaptureFixture[str], change: dict[str, str], message: str
) -> None:
    path = write(**change)  # type: ignore[arg-type]
    before = path.read_text()
    said = pin(capsys)
    assert re.search(message, said)
    assert said.startswith("mathledger pin: ")
    assert said.count("\n") == 1
    assert path.read_text() == before


def test_a_source_without_a_revision_is_one_line(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write()
    path.write_text(before := path.read_text().replace("  revision: null   # a commit\n", ""))
    wanted = f"{path}: source.revision: missing; write null, then pin again\n"
    assert pin(capsys) == f"mathledger pin: {wanted}"
    assert path.read_text() == before


def test_an_unknown_benchmark_is_one_line(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert "there is no conf/benchmark/exma.yaml: choose one of exam" in pin(capsys, "exma")


def test_an_unpinned_benchmark_names_the_command() -> None:
    source = yaml.safe_load(FILE.format(revision="null", rows=3, files=BLOCK, kind="integer"))
    with pytest.raises(InputError) as caught:
        check("benchmark.exam.source", source["source"], sources.BenchmarkSource)
    assert str(caught.value).endswith(
        "benchmark.exam.source.revision: not pinned yet: `mathledger pin benchmark exam` asks the "
        "hub for the commit"
    )


def test_a_file_without_a_digest_names_the_command(hub: Hub, tmp_path: Path) -> None:
    commit = commit_of("datasets/org/exam")
    files: dict[str, str | None] = {"test.jsonl": None}
    source = sources.HubBenchmark("hub", "MIT", "org/exam", commit, files, "test", 3)
    with pytest.raises(InputError, match="`mathledger pin benchmark NAME` writes a benchmark's"):
        benchmarks.fetch(source, tmp_path / "out")


def test_a_name_that_leads_elsewhere_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'../../params' cannot name a benchmark" in pin(capsys, "../../params")
