"""Any generative task of lm-evaluation-harness becomes a benchmark by its name."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.data import benchmarks, sources
from mathledger.evaluation import harness
from mathledger.evaluation.questions import read_items
from mathledger.pin.lm_eval import pin_task
from tests.hub import Hub, commit_of

README = """\
---
license: mit
configs:
- config_name: main
  data_files:
  - {split: train, path: main/train-*}
  - {split: test, path: main/test-*}
---
"""


def question(number: int) -> dict[str, str]:
    return {
        "question": f"Ann has {number} apples and gets 2 more. How many has she?",
        "answer": f"{number} + 2 = <<{number}+2={number + 2}>>{number + 2}\n#### {number + 2}",
    }


@pytest.fixture
def gsm8k(hub: Hub) -> Hub:
    folder = hub.folder / "datasets/openai/gsm8k"
    (folder / "main").mkdir(parents=True)
    (folder / "README.md").write_text(README)
    for split, numbers in (("train", range(50, 60)), ("test", range(3))):
        rows = pa.Table.from_pylist([question(number) for number in numbers])
        pq.write_table(rows, folder / f"main/{split}-00000-of-00001.parquet")
    return hub


def downloaded(name: str) -> tuple[list[dict[str, object]], harness.Task]:
    """Return the items of a benchmark as evaluation reads them, and its task."""
    node = yaml.safe_load(Path(f"conf/benchmark/{name}.yaml").read_text())
    source = check(f"benchmark.{name}.source", node["source"], sources.BenchmarkSource)
    mapping = check(f"benchmark.{name}.mapping", node["mapping"], benchmarks.Mapping)
    default = {"doc_to_text": "{problem}", "num_fewshot": 0, "fewshot_config": None, "repeats": 1}
    task = check(f"benchmark.{name}.task", default | node["task"], harness.Task)
    folder = Path("data") / name
    shutil.rmtree(folder, ignore_errors=True)
    rows = benchmarks.read(source, mapping, benchmarks.fetch(source, folder / "source"))
    benchmarks.write(source, mapping, rows, folder)
    return read_items(folder), task


def test_a_task_with_examples_from_another_split(gsm8k: Hub) -> None:
    path, number = pin_task("gsm8k", None, [])
    assert (str(path), number) == ("conf/benchmark/gsm8k.yaml", 3)
    node = yaml.safe_load(path.read_text())
    assert node["source"]["revision"] == commit_of("datasets/openai/gsm8k")
    assert node["source"]["licence"] == "mit"
    assert list(node["source"]["files"]) == ["main/test-00000-of-00001.parquet"]
    assert list(node["source"]["examples"]) == ["main/train-00000-of-00001.parquet"]
    assert node["mapping"]["answer_type"] == "integer"
    items, task = downloaded("gsm8k")
    assert [item["answer"] for item in items] == ["2", "3", "4"]
    turns = harness.turns("gsm8k", items, task)
    assert [turn["role"] for turn in turns[0]] == ["user", "assistant"] * 5 + ["user"]
    assert turns[2][-1]["content"].strip() == f"Question: {question(2)['question']}\nAnswer:"
    assert "Ann has 5" in turns[0][0]["content"]  # Of the training split.
    responses = ["It is 2.", "It is 7.", "2 + 2 = 4"]
    assert task.harness
    assert harness.judge(task.harness, items, responses) == [True, False, True]
    assert downloaded("gsm8k")[0] == items  # The examples are drawn by the harness's seed.


def test_a_task_with_its_own_examples(gsm8k: Hub) -> None:
    path, _ = pin_task("gsm8k_cot", None, [])
    node = yaml.safe_load(path.read_text())
    assert node["source"]["examples"] == {}
    assert node["task"]["until"] == ["Q:", "</s>", "<|im_end|>"]
    items, task = downloaded("gsm8k_cot")
    turns = harness.turns("gsm8k_cot", items, task)
    assert len(turns[0]) == 8 * 2 + 1
    assert "There are 15 trees" in turns[0][0]["content"]
    assert task.harness
    strict = harness.OwnTask(task.harness.file, "strict-match", None)
    responses = ["The answer is 2.", "So 3.", "The answer is 5."]
    assert harness.judge(strict, items, responses) == [True, False, False]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("gsm9k", "gsm9k is not a task of lm-evaluation-harness"),
        ("mmlu", "mmlu is a group of tasks"),
        ("arc_easy", "is of type multiple_choice, which compares likelihoods: choose a task of"),
    ],
)
def test_what_cannot_be_asked_is_one_line(gsm8k: Hub, task: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pin_task(task, None, [])
    assert not list(Path("conf/benchmark").iterdir())


def test_files_that_are_not_found_are_named(gsm8k: Hub) -> None:
    (gsm8k.folder / "datasets/openai/gsm8k/README.md").unlink()
    for name in ("train", "test"):
        old = gsm8k.folder / f"datasets/openai/gsm8k/main/{name}-00000-of-00001.parquet"
        old.rename(old.with_name(f"x{old.name}"))
    with pytest.raises(InputError, match=r"are split test of main\? Name them with --files"):
        pin_task("gsm8k_cot", None, [])
    assert pin_task("gsm8k_cot", None, ["main/xtest*"])[1] == 3


def test_a_metric_that_is_not_a_verdict_is_refused(gsm8k: Hub) -> None:
    pin_task("gsm8k_cot", None, [])
    items, task = downloaded("gsm8k_cot")
    assert task.harness
    other = harness.OwnTask(task.harness.file, "strict-match", None, "bleu")
    with pytest.raises(InputError, match="has no metric bleu, only exact_match"):
        harness.judge(other, items, ["1", "2", "3"])
    with pytest.raises(InputError, match="null is for a source of kind lm_eval"):
        harness.turns("x", [{"id": "0", "problem": "?"}], task)


def test_documents_are_the_same_bytes_each_time(gsm8k: Hub) -> None:
    pin_task("gsm8k", None, [])
    downloaded("gsm8k")
    first = Path("data/gsm8k/docs.jsonl").read_bytes()
    downloaded("gsm8k")
    assert Path("data/gsm8k/docs.jsonl").read_bytes() == first
    assert json.loads(first.splitlines()[0])["doc"] == question(0)
