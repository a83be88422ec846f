"""Queued experiments share work, get GPUs of their own and show the same numbers everywhere.

Two workers run a queue of three experiments. `half` and `full` train the same model, which has not
been trained before, and differ in the server that answers the benchmark. The server of `broken`
fails after eight answers: all six items of one model and two of the other's.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from mlflow import MlflowClient

from tests import openai_server
from tests.conftest import Workspace
from tests.test_pipeline import wait_for

TUNED = "tiny_chain_sum.tuned.accuracy"
GPUS = ["GPU-a", "GPU-b"]


@dataclass(frozen=True)
class Queue:
    workspace: Workspace
    logs: dict[str, str]  # Output of each experiment.
    server: openai_server.Server

    def mlflow(self, where: str) -> list[Any]:
        client = MlflowClient(f"sqlite:///{self.workspace.path}/mlflow.db")
        everything = [each.experiment_id for each in client.search_experiments()]
        return list(client.search_runs(everything, where))

    def at(self, name: str, path: str) -> Any:
        """Return a JSON file from an experiment's commit."""
        return json.loads(self.workspace.run("git", "show", f"{self.ref(name)}:{path}"))

    def ref(self, name: str) -> str:
        head = self.workspace.run("git", "rev-parse", "HEAD").strip()
        return f"refs/exps/{head[:2]}/{head[2:]}/{name}"

    def ledger(self, name: str) -> Any:
        return self.at(name, "model_card/ledger.json")["predicate"]


WHOLE = re.compile(r"State the final answer to .* problem: ([-+ 0-9]+) =")


def answer(body: dict[str, Any]) -> tuple[str, int, str]:
    """Answer every sum for `full`, and for `half` only those that begin with an even number."""
    problem = WHOLE.search(body["messages"][-1]["content"])
    if not problem:  # `probe` asks parts of problems
        return "It lacks a part.", 5, "stop"
    terms = problem[1]
    is_right = body["model"] == "full" or int(terms.split()[0]) % 2 == 0
    value = sum(int(term) for term in re.findall(r"[-+]?\d+", terms.replace(" ", "")))
    return rf"\boxed{{{value if is_right else value + 1}}}", 5, "stop"


def failing(server: openai_server.Server) -> openai_server.Answer:
    """Answer `broken` at most eight times."""

    def found(body: dict[str, Any]) -> tuple[str, int, str]:
        if body["model"] == "broken" and len(problems(server)) > 8:
            raise ConnectionError("broken on purpose")
        return answer(body)

    return found


def problems(server: openai_server.Server) -> list[str]:
    """Return the whole problems that `broken` asked, in order."""
    asked = [each for each in server.asked if each["model"] == "broken"]
    texts = [each["messages"][-1]["content"] for each in asked]
    return [text for text in texts if WHOLE.search(text)]


