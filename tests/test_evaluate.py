"""Evaluation grades every item, whatever the batch size, and loses no response."""

import dataclasses
import hashlib
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.tables import Row, read_rows, write_rows
from mathledger.evaluation import harness, questions
from mathledger.evaluation.engines.engine import Response
from mathledger.evaluation.samples import SAMPLE, grade_responses, summarise
from mathledger.evaluation.settings import Params
from mathledger.model import prompts
from mathledger.model.launch import Launch, initialise_ranks
from mathledger.run import params
from tests.conftest import Workspace, slurm_job

CELL = "tuned-tiny_chain_sum"
SAMPLES = f"data/evaluate/{CELL}/samples.parquet"
TASK = harness.Task(2, "{problem}", 0, None, 30, [], 1, None)
GREEDY = dataclasses.replace(params.load("evaluate", Params), dtype="float32", batch_size=2)


def item(name: str, problem: str, answer: str) -> Row:
    return {
        "id": name,
        "problem": problem,
        "answer": answer,
        "answer_type": "number",
        "solution": f"So {answer}.\n#### {answer}",
    }


ITEMS = [item("a", "short", "7"), item("b", "longer " * 5, "0.5"), item("c", "of middle", "-3")]


@pytest.fixture
def tokenizer(smoke: Workspace) -> Any:
    return prompts.load_tokenizer(smoke.path / "data/model/base")


def respond(*texts: str) -> list[Response]:
    return [Response(text, len(text), "stop", 0.1) for text in texts]


def graded(tokenizer: Any, texts: list[str], own: harness.OwnTask | None = None) -> dict[str, Row]:
    asked = questions.render("t", ITEMS, TASK, GREEDY, tokenizer)
    found = dict(zip([each.key for each in asked], respond(*texts), strict=False))
    return {row["item_id"]: row for row in grade_responses(asked, found, ITEMS, own)}


def test_one_sample_for_each_item(smoke: Workspace) -> None:
    for folder in sorted((smoke.path / "data/evaluate").iterdir()):
        benchmark = folder.name.split("-")[1]
        table = pq.read_table(folder / "samples.parquet")
        assert table.schema.equals(SAMPLE)
        items = read_rows(smoke.path / f"data/download_benchmark/{benchmark}/items.parquet")
        rows = table.to_pylist()
        assert [row["item_id"] for row in rows] == [item["id"] for item in items]
        assert [row["reference"] for row in rows] == [item["answer"] for item in items]
        metrics = json.loads((smoke.path / f"metrics/evaluate/{folder.name}.json").read_text())
        assert metrics["num_correct"] == sum(row["correct"] for row in rows)
        assert metrics | dataclasses.asdict(summarise(rows)) == metrics


def test_a_verdict_belongs_to_its_item(tokenizer: Any) -> None:
    rows = graded(tokenizer, ["I get \\boxed{7}.", "so \\boxed{1/2}", "I do not know"])
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "a": "correct",
        "b": "correct",
        "c": "no_answer",
    }
    assert rows["a"]["extracted_answer"] == "7" and rows["c"]["extracted_answer"] is None
    turns = [{"role": "user", "content": "short"}]
    shown = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert rows["a"]["prompt_sha256"] == hashlib.sha256(shown.encode()).hexdigest()


def test_any_text_is_a_response(tokenizer: Any, tmp_path: Path) -> None:
    """An empty, a huge and an ill-formed response are graded and written to a file."""
    rows = graded(tokenizer, ["", "x" * 100_000 + "\\boxed{0.5}", "\ud800 \\boxed{-3}"])
    assert [rows[name]["verdict"] for name in "abc"] == ["no_answer", "correct", "correct"]
    write_rows(tmp_path / "a.parquet", rows.values(), SAMPLE)
    assert read_rows(tmp_path / "a.parquet")[2]["response"] == "? \\boxed{-3}"


def test_the_harnesss_verdict_is_stored_next_to_ours(tokenizer: Any) -> None:
    own = harness.OwnTask(
        "gsm8k/gsm8k.yaml", "flexible-extract", {"question": "problem", "answer": "solution"}
    )
    rows = graded(tokenizer, ["\\boxed{7}", "\\boxed{1/2}", "\\boxed{3}"], own)
    assert [rows[name]["correct"] for name in "abc"] == [True, True, False]
    assert [rows[name]["harness_correct"] for name in "abc"] == [True, False, False]
    assert summarise(list(rows.values())).num_harness_disagreements == 1
    without = graded(tokenizer, ["", "", ""])
    assert summarise(list(without.values())).num_harness_disagreements is None


def test_sampling_asks_an_item_several_times_with_recorded_seeds(tokenizer: Any) -> None:
    settings = dataclasses.replace(GREEDY, temperature=0.5)
    task = dataclasses.replace(TASK, repeats=4)
    asked = questions.render("t", ITEMS, task, settings, tokenizer)
    assert [each.repeat for each in asked] == [0, 1, 2, 3] * 3
    assert len({each.seed for each in asked}) == 12
    fewer = questions.render("t", ITEMS[:1], TASK, settings, tokenizer)
    assert [each.seed for each in fewer] == [asked[0].seed]
    other = questions.render("t", ITEMS, task, dataclasses.replace(settings, seed=1), tokenizer)
    assert not {each.seed for each in asked} & {each.seed for each in other}
    greedy = questions.render("t", ITEMS, task, GREEDY, tokenizer)
    assert [(each.repeat, each.seed) for each in greedy] == [(0, None)] * 3


