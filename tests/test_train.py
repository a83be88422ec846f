"""Training learns the right tokens, and a killed run resumes to the same weights."""

import json
import os
import random
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.evaluation import settings as evaluate
from mathledger.model import prompts
from mathledger.run import params
from mathledger.training import models, sft
from mathledger.training.callbacks import Checkpointing
from mathledger.training.checkpoints import last_checkpoint
from mathledger.training.loop import train_to_end
from mathledger.training.lora import Lora
from stages import train
from tests.conftest import Workspace, clean_environment, slurm_job


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def test_every_parameter_changed(smoke: Workspace) -> None:
    base, tuned = (weights(smoke.path / f"data/model/{name}") for name in ("base", "tuned"))
    assert base.keys() == tuned.keys()
    unchanged = [name for name in base if base[name].float().equal(tuned[name].float())]
    assert not unchanged


def test_the_tuned_folder_is_a_plain_model(smoke: Workspace) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = smoke.path / "data/model/tuned"
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.use_cache and AutoTokenizer.from_pretrained(folder).chat_template
    assert not (folder / "training_args.bin").exists()


@dataclass
class Bench:
    """The stage's trainer, run in this process on the rows of the smoke run."""

    scratch: Path
    rows: int = 52

    def trainer(
        self, base: Path = train.BASE, rows: list[int] | None = None, **changes: Any
    ) -> Any:
        from transformers import AutoTokenizer

        settings = replace(params.load("train", sft.Params), **changes)
        tokenizer = AutoTokenizer.from_pretrained(base)
        parts = [
            sft.load_tokens(train.MIX / f"{part}.parquet", self.scratch / "tokens", tokenizer)
            for part in ("train", "validation")
        ]
        if rows:
            parts[0] = parts[0].select(rows)
        return sft.make_trainer(settings, base, self.scratch, tokenizer, *parts)


@pytest.fixture
def bench(smoke: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(smoke.path)
    return Bench(tmp_path)


def state(trainer: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in trainer.model.state_dict().items()}


def first_step(trainer: Any) -> dict[str, Any]:
    return next(entry for entry in trainer.state.log_history if "loss" in entry)


def short_rows(bench: Bench, count: int) -> list[int]:
    """Return the shortest rows of different lengths."""
    lengths = bench.trainer().train_dataset["length"]
    return sorted(range(len(lengths)), key=lengths.__getitem__)[:count]


# These outputs must be the same however often training is stopped.
MADE = ["data/model/tuned/model.safetensors", "metrics/train.json", "plots/train/loss.csv"]
MADE += ["data/train/samples.csv"]
LORA = Lora(4, 8, 0.1, "all-linear", load_in_4bit=False)


@pytest.mark.parametrize("packing", [False, True])
def test_only_the_completion_and_its_end_are_learned(bench: Bench, packing: bool) -> None:
    """The batch comes from the trainer's own collator."""
    trainer = bench.trainer(packing=packing, max_steps=1)
    tokenizer = trainer.processing_class
    sft.check_loss_mask(trainer, tokenizer.eos_token_id)
    table = pq.read_table(train.MIX / "train.parquet").to_pylist()
    expected = {
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True): (
            row["completion"][0]["content"] + "<|im_end|>\n"
        )
        for row in table
    }
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(3)])
    pieces = sft.sequences(batch)
    labels = sft.sequences({**batch, "input_ids": batch["labels"]})
    assert len(pieces) >= 3
    for ids, marks in zip(pieces, labels, strict=True):
        start = next(index for index, mark in enumerate(marks) if mark != -100)
        assert -100 not in marks[start:]
        prompt, learned = tokenizer.decode(ids[:start]), tokenizer.decode(ids[start:])
        assert expected[prompt] == learned


def test_accumulation_is_a_larger_batch(bench: Bench) -> None:
    """1 x 8 equals 8 x 1 for every token, whatever the rows' lengths."""
    rows, states = short_rows(bench, 8), []
    for batch, accumulation in ((8, 1), (1, 8)):
        trainer = bench.trainer(
            rows=rows,
            max_steps=1,
            warmup_steps=0.0,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
        )
        trainer.train()
        states.append((first_step(trainer), state(trainer)))
    (one, large), (other, small) = states
    assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
    assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-4)
    assert all(large[name].allclose(small[name], atol=2e-4) for name in large)