@pytest.fixture(scope="module")
def queue(smoke: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    path = tmp_path_factory.mktemp("queue") / "project"
    smoke.run("cp", "-r", str(smoke.path), str(path))
    workspace = Workspace(path)
    with openai_server.serve(answer) as server:
        server.answer = failing(server)
        for name in ("half", "full", "broken"):
            enqueue(workspace, name, server)
        assert workspace.run("git", "status", "--porcelain") == ""
        work_off(workspace)
        names = dict(statuses(workspace))
        logs = {name: workspace.run("dvc", "queue", "logs", name) for name in names}
        yield Queue(workspace, logs, server)


def enqueue(workspace: Workspace, name: str, server: openai_server.Server) -> None:
    options = ["experiment=smoke", "ablation=contaminated", "evaluate=server"]
    options += ["evaluate.backend=local-chat-completions", f"evaluate.server.model={name}"]
    options += [f"evaluate.server.base_url={server.url}/chat/completions"]
    options += ["evaluate.server.max_retries=0", "evaluate.batch_size=1"]
    chosen = [word for option in options for word in ("-S", option)]
    workspace.run("dvc", "exp", "run", "--queue", "--name", name, *chosen)


def work_off(workspace: Workspace) -> None:
    """Run the queue with two workers. `dvc queue status` would cost them a second at each look."""

    def is_over() -> bool:
        with Repo(str(workspace.path)) as repo:
            found = {each["status"] for each in repo.experiments.celery_queue.status()}
        return not {"Queued", "Running"} & found

    workspace.run("dvc", "queue", "start", "-j", "2", CUDA_VISIBLE_DEVICES=",".join(GPUS))
    wait_for(is_over, 400, every=1)


def statuses(workspace: Workspace) -> list[tuple[str, str]]:
    """Return the name and status of every queued experiment."""
    lines = workspace.run("dvc", "queue", "status").splitlines()[1:]
    rows = [line.split() for line in lines if re.match("[0-9a-f]{7} ", line)]
    return [(row[1], row[-1]) for row in rows]


def test_a_model_that_two_experiments_lack_is_trained_once(queue: Queue) -> None:
    ended = {"half": "Success", "full": "Success", "broken": "Failed"}
    assert dict(statuses(queue.workspace)) == ended
    trained = queue.mlflow("attributes.run_name = 'train'")
    assert len(trained) == 2  # one of them in the first run
    made = [
        queue.workspace.run("git", "show", f"{queue.ref(n)}:dvc.lock") for n in ("half", "full")
    ]
    digests = [re.findall(r"path: data/model/tuned\n.*\n *md5: (\S+)", text) for text in made]
    assert digests[0] and set(digests[0]) == set(digests[1])
    assert sum("validation loss" in log for log in queue.logs.values()) == 1


def test_lineage_of_both_names_the_run_that_trained(queue: Queue) -> None:
    (trained,) = queue.mlflow(
        "attributes.run_name = 'train' AND tags.`mathledger.experiment` != 'repro'"
    )
    for name in ("half", "full"):
        shown = queue.workspace.python("-m", "mathledger", "compare", name, "--json")
        (row,) = json.loads(shown)["experiments"]
        assert row["num_rows_trained_on"] == trained.data.metrics["num_examples"]


def test_each_worker_sees_its_own_gpu(queue: Queue) -> None:
    runs = queue.mlflow("tags.`mathledger.experiment` != 'repro'")
    gpus: dict[str, set[str]] = {}
    for run in runs:
        tags = run.data.tags
        gpus.setdefault(tags["mathledger.experiment"], set()).add(tags["mathledger.gpus"])
    assert all(len(own) == 1 for own in gpus.values())
    assert set().union(*gpus.values()) == set(GPUS)


def test_a_failed_experiment_keeps_its_log_and_its_responses(queue: Queue) -> None:
    assert "the responses so far are kept" in queue.logs["broken"]
    (failed,) = queue.mlflow("attributes.status = 'FAILED'")
    assert failed.data.tags["mathledger.experiment"] == "broken"
    client = MlflowClient(f"sqlite:///{queue.workspace.path}/mlflow.db")
    text = Path(client.download_artifacts(failed.info.run_id, "error.txt")).read_text()
    assert "the responses so far are kept" in text
    item = failed.info.run_name.removeprefix("evaluate@")
    kept = (queue.workspace.path / ".scratch/evaluate" / item).rglob("*.jsonl")
    assert any("boxed" in path.read_text() for path in kept)


@pytest.mark.parametrize("name", ["half", "full"])
def test_everyone_shows_the_same_numbers(queue: Queue, name: str) -> None:
    """The metrics file, the ledger, MLflow, `dvc exp show` and `mathledger compare` agree."""
    metrics = queue.at(name, "metrics/evaluate/tuned-tiny_chain_sum.json")
    (entry,) = queue.ledger(name)["benchmarks"]
    score = entry["models"]["tuned"]
    assert 0 < score["num_correct"] <= 6
    assert score["num_correct"] == metrics["num_correct"]
    where = f"tags.`mathledger.kind` = 'result' AND tags.`mathledger.experiment` = '{name}'"
    (result,) = queue.mlflow(where)
    assert result.data.params["evaluate.server.model"] == name
    shown = queue.workspace.run("dvc", "exp", "show", "--csv", "--precision", "6")
    (row,) = [each for each in csv.DictReader(io.StringIO(shown)) if each["Experiment"] == name]
    (column,) = [key for key in row if key.endswith("tuned-tiny_chain_sum.json:accuracy")]
    compared = queue.workspace.python("-m", "mathledger", "compare", name, "--json")
    (own,) = json.loads(compared)["experiments"]
    plotted = queue.workspace.run("git", "show", f"{queue.ref(name)}:plots/model_card/scores.csv")
    (point,) = [each for each in csv.DictReader(io.StringIO(plotted)) if each["model"] == "tuned"]
    accuracies = {
        metrics["accuracy"],
        score["accuracy"],
        result.data.metrics[TUNED],
        float(row[column]),
        own["scores"]["tiny_chain_sum"]["accuracy"],
        float(point["accuracy"]),
    }
    assert len(accuracies) == 1


def test_dvc_diffs_two_experiments(queue: Queue) -> None:
    run = queue.workspace.run
    scores = [queue.ledger(n)["benchmarks"][0]["models"]["tuned"] for n in ("half", "full")]
    change = scores[1]["num_correct"] - scores[0]["num_correct"]
    found = json.loads(run("dvc", "exp", "diff", "half", "full", "--json"))
    own = found["metrics"]["metrics/evaluate/tuned-tiny_chain_sum.json"]["num_correct"]
    assert change > 0 and own["diff"] == change
    assert found["params"]["params.yaml"]["evaluate.server.model"] == {"old": "half", "new": "full"}
    run("dvc", "plots", "diff", "half", "full", "--out", "plots_diff")
    page = (queue.workspace.path / "plots_diff/index.html").read_text()
    run("rm", "-r", "plots_diff")
    assert '"rev": "half"' in page and '"rev": "full"' in page


def test_compare_shows_head_and_its_experiments(queue: Queue) -> None:
    found = json.loads(queue.workspace.python("-m", "mathledger", "compare", "--json"))
    rows = {row["name"]: row for row in found["experiments"]}
    assert set(rows) == {"HEAD", "half", "full"} and found["baseline"] == "HEAD"
    assert found["num_tests"] == 2
    num_rows = [rows[name]["num_rows_trained_on"] for name in ("HEAD", "full")]
    assert num_rows[1] == num_rows[0] + 2  # The two leaks were kept.
    assert "decontaminate.action=flag" in rows["full"]["changed"]
    assert rows["full"]["train_seconds"] == rows["half"]["train_seconds"] > 0
    test = rows["full"]["scores"]["tiny_chain_sum"]["against_baseline"]
    assert (test["num_items_gained"], test["num_items_lost"]) == (6, 0)
    assert test["p_value"] == pytest.approx(2 / 2**6)  # All six items changed the same way.
    assert test["p_holm"] == pytest.approx(4 / 2**6) and not test["is_significant"]
    assert rows["HEAD"]["scores"]["tiny_chain_sum"]["num_correct"] == 0


def test_compare_in_all_forms_has_the_same_rows(queue: Queue) -> None:
    run = queue.workspace.python
    names = ["half", "full"]
    text, markdown = (
        run("-m", "mathledger", "compare", *names),
        run("-m", "mathledger", "compare", *names, "--markdown"),
    )
    lines = list(csv.DictReader(io.StringIO(run("-m", "mathledger", "compare", *names, "--csv"))))
    assert [line["name"] for line in lines] == names
    assert lines[0]["p_value"] == "" and 0 < float(lines[1]["p_value"]) <= 1
    for name in names:
        assert re.search(rf"^{name} .*\[", text, re.MULTILINE) and f"| {name} |" in markdown
    assert "100 [54, 100]" in text and "100 [54, 100]" in markdown


def test_a_failed_experiment_that_is_queued_again_goes_on_from_its_responses(queue: Queue) -> None:
    """This runs after the other tests of the queue, because it repairs the failed experiment."""
    *answered, refused = problems(queue.server)
    num_runs = len(queue.mlflow("attributes.run_name = 'train'"))
    queue.server.answer = answer
    enqueue(queue.workspace, "broken", queue.server)
    work_off(queue.workspace)
    assert ("broken", "Success") in statuses(queue.workspace)
    # Both models get the same six items; one had answered all of them, the other two.
    rest = problems(queue.server)[9:]
    assert len(answered) == 8 and len(rest) == 4 and refused in rest
    assert set(Counter(answered + rest).values()) == {2}
    assert len(queue.mlflow("attributes.run_name = 'train'")) == num_runs
    assert queue.ledger("broken")["benchmarks"][0]["models"]["tuned"]["num_items"] == 6


def test_compare_refuses_what_was_run_in_part(smoke_copy: Workspace) -> None:
    options = ["-S", "experiment=smoke", "-S", "prepare.max_problem_chars=3999"]
    command = ["dvc", "exp", "run", "--temp", "--name", "part", *options]
    smoke_copy.run(*command, "prepare@tiny_numinamath_cot")
    shown = smoke_copy.python("-m", "mathledger", "compare", "HEAD", "part", ok=False)
    assert "part (" in shown and "other params than its params.yaml" in shown
    assert "Traceback" not in shown

    lock = yaml.safe_load((smoke_copy.path / "dvc.lock").read_text())
    (out,) = [out for out in lock["stages"]["train"]["outs"] if out["path"] == "data/model/tuned"]
    out["md5"] = "0" * 32 + ".dir"
    (smoke_copy.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    shown = smoke_copy.python("-m", "mathledger", "compare", "HEAD", "workspace", ok=False)
    assert "data/model/tuned has changed since evaluate@tuned-tiny_chain_sum read it" in shown


def test_compare_needs_experiments_or_names(smoke: Workspace) -> None:
    shown = smoke.python("-m", "mathledger", "compare", ok=False)
    assert "HEAD has no experiments: `dvc exp run --name NAME -S ...` makes one" in shown
    shown = smoke.python("-m", "mathledger", "compare", "HEAD~1", ok=False)
    assert "HEAD~1" in shown and "has no file model_card/ledger.json" in shown


def test_an_experiment_from_a_file_outside_git_is_refused_and_edits_stay(
    smoke_copy: Workspace,
) -> None:
    mine = smoke_copy.path / "conf/ablation/mine.yaml"
    mine.write_text("# @package _global_\nprepare: {max_problem_chars: 3999}\n")
    edited = smoke_copy.path / "conf/mix/default.yaml"
    edited.write_text(edited.read_text() + "# an edit\n")
    chosen = ["experiment=smoke", "ablation=mine"]
    command = ["dvc", "exp", "run", "--queue", "--name", "mine", "-S", chosen[0], "-S", chosen[1]]
    shown = smoke_copy.run(*command, ok=False)
    assert "not in git: conf/ablation/mine.yaml" in shown
    assert "`git add -- conf/ablation/mine.yaml`" in shown
    assert mine.exists() and edited.read_text().endswith("# an edit\n")
    shown = smoke_copy.python("-m", "stages.params", *chosen, ok=False)
    assert "not in git: conf/ablation/mine.yaml" in shown and "Traceback" not in shown

    smoke_copy.run("git", "add", str(mine))
    smoke_copy.run(*command)
    stashed = smoke_copy.run("git", "show", "--stat", "refs/exps/celery/stash")
    assert "conf/ablation/mine.yaml" in stashed
    assert smoke_copy.run("git", "status", "--porcelain").split("\n")[:2] == [
        "A  conf/ablation/mine.yaml",
        " M conf/mix/default.yaml",
    ]


def test_an_experiment_is_refused_while_a_stage_runs_in_the_checkout(
    smoke_copy: Workspace,
) -> None:
    smoke_copy.python("-m", "stages.params", "experiment=smoke", "train.max_steps=5000")
    running = smoke_copy.popen("dvc", "repro", "train", forks=True)
    table = smoke_copy.path / ".dvc/tmp/exps/rwlock"
    try:
        wait_for(lambda: table.exists() and "stage train" in table.read_text())
        for kind in ("--queue", "--temp"):
            shown = smoke_copy.run("dvc", "exp", "run", kind, "-S", "experiment=smoke", ok=False)
            assert "'workspace' is busy" in shown
            assert "stage train is running in this checkout" in shown
        assert "max_steps: 5000" in (smoke_copy.path / "params.yaml").read_text()
        assert running.poll() is None
    finally:
        running.terminate()
        running.wait()