def test_prompts_beyond_the_context_are_an_error_or_wrong(tokenizer: Any) -> None:
    """Overlong prompts are counted in both cases and never cut."""
    items = [item("a", "short", "7"), item("long", "x" * 2040, "1")]
    asked = questions.render("t", items, TASK, GREEDY, tokenizer)
    with pytest.raises(InputError, match=r"1 of 2 prompts exceed .* 2048 .* item long"):
        questions.those_that_fit(asked, 2048, 30, 0.0)
    fitting = questions.those_that_fit(asked, 2048, 30, 0.5)
    assert [each.item_id for each in fitting] == ["a"]
    found = {("a", 0): respond("\\boxed{7}")[0]}
    rows = grade_responses(asked, found, items, None)
    assert [(row["verdict"], row["finish_reason"]) for row in rows] == [
        ("correct", "stop"),
        ("no_answer", "too_long"),
    ]
    summary = summarise(rows)
    assert (summary.accuracy, summary.too_long_rate) == (0.5, 0.5)


def run(workspace: Workspace, *arguments: str, ok: bool = True) -> str:
    return workspace.python("-m", "stages.evaluate", "tuned", "tiny_chain_sum", *arguments, ok=ok)


def configure(workspace: Workspace, *overrides: str) -> None:
    workspace.python("-m", "stages.params", "experiment=smoke", *overrides)


def test_two_runs_are_the_same_bytes(smoke: Workspace, again: Workspace) -> None:
    assert sha256(smoke.path / SAMPLES) == sha256(again.path / SAMPLES)


def test_vllm_and_servers_need_no_process_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    launch = Launch("python", 1, "none")
    initialise_ranks(launch, fills_gpus=True)
    with pytest.raises(InputError, match="8 GPUs are visible, but only one process was started"):
        initialise_ranks(launch)


@pytest.mark.parametrize("launch", ["ddp", "slurm"])
def test_two_processes_that_share_the_work_make_the_same_bytes(
    smoke_copy: Workspace, launch: str
) -> None:
    """The processes run on one node or on two, and each writes to a file of its own."""
    path = smoke_copy.path / SAMPLES
    before = sha256(path)
    smoke_copy.run("rm", "-r", ".scratch/evaluate")
    two = [f"train/launch@evaluate.launch={launch}", "evaluate.launch.num_processes=2"]
    configure(smoke_copy, *two, "evaluate.launch.sharding=none", "evaluate.batch_size=1")
    smoke_copy.run("dvc", "repro", "--single-item", f"evaluate@{CELL}", **slurm_job(num_nodes=2))
    assert sha256(path) == before
    found = list((smoke_copy.path / f".scratch/evaluate/{CELL}").glob("*/responses-1.jsonl"))
    assert len(found) == 1 and len(found[0].read_text().split()) > 1


def test_a_run_killed_in_the_middle_goes_on_with_what_it_has(smoke_copy: Workspace) -> None:
    """After SIGKILL between two responses, the samples equal those of an undisturbed run."""
    long = ["benchmark.tiny_chain_sum.task.max_gen_toks=400", "evaluate.batch_size=1"]
    configure(smoke_copy, *long)
    smoke_copy.repro("--single-item", f"evaluate@{CELL}")
    expected = sha256(smoke_copy.path / SAMPLES)
    smoke_copy.run("rm", "-r", ".scratch/evaluate", "dvc.lock", ".dvc/cache/runs")
    command = ["dvc", "repro", "--single-item", f"evaluate@{CELL}"]
    process = smoke_copy.popen(*command)  # compares real processes with forks
    store = smoke_copy.path / f".scratch/evaluate/{CELL}"
    deadline = time.monotonic() + 120
    while not (files := list(store.glob("*/*.jsonl"))) or b"}" not in files[0].read_bytes():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    num_kept = files[0].read_bytes().count(b"}")
    assert 0 < num_kept < 6
    shown = smoke_copy.repro("--single-item", f"evaluate@{CELL}")
    assert re.search(rf"{num_kept} of 6 responses are already stored", shown)
    assert sha256(smoke_copy.path / SAMPLES) == expected


def test_a_spot_check_finds_a_changed_response(smoke_copy: Workspace) -> None:
    path = smoke_copy.path / SAMPLES
    assert "6 of 6 responses are the same" in run(smoke_copy, "--spot-check", "6")
    rows = read_rows(path)
    rows[2]["response"] += "!"
    path.unlink()
    write_rows(path, rows, SAMPLE)
    shown = run(smoke_copy, "--spot-check", "6", ok=False)
    length = len(rows[2]["response"]) - 1
    assert f"item {rows[2]['item_id']}, repeat 0 differs from character {length} on" in shown
    assert "5 of 6 responses are the same" in shown


def test_bad_input_is_a_line(smoke_copy: Workspace) -> None:
    """The line says what is wrong, where, and how to fix it."""
    template = smoke_copy.path / "data/model/tuned/chat_template.jinja"
    text = template.read_text()
    template.unlink()
    assert "has no chat template: choose an instruction-tuned model" in run(smoke_copy, ok=False)
    template.write_text(text)
    shown = smoke_copy.python(
        "-m", "stages.params", "experiment=smoke", "+benchmark.tiny_chain_sum.task.stop=x", ok=False
    )
    assert "benchmark.tiny_chain_sum.task.stop: unknown key" in shown
    shown = smoke_copy.python(
        "-m", "stages.params", "experiment=smoke", "evaluate.temperature=-1.0", ok=False
    )
    assert "evaluate.temperature: Input should be greater than or equal to 0, got -1.0" in shown