def test_rows_of_like_length_share_a_batch(bench: Bench) -> None:
    """The longest rows come first, to run out of memory early, and every row comes once."""
    trainer = bench.trainer(gradient_accumulation_steps=1)
    lengths = sorted(trainer.train_dataset["length"])
    shapes = [tuple(batch["input_ids"].shape) for batch in trainer.get_train_dataloader()]
    assert shapes[0][1] == lengths[-1] and sum(shape[0] for shape in shapes) == len(lengths)
    padded = sum(rows * longest for rows, longest in shapes)

    def padded_by_chance(seed: int) -> int:
        order = random.Random(seed).sample(lengths, len(lengths))
        batches = [order[at : at + 4] for at in range(0, len(order), 4)]
        return sum(len(batch) * max(batch) for batch in batches)

    assert sum(lengths) <= padded < min(padded_by_chance(seed) for seed in range(20))


def test_packing_does_not_let_rows_see_each_other(bench: Bench) -> None:
    """The packed loss and gradient equal those of the rows taken one by one."""
    rows, steps = short_rows(bench, 4), []
    for packing in (False, True):
        trainer = bench.trainer(
            rows=rows, max_steps=1, packing=packing, per_device_train_batch_size=4
        )
        assert len(trainer.train_dataset) == (1 if packing else 4)
        trainer.train()
        steps.append(first_step(trainer))
    assert steps[0]["loss"] == pytest.approx(steps[1]["loss"], abs=1e-5)
    assert steps[0]["grad_norm"] == pytest.approx(steps[1]["grad_norm"], rel=1e-4)


@pytest.mark.parametrize(
    "changes", [{"lora": LORA}, {"packing": True, "max_length": 256}], ids=["lora", "packing"]
)
def test_resumed_is_straight(bench: Bench, changes: dict[str, Any]) -> None:
    """A run resumed in its second epoch or after its last step is bit-identical, even with dropout
    or packing."""
    rows, kept = short_rows(bench, 16), []
    for checkpoint in (None, "checkpoint-7", "checkpoint-12"):
        trainer = bench.trainer(rows=rows, max_steps=12, **changes)
        assert 1 < len(trainer.get_train_dataloader()) < 7
        trainer.args.save_total_limit = None
        trainer.add_callback(Checkpointing(0.0))
        train_to_end(trainer, bench.scratch / checkpoint if checkpoint else None)
        kept.append(state(trainer))
    straight, *resumed = kept
    for each in resumed:
        assert all(straight[name].equal(each[name]) for name in straight)


def test_lora_trains_its_adapters_alone_and_is_merged(bench: Bench) -> None:
    """Frozen weights keep every bit, and the saved plain model gives the same answers."""
    import torch
    from transformers import AutoModelForCausalLM

    trainer = bench.trainer(max_steps=3, lora=replace(LORA, lora_dropout=0.0))
    before = state(trainer)
    trainer.train()
    for name, parameter in trainer.model.named_parameters():
        assert parameter.requires_grad == ("lora_" in name)
        # The first update changes only B, because A's gradient is zero while B is zero.
        assert parameter.equal(before[name]) != parameter.requires_grad, name
    out = bench.scratch / "tuned"
    models.save_model(trainer, trainer.processing_class, train.BASE, LORA, out)
    merged = AutoModelForCausalLM.from_pretrained(out).eval()
    ids = torch.tensor([trainer.train_dataset[0]["input_ids"]])
    with torch.no_grad():
        ours, theirs = (model.eval()(ids).logits for model in (trainer.model, merged))
    assert ours.allclose(theirs, atol=1e-5)
    assert (out / "adapter/adapter_model.safetensors").exists()


