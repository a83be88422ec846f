"""`mathledger trace` shows the lock's digests and leads every row to its raw row.

If a link of the chain is missing, the message says which one and how to fix it.
"""

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from html.parser import HTMLParser
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mathledger import cli
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.tables import Row, read_rows
from mathledger.trace import brief, tree
from mathledger.trace.row import raw_row, stated
from mathledger.trace.store import Store
from tests.conftest import ROOT, Workspace

BENCHMARK = "tiny_chain_sum"
CORPORA = ("tiny_numinamath_cot", "tiny_openmathinstruct2")


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use 80 columns, no colour and only the project's own store."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


class Tracer:
    """Runs the command in a project."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, project: Path, *arguments: str) -> str:
        with contextlib.chdir(project):
            status = cli.main(["trace", *arguments])
        done = self.capsys.readouterr()
        assert (status, done.err) == (0, "")
        return done.out

    def json(self, project: Path, *arguments: str) -> Any:
        return json.loads(self(project, *arguments, "--json"))

    def refused(self, project: Path, *arguments: str) -> str:
        """Return the single line that it prints if it exits with status 2."""
        with contextlib.chdir(project):
            status = cli.main(["trace", *arguments])
        done = self.capsys.readouterr()
        assert (status, done.out) == (2, "")
        assert done.err.startswith("mathledger trace: ") and done.err.count("\n") == 1
        return done.err


@pytest.fixture
def trace(capsys: pytest.CaptureFixture[str]) -> Tracer:
    return Tracer(capsys)


def lock_of(project: Path) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load((project / "dvc.lock").read_text())["stages"]
    return stages


# ---------------------------------------------------------------------------------- of a number


def test_every_stage_behind_a_number_has_the_locks_digests_and_its_own_run(
    smoke: Workspace, trace: Tracer
) -> None:
    found = trace.json(smoke.path, BENCHMARK)
    lock = lock_of(smoke.path)
    names = {step["stage"] for step in found["steps"]}
    others = {"evaluate@base-tiny_chain_sum", "probe@base", "probe@tuned", "model_card"}
    assert names == lock.keys() - others
    for step in found["steps"]:
        for part in ("deps", "outs"):
            recorded = {each["path"]: each["md5"] for each in lock[step["stage"]][part]}
            assert {path: each["md5"] for path, each in step[part].items()} == recorded
        assert set(step["reads"]) < names
        assert step["packages"]["torch"] and step["hardware"]["cpu"]
        assert re.fullmatch("[0-9a-f]{32}", step["run"]["mlflow_run_id"])
        assert step["run"]["link"].endswith(step["run"]["mlflow_run_id"])
        assert step["run"]["has_commit"] and step["run"]["code_is_dirty"] is False
    assert found["remarks"] == []


def test_rows_in_are_the_rows_that_the_stages_before_have_kept(
    smoke: Workspace, trace: Tracer
) -> None:
    steps = {step["stage"]: step for step in trace.json(smoke.path, BENCHMARK)["steps"]}
    for corpus in CORPORA:
        downloaded = steps[f"download_corpus@{corpus}"]["reported"]
        assert steps[f"prepare@{corpus}"]["reported"]["num_in"] == downloaded["num_rows"]
        assert re.fullmatch("[0-9a-f]{64}", downloaded["files"]["train.jsonl"]["sha256"])
    for stage in ("deduplicate", "decontaminate"):
        reported = steps[stage]["reported"]
        kept = [steps[each]["reported"]["num_kept"] for each in steps[stage]["reads"]]
        assert reported["num_in"] == sum(kept[: 2 if stage == "deduplicate" else 1])
        assert reported["num_removed"] == reported["num_in"] - reported["num_kept"]
    assert steps["mix"]["reported"]["num_in"] == steps["decontaminate"]["reported"]["num_kept"]
    assert steps["train"]["reported"]["num_examples"] == steps["mix"]["reported"]["num_train"]


def test_the_verdicts_are_those_of_the_predictions(smoke: Workspace, trace: Tracer) -> None:
    for model in ("base", "tuned"):
        found = trace.json(smoke.path, f"{BENCHMARK}@{model}")
        rows = read_rows(smoke.path / found["predictions"]["path"])
        verdicts = [row["verdict"] for row in rows]
        assert found["predictions"]["by_verdict"] == {
            verdict: verdicts.count(verdict) for verdict in ("correct", "wrong", "no_answer")
        }
        assert found["number"]["num_correct"] == verdicts.count("correct")
        assert found["grader"]["versions"] == sorted({row["grader"] for row in rows})


def test_the_last_model_is_meant_and_an_untrained_one_has_no_training_data(
    smoke: Workspace, trace: Tracer
) -> None:
    assert trace.json(smoke.path, BENCHMARK) == trace.json(smoke.path, f"{BENCHMARK}@tuned")
    base = trace.json(smoke.path, f"{BENCHMARK}@base")["steps"]
    assert [each["stage"] for each in base] == [
        f"evaluate@base-{BENCHMARK}",
        f"download_benchmark@{BENCHMARK}",
        "download_model",
    ]


def test_a_commit_says_what_its_files_say(smoke: Workspace, trace: Tracer) -> None:
    head = smoke.run("git", "rev-parse", "HEAD").strip()
    here, there = trace.json(smoke.path, BENCHMARK), trace.json(smoke.path, BENCHMARK, "--rev=HEAD")
    assert (here.pop("revision"), here.pop("commit")) == ("workspace", None)
    assert (there.pop("revision"), there.pop("commit")) == ("HEAD", head)
    assert here == there


def test_the_tree_fits_80_columns_and_names_every_stage(smoke: Workspace, trace: Tracer) -> None:
    text, found = trace(smoke.path, BENCHMARK, "--all"), trace.json(smoke.path, BENCHMARK)
    assert "\x1b" not in text
    too_long = [line for line in text.splitlines() if len(line) > 80]
    # A word that is longer than the rest of the line gets a line of its own.
    assert all(len(line.strip("│├└─ ").split()) == 1 for line in too_long)
    for step in found["steps"][1:]:
        assert len(re.findall(rf"─ {step['stage']}  ", text)) == 1
        assert step["run"]["mlflow_run_id"] in text
        assert all(
            out["md5"][:12] in text for path, out in step["outs"].items() if path[:5] == "data/"
        )
    for said in (found["predictions"]["sha256"], found["number"]["ledger"]["sha256"]):
        assert said[:12] in text
    assert "learning_rate=" in text and f"{found['number']['num_samples']} responses" in text


def test_a_number_fits_a_screen_and_names_every_stage(smoke: Workspace, trace: Tracer) -> None:
    text, found = trace(smoke.path, BENCHMARK), trace.json(smoke.path, BENCHMARK)
    lines = text.splitlines()
    assert len(lines) <= 24 and all(len(line) <= 80 for line in lines)
    for step in found["steps"][1:]:
        assert len(re.findall(rf"─ {step['stage']}  ", text)) == 1
    assert found["steps"][0]["run"]["link"] in text and "--all" in lines[-1]


def test_many_corpora_are_counted_and_remarks_are_shown_whole() -> None:
    corpora = [tree.Branch(f"prepare@c{number}", "x" * 200, ["digest"]) for number in range(30)]
    whole = tree.Branch(
        "exam @ tuned",
        "40%",
        ["ledger", "overlap", "about"],
        [
            tree.Branch("deduplicate", "rows", ["run"], corpora),
            tree.Branch("code", "a, clean", ["13 of 14 stages"]),
            tree.Branch("code", "b, clean", ["1 of 14 stages"]),
            tree.Branch("mlflow", "with `make ui`", ["evaluate http://x/#/runs/1"]),
            tree.Branch("more", "--json"),
            tree.Branch("remark", "word " * 40),
        ],
    )
    lines = tree.printed(brief.brief(whole), is_brief=True).splitlines()
    assert [line.lstrip("│├└─ ")[:20].split("  ")[0] for line in lines[:9]] == [
        "exam @ tuned", "ledger", "overlap", "deduplicate", "prepare@c0", "prepare@c1",
        "prepare@c2", "prepare", "code",
    ]  # fmt: skip
    assert lines[7].endswith("and 27 more") and lines[8].endswith("a, clean; b, clean")
    assert lines[9].endswith("http://x/#/runs/1")
    assert " ".join(" ".join(lines[11:]).split()).count("word") == 40
    assert all(len(line) <= 80 for line in lines)


class Page(HTMLParser):
    """The tags, ids and addresses in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(str(value))
            if key in ("href", "src"):
                self.addresses.append(str(value))


def test_the_page_leads_from_each_node_to_its_details_and_loads_nothing(
    smoke: Workspace, trace: Tracer, tmp_path: Path
) -> None:
    trace(smoke.path, BENCHMARK, "--html", str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    found, page = trace.json(smoke.path, BENCHMARK), Page(text)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    inside = {each for each in page.addresses if each.startswith("#")}
    assert inside == {f"#{each}" for each in page.ids}
    assert len(page.ids) == len(set(page.ids)) == len(found["steps"]) + 1
    links = {step["run"]["link"] for step in found["steps"]}
    assert set(page.addresses) == inside | links
    for step in found["steps"]:
        assert all(out["md5"] in text for out in (step["outs"] | step["deps"]).values())
        assert all(key in text for key in step["params"])


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, mathledger.trace.page, mathledger.trace.render_item, "
        "mathledger.trace.render_number, mathledger.trace.render_row\n"
        "print({'dvc', 'mlflow', 'torch', 'transformers', 'scipy', 'numba', 'jinja2'} & "
        "{each.partition('.')[0] for each in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


# ----------------------------------------------------------------------------------- of a row


def all_rows(project: Path) -> dict[tuple[str, str, int], Row]:
    """Return every row that `prepare` saw, by its origin."""
    return {
        (row["corpus"], row["origin_file"], row["origin_row"]): row
        for path in sorted((project / "data/prepare").rglob("*.parquet"))
        for row in read_rows(path)
    }


def test_every_row_kept_or_removed_ends_at_its_raw_row(smoke: Workspace, trace: Tracer) -> None:
    rows = all_rows(smoke.path)
    trained = {row["id"] for row in read_rows(smoke.path / "data/mix/train.parquet")}
    removed = {
        stage: {(row["id"], row["origin_row"]): row["reason"] for row in read_rows(path)}
        for stage in ("deduplicate", "decontaminate")
        if (path := smoke.path / "data" / stage / "removed.parquet")
    }
    reached: set[str] = set()
    for name in sorted({row["id"] for row in rows.values()}):
        for copy in trace.json(smoke.path, "row", name)["copies"]:
            raw = copy["raw"]
            row = rows.pop((copy["corpus"], Path(raw["file"]).name, raw["row"]))
            with (smoke.path / raw["file"]).open() as lines:
                assert raw["content"] == json.loads(next(islice(lines, raw["row"], None)))
            last = copy["stages"][0]
            reached.add(f"{last['stage']} {last['is_kept']}")
            if last["stage"] in removed:
                assert last["reason"] == removed[last["stage"]][name, raw["row"]]
            if last["stage"] == "mix":
                assert bool(last["train"]) == (name in trained)
            assert [each["stage"] for each in copy["stages"]][-1] == f"prepare@{row['corpus']}"
            assert all(each["is_kept"] for each in copy["stages"][1:])
    assert not rows
    ends = {"deduplicate False", "decontaminate False", "mix True"}
    assert ends < reached and any(each.startswith("prepare@") for each in reached)


def test_a_row_is_shown_with_reason_evidence_and_the_pinned_file(
    smoke: Workspace, trace: Tracer
) -> None:
    row = read_rows(smoke.path / "data/decontaminate/removed.parquet")[0]
    text = " ".join(re.sub("[│├└─]", " ", trace(smoke.path, "row", row["id"][:12])).split())
    receipt = json.loads(
        (smoke.path / "data/download_corpus" / row["corpus"] / "receipt.json").read_text()
    )
    for said in (
        f"row {row['id']}",
        f"removed: {row['reason']}",
        f"item_id: {row['evidence']['item_id']}",
        f"{receipt['name']} {receipt['revision']}",
        f"sha256 {receipt['files'][row['origin_file']]['sha256'][:12]}, row {row['origin_row']}:",
        " ".join(row["problem"].split()),
    ):
        assert said in text


def test_ids_that_name_no_row_or_several_are_refused(smoke: Workspace, trace: Tracer) -> None:
    names = sorted({row["id"] for row in all_rows(smoke.path).values()})
    head = next(a[0] for a, b in pairwise(names) if a[0] == b[0])
    said, first = trace.refused(smoke.path, "row", head), min(n for n in names if n[0] == head)
    assert "several row ids" in said and first in said
    for unknown in ("0" * 32, "0" * 31):
        assert f"begins with {unknown}" in trace.refused(smoke.path, "row", unknown)
    for wrong in ("xyz", "0" * 33, ""):
        assert "is not a row id" in trace.refused(smoke.path, "row", wrong)


def test_a_download_that_reads_otherwise_is_found(smoke_copy: Workspace, trace: Tracer) -> None:
    row = read_rows(smoke_copy.path / "data/mix/train.parquet")[0]
    with contextlib.chdir(smoke_copy.path):
        file = Chain.open().cached(f"data/download_corpus/{row['corpus']}/train.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.chmod(0o644)
    file.write_bytes(b"".join(lines[::-1]))
    assert "the download has changed" in trace.refused(smoke_copy.path, "row", row["id"])
    file.write_bytes(b"")
    assert "has no row" in trace.refused(smoke_copy.path, "row", row["id"])


@pytest.mark.parametrize("number", [0, 2, 3, 6])
def test_a_raw_row_of_a_parquet_file_is_counted_over_its_row_groups(
    smoke: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pq.write_table(pa.table({"a": [*range(7)]}), tmp_path / "p.parquet", row_group_size=3)
    monkeypatch.setattr(Chain, "cached", lambda self, path: tmp_path / "p.parquet")
    with contextlib.chdir(smoke.path):
        assert raw_row(Chain.open(), "p.parquet", number) == {"a": number}
        with pytest.raises(InputError, match="has no row 7"):
            raw_row(Chain.open(), "p.parquet", 7)


# ---------------------------------------------------------------------------------- of an item


def test_an_item_shows_its_responses_and_every_row_matched_to_it(
    smoke: Workspace, trace: Tracer
) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())["predicate"]
    evidence = read_rows(smoke.path / "data/decontaminate/evidence.parquet")
    num_overlapping = num_hits = 0
    for item in read_rows(smoke.path / "data/download_benchmark" / BENCHMARK / "items.parquet"):
        found = trace.json(smoke.path, "item", f"{BENCHMARK}/{item['id']}")
        assert (found["item"]["problem"], found["item"]["answer"]) == (
            item["problem"],
            item["answer"],
        )
        assert [each["model"] for each in found["responses"]] == ["base", "tuned"]
        for each in found["responses"]:
            path = f"data/evaluate/{each.pop('model')}-{BENCHMARK}/samples.parquet"
            assert each in read_rows(smoke.path / path)
        rows = sorted(each["id"] for each in found["hits"])
        assert rows == sorted(hit["id"] for hit in evidence if hit["item_id"] == item["id"])
        num_overlapping += found["is_overlapping"]
        num_hits += len(rows)
        text = trace(smoke.path, "item", f"{BENCHMARK}/{item['id']}")
        assert all(f"row {each['id']}  {each['class']}" in text for each in found["hits"])
    entry = ledger["benchmarks"][0]
    assert num_overlapping == entry["num_items_overlapping_training_candidates"]
    assert num_hits == len(evidence) > 0


def test_the_text_of_a_private_benchmark_stays_out(smoke_copy: Workspace, trace: Tracer) -> None:
    path = smoke_copy.path / "params.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["benchmark"][BENCHMARK]["source"]["private"] = True
    path.write_text(yaml.safe_dump(settings))
    items = read_rows(smoke_copy.path / f"data/download_benchmark/{BENCHMARK}/items.parquet")
    evidence = read_rows(smoke_copy.path / "data/decontaminate/evidence.parquet")
    hit = next(each for each in evidence if each["benchmark"] == BENCHMARK)
    item = next(each for each in items if each["id"] == hit["item_id"])
    removed = read_rows(smoke_copy.path / "data/deduplicate/removed.parquet")
    copies = [row["id"] for row in removed if row["evidence"]["kept_id"] == hit["id"]]
    for form in ((), ("--json",)):
        text = trace(smoke_copy.path, "item", f"{BENCHMARK}/{item['id']}", *form)
        assert "withheld" in text and hit["id"] in text
        assert item["problem"][-12:] not in " ".join(text.split())
        for row in (hit["id"], *copies):  # Rows that overlap, and their copies.
            text = trace(smoke_copy.path, "row", row, *form)
            assert "withheld" in text and "train.jsonl" in text
            assert item["problem"][-12:] not in " ".join(text.split())


def test_an_item_that_is_not_evaluated_is_traced_too(smoke_copy: Workspace, trace: Tracer) -> None:
    """The filter searches for all items of a source; trace says why this one has no response."""
    folder = f"data/download_benchmark/{BENCHMARK}"
    with contextlib.chdir(smoke_copy.path):
        chain = Chain.open()
        items, left_out = (
            chain.cached(f"{folder}/{n}") for n in ("items.parquet", "left_out.json")
        )
    table = pq.read_table(items)
    name = table["id"][0].as_py()
    for file in (items, left_out):
        file.unlink()  # Files in the cache may be read-only.
    pq.write_table(table.slice(1), items)
    left_out.write_text(json.dumps([{"id": name, "reason": "max_items"}]))
    found = trace.json(smoke_copy.path, "item", f"{BENCHMARK}/{name}")
    assert found["item"]["problem"] == table["problem"][0].as_py()
    assert "not evaluated (max_items)" in trace(smoke_copy.path, "item", f"{BENCHMARK}/{name}")
    other = table["id"][1].as_py()
    assert "not evaluated" not in trace(smoke_copy.path, "item", f"{BENCHMARK}/{other}")


def test_what_would_steer_a_terminal_is_spelled_out() -> None:
    """Escape sequences of a corpus or a model do not reach name, title or lines."""
    text = tree.printed(
        tree.Branch(
            "\x1b]0;a\x07", "\x9b31m b", ["c \x1b[2J", "d \u202e e"], [tree.Branch("\x00", "f")]
        )
    )
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert r"\x1b]0;a\x07" in text and r"c \x1b[2J" in text


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], f"has no number for nothing; it has {BENCHMARK}"),
        (
            [f"{BENCHMARK}@other"],
            "no number for other on tiny_chain_sum; choose one of the models base",
        ),
        ([BENCHMARK, "--rev", "nowhere"], "names no revision and no experiment"),
        (["item", BENCHMARK], "is not an item: give BENCHMARK/ID"),
        (["item", f"{BENCHMARK}/x"], "has no item x; it has"),
        (["item", "nothing/x"], "has no number for nothing"),
        (["a", "b"], "a b is not a target"),
        (["row", "00", "11"], "row 00 11 is not a target"),
        (["row", "00", "--html", "page.html"], "--html shows the chain of a number"),
        (
            [BENCHMARK, "--html", "no/such/folder/page.html"],
            "no/such/folder does not exist: create it",
        ),
    ],
)
def test_what_cannot_be_traced_is_said_in_one_line(
    smoke: Workspace, trace: Tracer, arguments: list[str], says: str
) -> None:
    assert says in trace.refused(smoke.path, *arguments)