def test_qlora_trains_on_four_bits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapters are then merged into the unquantised base."""
    import bitsandbytes.nn.modules
    from transformers import AutoModelForCausalLM

    # The kernel for CPUs with bf16 units needs rows of at least 64; the tiny model has 32.
    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: False)

    lora = replace(LORA, load_in_4bit=True)
    trainer = bench.trainer(max_steps=2, lora=lora)
    assert any(parameter.dtype.itemsize == 1 for parameter in trainer.model.parameters())
    trainer.train()
    out = bench.scratch / "tuned"
    models.save_model(trainer, trainer.processing_class, train.BASE, lora, out)
    tuned, base = (AutoModelForCausalLM.from_pretrained(path) for path in (out, train.BASE))
    assert tuned.num_parameters() == base.num_parameters()
    assert not hasattr(tuned.config, "quantization_config")


def test_a_full_disk_while_saving_is_a_line(bench: Bench) -> None:
    trainer = bench.trainer(max_steps=2, save_minutes=0.0)
    trainer.add_callback(Checkpointing(0.0))
    (bench.scratch / "checkpoint-1").mkdir()
    (bench.scratch / "checkpoint-1/optimizer.pt").symlink_to("/dev/full")
    with pytest.raises(InputError, match="is the disk full"):
        train_to_end(trainer, None)
    assert last_checkpoint(bench.scratch) is None


@pytest.mark.parametrize(("launch", "on_two_nodes"), [("ddp", []), ("fsdp2", ["slurm"])])
def test_two_processes_train_the_same_model(
    smoke: Workspace, smoke_copy: Workspace, launch: str, on_two_nodes: list[str]
) -> None:
    """DDP and FSDP2 agree up to rounding with gloo on a CPU, even after a kill.

    Two nodes with one process each give the same bytes as one node with two.
    """
    from transformers import AutoModelForCausalLM

    overrides = ["train.launch.num_processes=2", "train.per_device_train_batch_size=2"]
    overrides += ["train.save_minutes=0.0"]
    set_params(smoke_copy, f"train/launch={launch}", *overrides)
    running = smoke_copy.popen("dvc", "repro", "--single-item", "train", forks=True)
    scratch = smoke_copy.path / ".scratch/train"
    wait_for(lambda: list(scratch.glob("*/checkpoint-[12]/whole.json")))
    os.killpg(running.pid, signal.SIGKILL)  # Kill DVC and torchrun; workers must notice.
    running.wait()
    wait_for(lambda: not is_training_in(smoke_copy.path))
    shown = smoke_copy.repro("--single-item", "train")
    assert "resuming from checkpoint-" in shown
    folder = "data/model/tuned"
    one, two = (weights(place.path / folder) for place in (smoke, smoke_copy))
    assert all(one[name].allclose(two[name], atol=1e-3) for name in one)
    before, after = (
        json.loads((place.path / "metrics/train.json").read_text()) for place in (smoke, smoke_copy)
    )
    assert after == pytest.approx(before, abs=1e-3)
    model = AutoModelForCausalLM.from_pretrained(smoke_copy.path / folder)
    assert type(model).__name__ == "LlamaForCausalLM"

    made = [sha256(smoke_copy.path / path) for path in MADE]
    for each in on_two_nodes:
        set_params(smoke_copy, f"train/launch={each}", *overrides)
        smoke_copy.run("dvc", "repro", "--single-item", "train", **slurm_job(num_nodes=2))
        assert [sha256(smoke_copy.path / path) for path in MADE] == made


def is_training_in(folder: Path) -> bool:
    processes = psutil.process_iter(["cwd", "cmdline"])
    return any(
        process.info["cwd"] == str(folder) and "stages.train" in (process.info["cmdline"] or [])
        for process in processes
    )


def test_training_and_evaluation_show_the_same_prompt(smoke: Workspace) -> None:
    """The trainer's row and the evaluation's prompt are equal token by token."""
    from mathledger.evaluation import harness, questions

    tokenizer = prompts.load_tokenizer(smoke.path / "data/model/base")
    prompt = params.load("prompt", prompts.Params)
    item = {"id": "a", "problem": "What is 3 + 4?", "answer": "7"}
    task = params.load("benchmark.chain_sum.task", harness.Task)
    settings = params.load("evaluate", evaluate.Params)
    (request,) = questions.render("t", [item], task, settings, tokenizer)
    row = prompts.training_row(prompt, item["problem"], "7")
    rows = {key: [value] for key, value in row.items()} | {"id": ["a"]}
    tokens = sft.tokenise(rows, tokenizer)
    asked = tokens["completion_mask"][0].count(0)
    assert request.prompt_ids == tokens["input_ids"][0][:asked]


def test_two_runs_are_the_same_bytes(smoke: Workspace, again: Workspace) -> None:
    for path in MADE:
        assert sha256(smoke.path / path) == sha256(again.path / path), path


@dataclass
class Straight:
    """An undisturbed run of 20 steps, which is more than one epoch."""

    workspace: Workspace
    shown: str
    other: list[Path]  # Checkpoints of a killed run with other params.


@pytest.fixture(scope="module")
def straight(smoke: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Straight:
    workspace = smoke.copy(tmp_path_factory.mktemp("straight") / "project")
    set_params(workspace, "train.max_steps=21", "train.save_minutes=0.0")
    scratch = kill_at(workspace, "checkpoint-5")
    other = list(scratch.glob("*/checkpoint-*"))
    set_params(workspace, "train.max_steps=20", "train.save_minutes=0.0")
    return Straight(workspace, workspace.repro("train"), other)


def kill_at(workspace: Workspace, checkpoint: str, *options: str, forks: bool = True) -> Path:
    """Kill DVC and the stage once a complete checkpoint matches the name pattern."""
    running = workspace.popen("dvc", "repro", *options, "train", forks=forks)
    scratch = workspace.path / ".scratch/train"
    wait_for(lambda: list(scratch.glob(f"*/{checkpoint}/whole.json")))
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    return scratch


def test_other_params_never_pick_up_a_checkpoint(straight: Straight) -> None:
    assert straight.other and "resuming" not in straight.shown
    assert all(folder.exists() for folder in straight.other)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_weights(
    straight: Straight, tmp_path: Path
) -> None:
    """After SIGKILL the rerun starts from the last complete checkpoint.

    The run that is killed is a real process; a fork goes on and gives the bytes of a fork.
    """
    copy = straight.workspace.copy(tmp_path / "project")
    copy.run("rm", "-rf", "data/model/tuned", ".scratch/train")
    options = ["--force", "--single-item"]
    scratch = kill_at(copy, "checkpoint-1[0-7]", *options, forks=False)
    assert not (copy.path / "data/model/tuned").exists()
    (checkpoints,) = scratch.iterdir()
    torn = checkpoints / "checkpoint-20"
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{}")
    (torn / "whole.json").write_text('{"model.safetensors": 5}')

    shown = copy.repro("--force", "--single-item", "train")
    assert "resuming from checkpoint-1" in shown
    for path in MADE:
        assert sha256(copy.path / path) == sha256(straight.workspace.path / path), path
    assert not list(scratch.iterdir())


def test_a_run_asked_to_end_saves_first(smoke_copy: Workspace) -> None:
    """After SIGTERM to every process, as from a scheduler, DVC sees a failure.

    No step is trained twice.
    """
    set_params(smoke_copy, "train.max_steps=20", "train.save_minutes=100.0")
    running = smoke_copy.popen("python", "-m", "stages.train", forks=True)
    assert running.stdout
    seen = ""
    while "step 1 of 20, loss " not in seen:
        piece = running.stdout.read(1)
        assert piece, seen
        seen += piece
    for process in psutil.process_iter(["cwd"]):
        is_launcher = process.pid == running.pid  # It would pass the signal on once more.
        if process.info["cwd"] == str(smoke_copy.path) and not is_launcher:
            process.send_signal(signal.SIGTERM)
    rest = running.stdout.read()
    assert running.wait() != 0 and "stopped by SIGTERM, saved at step" in rest
    step = int(rest.split("saved at step ")[1].split()[0])
    assert f"resuming from checkpoint-{step}" in smoke_copy.repro("train")


def test_a_row_longer_than_max_length_is_an_error(smoke_copy: Workspace) -> None:
    set_params(smoke_copy, "train.max_length=64")
    shown = smoke_copy.repro("train", ok=False)
    assert "longer than train.max_length=64 tokens" in shown and "Traceback" not in shown


def test_a_loss_that_is_not_finite_is_a_failure(smoke_copy: Workspace) -> None:
    set_params(smoke_copy, "train.learning_rate=1e30", "train.max_grad_norm=1e30")
    shown = smoke_copy.repro("train", ok=False)
    ids = pq.read_table(smoke_copy.path / "data/mix/train.parquet")["id"].to_pylist()
    named = shown.split("on the rows ")[1].split(";")[0].split(", ")
    assert len(named) == 4 and set(named) <= set(ids) and "Traceback" not in shown
    assert "not finite" in shown and not (smoke_copy.path / "data/model/tuned").exists()


def test_too_long_rows_are_counted_or_refused(bench: Bench) -> None:
    from transformers import AutoTokenizer

    tokens = sft.load_tokens(
        train.MIX / "train.parquet", bench.scratch, AutoTokenizer.from_pretrained(train.BASE)
    )
    settings = replace(params.load("train", sft.Params), max_length=max(tokens["length"]) - 1)
    with pytest.raises(InputError, match=r"1 of \d\d train rows .* id [0-9a-f]{32}"):
        sft.drop_too_long(tokens, settings, "train")
    kept = sft.drop_too_long(tokens, replace(settings, max_too_long_rate=0.02), "train")
    assert len(kept) == len(tokens) - 1 and max(kept["length"]) <= settings.max_length


def last_line(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the stage in this process, which imports torch once, and return its last line."""
    monkeypatch.chdir(workspace.path)
    monkeypatch.setattr("sys.argv", ["stages.train"])
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            train.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    return str(ended.value)