def test_outside_a_project_it_says_so(trace: Tracer, tmp_path: Path) -> None:
    assert "is not in a project" in trace.refused(tmp_path, BENCHMARK)


def test_a_missing_link_of_the_chain_is_named_with_its_remedy(
    smoke_copy: Workspace, trace: Tracer
) -> None:
    at = smoke_copy.path
    lock, text = lock_of(at), (at / "dvc.lock").read_text()
    cache = at / ".dvc/cache/files/md5"
    wanted = {
        "lineage/train.json": (BENCHMARK,),
        f"data/evaluate/tuned-{BENCHMARK}": (BENCHMARK,),
        "data/mix": ("row", read_rows(at / "data/mix/train.parquet")[0]["id"]),
    }
    outs = {each["path"]: each["md5"] for stage in lock.values() for each in stage["outs"]}
    for path, arguments in wanted.items():
        file = cache / outs[path][:2] / outs[path][2:]
        file.rename(at / "aside")
        said = trace.refused(at, *arguments)
        assert path in said and "`dvc pull`" in said
        (at / "aside").rename(file)
    # A number without lineage: the lock lists none for one stage.
    lock["mix"]["outs"] = [each for each in lock["mix"]["outs"] if each["path"][:8] != "lineage/"]
    (at / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": lock}))
    assert "mix of workspace has no lineage" in trace.refused(at, BENCHMARK)
    (at / "dvc.lock").unlink()
    assert "dvc.lock is missing" in trace.refused(at, BENCHMARK)
    (at / "dvc.lock").write_text(text)
    assert trace(at, BENCHMARK)


def test_two_experiments_of_one_name_are_distinguished_by_their_commits(
    smoke_copy: Workspace, trace: Tracer
) -> None:
    for base in ("HEAD", "HEAD~1"):
        commit = smoke_copy.run("git", "rev-parse", base).strip()
        smoke_copy.run("git", "update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/warm", commit)
    said = trace.refused(smoke_copy.path, BENCHMARK, "--rev", "warm")
    assert "warm names 2 experiments" in said and "give the commit" in said


def test_results_that_do_not_fit_each_other_are_remarked(
    smoke_copy: Workspace, trace: Tracer
) -> None:
    at = smoke_copy.path
    metrics, ledger = at / "metrics/mix.json", at / "model_card/ledger.json"
    metrics.write_text(metrics.read_text().replace('"num_train": ', '"num_train": 9'))
    content = json.loads(ledger.read_text())
    content["predicate"]["benchmarks"][0]["models"]["tuned"]["samples_sha256"] = "0" * 64
    ledger.write_text(json.dumps(content))
    remarks = trace.json(at, BENCHMARK)["remarks"]
    assert any("metrics/mix.json is not the file that dvc.lock records" in r for r in remarks)
    assert any("the number was computed from other responses" in r for r in remarks)
    text = " ".join(trace(at, BENCHMARK).split())
    assert text.count("remark") == len(remarks) == 2


@pytest.mark.parametrize(
    ("stage", "reader", "donor"),
    [
        ("mix", "train", "deduplicate"),  # A folder.
        ("train", f"evaluate@tuned-{BENCHMARK}", "deduplicate"),
        ("deduplicate", "decontaminate", "decontaminate"),  # A file in a folder.
    ],
)
def test_a_stage_that_has_read_other_data_is_remarked(
    smoke_copy: Workspace, trace: Tracer, stage: str, reader: str, donor: str
) -> None:
    """Its input was rebuilt (with the donor's content), but the stage was not run again."""
    lock = lock_of(smoke_copy.path)
    made, other = (
        next(each for each in lock[name]["outs"] if each["path"].startswith("data/"))
        for name in (stage, donor)
    )
    made["md5"] = other["md5"]
    (smoke_copy.path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": lock}))
    remarks = trace.json(smoke_copy.path, BENCHMARK)["remarks"]
    (remark,) = [each for each in remarks if "has since written" in each]
    assert remark.startswith(f"{reader} read {made['path']}")
    assert f"{stage} has since written" in remark


def test_without_an_mlflow_store_only_the_links_are_missing(
    smoke_copy: Workspace, trace: Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_store = trace.json(smoke_copy.path, BENCHMARK)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:zq7w@mlflow.example.org/team/")
    text = trace(smoke_copy.path, BENCHMARK, "--json")
    run = with_store["steps"][0]["run"]["mlflow_run_id"]
    assert f"https://mlflow.example.org/team/#/runs/{run}" in text and "zq7w" not in text
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (smoke_copy.path / "mlflow.db").unlink()
    without = trace.json(smoke_copy.path, BENCHMARK)
    assert "there is no MLflow store" in without["remarks"][0]
    for step in with_store["steps"] + without["steps"]:
        del step["run"]["link"]
    assert with_store["steps"] == without["steps"]
    (smoke_copy.path / "mlflow.db").write_text("no database")
    assert "cannot be read as an MLflow store" in trace.refused(smoke_copy.path, BENCHMARK)


@pytest.mark.parametrize("kind", ["shallow", "rewritten"])
def test_a_clone_without_the_commits_that_ran_says_how_to_get_them(
    smoke: Workspace, trace: Tracer, tmp_path: Path, kind: str
) -> None:
    origin, clone = smoke.path.as_uri(), tmp_path / "clone"
    if kind == "shallow":
        smoke.run("git", "clone", "--quiet", "--depth=1", origin, str(clone))
    else:
        smoke.run("git", "clone", "--quiet", origin, str(tmp_path / "whole"))
        whole = Workspace(tmp_path / "whole")
        whole.run("git", "checkout", "--quiet", "--orphan", "new")
        whole.run("git", "commit", "--quiet", "--message", "all at once")
        command = ("git", "clone", "--quiet", "--branch=new", "--single-branch")
        smoke.run(*command, whole.path.as_uri(), str(clone))
    (clone / ".dvc/config.local").write_text(f"[cache]\n    dir = {smoke.path / '.dvc/cache'}\n")
    shutil.copy(smoke.path / "mlflow.db", clone)
    found = trace.json(clone, BENCHMARK)
    (remark,) = found["remarks"]
    commit = smoke.run("git", "rev-parse", "HEAD~1").strip()
    assert f"this clone lacks commit {commit[:10]}" in remark
    assert ("`git fetch --unshallow`" if kind == "shallow" else "history was rewritten") in remark


def test_a_run_that_was_synced_is_linked_by_its_id_in_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        store.execute("create table runs (run_uuid, lifecycle_stage)")
        store.execute("create table tags (run_uuid, key, value)")
        store.execute("insert into runs values ('native', 'active'), ('new', 'active')")
        store.execute("insert into tags values ('new', 'mathledger.run_id', 'old')")
        store.commit()
    store_here = Store(tmp_path)
    assert [str(store_here.link(run)).rpartition("/")[2] for run in ("native", "old")] == [
        "native",
        "new",
    ]
    assert store_here.link("unknown") is None


def test_a_row_of_a_chat_is_read_as_prepare_read_it() -> None:
    chat = [{"from": "human", "value": " 2+2? "}, {"from": "gpt", "value": "4"}]
    mapping = {"problem": None, "solution": None, "messages": "turns"}
    assert stated({"turns": chat}, mapping, "problem") == "2+2?"
    assert stated({"turns": json.dumps(chat)}, mapping, "solution") == "4"
    assert stated({"turns": chat * 2}, mapping, "solution") is None
    assert stated({"turns": [{"value": "4"}]}, mapping, "solution") is None