def test_bad_bases_and_rows_are_one_line(
    smoke_copy: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line says what is wrong and how to fix it, and no model is left."""
    base = smoke_copy.path / "data/model/base"
    kept = {name: (base / name).read_text() for name in ("tokenizer_config.json",)}
    template = base / "chat_template.jinja"

    def shown() -> str:
        text = last_line(smoke_copy, monkeypatch)
        assert text.startswith("error: train: ") and "\n" not in text
        return text

    set_params(smoke_copy, "train.max_length=4096")
    assert "exceeds the model's context of 2048" in shown()
    set_params(smoke_copy)
    config = json.loads(kept["tokenizer_config.json"])
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"pad_token": None}))
    assert "has no padding token" in shown()
    (base / "tokenizer_config.json").write_text(kept["tokenizer_config.json"])
    whole = template.read_text()
    template.write_text(whole.replace("<|im_end|>", "<end>"))
    assert "end-of-turn token is not in the loss" in shown()
    template.write_text("{% if messages|length > 1 %}Done: {% endif %}" + whole)
    assert "renders the prompt differently" in shown()
    template.unlink()
    assert "has no chat template" in shown()
    (base / "tokenizer.json").unlink()
    assert "cannot load a tokenizer" in shown()


def test_no_rows_is_an_error(smoke_copy: Workspace) -> None:
    path = smoke_copy.path / "data/mix/train.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    shown = smoke_copy.python("-m", "stages.train", ok=False)
    assert "has no rows" in shown and "Traceback" not in shown


def test_live_metrics_are_in_mlflow(smoke: Workspace) -> None:
    from mlflow import MlflowClient

    lineage = json.loads((smoke.path / "lineage/train.json").read_text())
    client = MlflowClient(f"sqlite:///{smoke.path}/mlflow.db")
    run = client.get_run(lineage["mlflow_run_id"])
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == [1, 2, 3, 4]
    assert run.data.params["train.max_steps"] == "4"
    assert {"tokens_seen", "tokens_per_second", "memory_mib"} <= run.data.metrics.keys()
    samples = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "samples")]
    assert samples[0] == "samples/step-000000.txt" and samples[-1] == "samples/step-000004.txt"


def set_params(workspace: Workspace, *overrides: str) -> None:
    workspace.python("-m", "stages.params", "experiment=smoke", *overrides)


def wait_for(condition: Any, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
