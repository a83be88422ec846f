"""What the training stages share: checkpoints that survive a kill, metrics, models, saving.

Checkpoints lie outside the outs, in .scratch/<stage>/<fingerprint of data, params, code and
packages>/, so that DVC never takes a half-trained model for a result and no other configuration
picks them up. How the stages are launched is in mathledger/model/launch.py.
"""

import contextlib
import csv
import io
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.model.launch import Launch, any_rank, barrier, broadcast
from mathledger.run import tracking

MAX_SAMPLE_TOKENS = 128
Curves = dict[str, tuple[str, int | None]]  # the trainer's name of a number: ours, its digits
WHOLE = "whole.json"  # the sizes of a checkpoint's files, written once they are on the disk


@dataclass(frozen=True, config=STRICT)
class Lora:
    """Low-rank adapters instead of all weights; merged into the model when saved."""

    rank: int = Field(description="Rank of the adapters' matrices.")
    alpha: int = Field(description="The adapters' output is scaled by alpha / rank.")
    dropout: float = Field(description="Dropout of the adapters' input.")
    target_modules: str = Field(description="A regular expression of module names, or all-linear.")
    quantization: Literal["nf4"] | None = Field(
        description=(
            "Quantize the frozen weights while training (QLoRA); null leaves them as they are."
        ),
    )


def bf16_is_native() -> bool:
    """bf16 follows the hardware: on a CPU without bf16 units it is many times slower than fp32."""
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


# --- Checkpoints ----------------------------------------------------------------------------------


def seal(folder: Path) -> None:
    """Bring a checkpoint to the disk, then say that it is whole."""
    sizes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sizes[str(path.relative_to(folder))] = path.stat().st_size
    write_text(folder / WHOLE, json.dumps(sizes))


def is_whole(folder: Path) -> bool:
    """Whether every file of a checkpoint has the size that it was sealed with."""
    try:
        sizes = json.loads((folder / WHOLE).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, json.JSONDecodeError):
        return False


def last_checkpoint(scratch: Path) -> Path | None:
    """The newest whole checkpoint; torn ones, from a kill or a power cut, are removed."""
    found = None
    if tracking.is_main_process():
        folders = scratch.glob("checkpoint-*")
        for folder in sorted(folders, key=lambda path: int(path.name.split("-")[1])):
            if is_whole(folder):
                found = folder
            else:
                shutil.rmtree(folder)
    checkpoint: Path | None = broadcast(found)
    return checkpoint


def checkpoints(save_minutes: float) -> Any:
    """The callback that saves by the clock and when asked to end (SIGTERM)."""
    from transformers import TrainerCallback

    class Checkpoints(TrainerCallback):  # type: ignore[misc]
        asked_to_end = False

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.saved = time.monotonic()
            self.before = signal.signal(signal.SIGTERM, self.ask)

        def ask(self, *_: Any) -> None:
            self.asked_to_end = True

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            # At a logged step only, so that a resumed run logs the same means.
            due = time.monotonic() - self.saved > save_minutes * 60
            due = due and state.global_step % args.logging_steps == 0
            save, end = any_rank(due, self.asked_to_end)
            control.should_save = save or end
            control.should_training_stop |= end

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.saved = time.monotonic()
            barrier()  # every process has written its part
            if tracking.is_main_process():
                seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")
            barrier()  # one that ends before has its launcher kill the first as it seals

        def on_train_end(self, *_: Any, **__: Any) -> None:
            signal.signal(signal.SIGTERM, self.before)

    return Checkpoints()


def train(trainer: Any, checkpoint: Path | None) -> float:
    """Train to the last step, from a checkpoint where there is one; returns the seconds.

    A run that was asked to end exits with an error, after it saved: DVC must not take it for done.
    """
    if checkpoint and tracking.is_main_process():
        print(f"going on from {checkpoint.name}")
    started = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except RuntimeError as error:
        if "inline_container" not in str(error):  # torch.save, which does not pass the cause on
            raise
        free = shutil.disk_usage(trainer.args.output_dir).free >> 20
        raise InputError(
            f"a checkpoint could not be written to {trainer.args.output_dir} ({free} MiB are "
            "free): is the disk full? Make room and run again; it goes on from the one before"
        ) from None
    step, steps = trainer.state.global_step, trainer.state.max_steps
    if step < steps:
        sys.exit(f"error: asked to end, saved at step {step} of {steps}; run again to go on")
    return time.monotonic() - started


def in_seeded_order(trainer_class: Any) -> Any:
    """The trainer, made to take its rows in an order that seed and epoch alone decide.

    The stock samplers draw from the global random state, or count epochs from the start of the
    process: resumed in a later epoch, a run would see other rows than the uninterrupted one.
    Rows of like length go together where the dataset has lengths, so that little is padded.
    """
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    class Order(torch.utils.data.Sampler):  # type: ignore[misc]
        def __init__(self, trainer: Any, lengths: list[int] | None) -> None:
            self.trainer, self.lengths = trainer, lengths

        def __len__(self) -> int:
            return len(self.trainer.train_dataset)

        def __iter__(self) -> Iterator[int]:
            args, epoch = self.trainer.args, int(self.trainer.state.epoch or 0)
            generator = torch.Generator().manual_seed(args.data_seed + epoch)
            if self.lengths is None:
                return iter(torch.randperm(len(self), generator=generator).tolist())
            size = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
            return iter(get_length_grouped_indices(self.lengths, size, generator=generator))

    class Ordered(trainer_class):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            # Of self: the dataset that is passed has lost the columns that the model does not take.
            data = self.train_dataset
            return Order(self, list(data["length"]) if "length" in data.column_names else None)

    return Ordered


# --- Loss and gradients that are not finite -------------------------------------------------------


class NotFiniteError(Exception):
    """A step whose loss or gradient is NaN or infinite; carries that step's suspect batches."""

    def __init__(self, step: int, batches: list[Any]) -> None:
        super().__init__(f"step {step}")
        self.step, self.batches = step, batches


def stopping_at_nan(trainer_class: Any) -> Any:
    """The trainer, made to raise NotFiniteError before such a step reaches the weights.

    The stock trainer goes on with weights of NaN, and puts a mean of earlier losses into the log.
    """
    import torch

    class Stopping(trainer_class):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.micro: list[tuple[Any, Any]] = []  # loss and batch, since the last update

        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(model, inputs, *args, **kwargs)
            self.micro.append((loss, inputs))
            return loss

        def _get_grad_norm(self, *args: Any, **kwargs: Any) -> Any:
            norm = super()._get_grad_norm(*args, **kwargs)
            bad = [batch for loss, batch in self.micro if not torch.isfinite(loss)]
            if bad or not torch.isfinite(torch.as_tensor(float(norm))):
                batches = bad or [batch for _, batch in self.micro]
                raise NotFiniteError(self.state.global_step + 1, batches)
            self.micro.clear()
            return norm

    return Stopping


def sequences(batch: dict[str, Any]) -> list[list[int]]:
    """The rows of a batch as token ids: padded (batch, length) or packed (1, length)."""
    ids = batch["input_ids"]
    if "attention_mask" in batch:
        masks = batch["attention_mask"].bool()
        return [row[mask].tolist() for row, mask in zip(ids, masks, strict=True)]
    starts = (batch["position_ids"][0] == 0).nonzero()[:, 0].tolist()
    ends = [*starts[1:], ids.shape[1]]
    return [ids[0, start:end].tolist() for start, end in zip(starts, ends, strict=True)]


def ids_of(batches: list[dict[str, Any]], tokens: Any) -> list[str]:
    """The ids of the rows in these batches, looked up in the tokenised rows by their tokens."""
    wanted = {tuple(ids) for batch in batches for ids in sequences(batch)}
    return [row["id"] for row in tokens if tuple(row["input_ids"]) in wanted]


# --- What a person sees ---------------------------------------------------------------------------


def memory_mib() -> int:
    """The peak memory of this process so far: the GPU's where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated()) >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def callbacks(
    run: tracking.Run,
    shown: dict[str, Any],
    scratch: Path,
    launch: Launch,
    save_minutes: float,
    kept: Curves,
) -> list[Any]:
    """What is added to a trainer: checkpoints, held-out samples, and in the first process a bar
    with the time left and live metrics, those in `kept`, in MLflow."""
    found = [checkpoints(save_minutes), held_out(shown, scratch, run, launch.sharding)]
    return found + progress(run, set(kept)) if tracking.is_main_process() else found


def held_out(row: dict[str, Any], scratch: Path, run: tracking.Run, sharding: str) -> Any:
    """The callback that evaluates at the last step, and lets the model answer one held-out problem
    at every evaluation."""
    import torch
    from transformers import TrainerCallback

    file = scratch / "samples.json"

    class HeldOut(TrainerCallback):  # type: ignore[misc]
        samples: list[dict[str, Any]] = []  # noqa: RUF012

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.samples = []
            if state.global_step and file.exists():
                kept = json.loads(file.read_text())
                self.samples = [each for each in kept if each["step"] <= state.global_step]

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == state.max_steps:
                control.should_evaluate = True

        def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            model, tokenizer = kwargs["model"], kwargs["processing_class"]
            ids = tokenizer.apply_chat_template(
                row["prompt"], add_generation_prompt=True, return_dict=False, return_tensors="pt"
            ).to(args.device)
            mode = model.training
            model.eval()
            with torch.no_grad():
                out = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=False,
                    use_cache=True,
                    max_new_tokens=MAX_SAMPLE_TOKENS,
                    synced_gpus=sharding != "none",
                )
            model.train(mode)
            response = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
            if tracking.is_main_process():
                sample = {"step": state.global_step, "id": row["id"], "response": response}
                self.samples = [s for s in self.samples if s["step"] != state.global_step]
                self.samples.append(sample)
                write_text(file, json.dumps(self.samples))
                title = f"step {state.global_step}, row {row['id']}\n\n"
                run.log_text(title + response, f"samples/step-{state.global_step:06}.txt")

    return HeldOut()


def progress(run: tracking.Run, kept: set[str]) -> list[Any]:
    """A bar with loss and time left, and live metrics in MLflow.

    The stock MLflow callback logs a second, conflicting set of params and marks crashed runs
    FINISHED; the stock bar prints a line for each step.
    """
    from transformers import ProgressCallback, TrainerCallback

    class Bar(ProgressCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if self.training_bar is not None and "loss" in logs:
                self.training_bar.set_postfix(loss=f"{float(logs['loss']):.3f}")

        def on_prediction_step(self, *_: Any, **__: Any) -> None:
            """Without a second bar, which leaves a line for each evaluation."""

    class Log(TrainerCallback):  # type: ignore[misc]
        """Also keeps what the clock says, step by step, for lineage/."""

        def __init__(self) -> None:
            self.speed: list[dict[str, Any]] = []

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.last = time.monotonic(), state.num_input_tokens_seen

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            metrics = {key: value for key, value in logs.items() if key in kept}
            if "loss" in logs:
                now, tokens = time.monotonic(), state.num_input_tokens_seen
                seconds, num_tokens = now - self.last[0], tokens - self.last[1]
                self.last = now, tokens
                clock = {
                    "tokens_per_second": round(num_tokens / seconds, 1),
                    "memory_mib": memory_mib(),
                }
                self.speed.append({"step": state.global_step, **clock})
                metrics |= {"tokens_seen": tokens, **clock}
            run.log_metrics(metrics, step=state.global_step)

    return [Bar(), Log()]


@contextlib.contextmanager
def energy() -> Iterator[dict[str, Any]]:
    """Fills in `energy_kwh`: codecarbon's estimate for this machine's CPU, memory and GPUs.

    GPUs are measured by their driver; CPU power is measured where the machine tells it (RAPL), else
    estimated from the load and the processor's rating. The country only matters for CO2, not kept.
    None where codecarbon cannot start, as in a Slurm job's container that has no scontrol.
    """
    import logging

    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.ERROR)

    facts: dict[str, Any] = {}
    tracker = OfflineEmissionsTracker(
        country_iso_code="USA", save_to_file=False, log_level="error", allow_multiple_runs=True
    )
    tracker.start()
    try:
        yield facts
    finally:
        tracker.stop()
        found = getattr(tracker, "final_emissions_data", None)
        facts["energy_kwh"] = round(found.energy_consumed, 6) if found else None


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Rows as CSV; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def curves(history: list[dict[str, Any]], kept: Curves) -> str:
    """The trainer's log as CSV, one line a step; `kept` gives a column its name and digits."""
    steps: dict[int, dict[str, Any]] = {}
    for entry in history:
        row = steps.setdefault(entry["step"], {"step": entry["step"]})
        row.update({name: round(entry[key], n) for key, (name, n) in kept.items() if key in entry})
    columns = ["step", *(name for name, _ in kept.values())]
    return table([steps[step] for step in sorted(steps)], columns)


def write_records(callbacks: list[Any], samples: Path, speed: Path) -> None:
    """What the callbacks collected: held-out samples; tokens a second and memory by step."""
    for each in callbacks:
        if hasattr(each, "samples"):
            write_text(samples, table(each.samples, ["step", "id", "response"]))
        if hasattr(each, "speed"):
            write_text(speed, table(each.speed, ["step", "tokens_per_second", "memory_mib"]))


def size_of_run(trainer: Any) -> dict[str, int]:
    """Steps, batch, trained parameters and tokens, for the metrics."""
    args, parameters = trainer.args, trainer.model.parameters()
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    return {
        "num_steps": trainer.state.max_steps,
        "effective_batch_size": batch,
        "num_trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "num_tokens_seen": int(trainer.state.num_input_tokens_seen),
    }


def facts(trainer: Any, seconds: float, checkpoint: Path | None) -> dict[str, Any]:
    """Hardware and times, for the lineage."""
    import torch

    return {
        "device": str(trainer.args.device),
        "precision": "bfloat16" if trainer.args.bf16 else "float32",
        "num_processes": trainer.args.world_size,
        "num_threads": torch.get_num_threads(),
        "train_seconds": round(seconds, 1),
        "resumed_from": checkpoint.name if checkpoint else None,
        "peak_memory_mib": memory_mib(),
    }


# --- Models ---------------------------------------------------------------------------------------


def expect_context(config: Any, max_length: int) -> None:
    """Raise InputError where rows may be longer than the positions that the model knows."""
    context = getattr(config, "max_position_embeddings", None)
    if context and max_length > context:
        raise InputError(f"max_length={max_length} exceeds the model's context of {context} tokens")


def load_model(folder: Path, lora: Lora | None, attn_implementation: str) -> Any:
    """The model to train: float32 master weights, or under LoRA frozen ones in what is fastest."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    compute = torch.bfloat16 if bf16_is_native() else torch.float32
    options: dict[str, Any] = {"attn_implementation": attn_implementation}
    options["dtype"] = compute if lora else torch.float32
    if lora and lora.quantization:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=lora.quantization,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        )
    return AutoModelForCausalLM.from_pretrained(folder, **options)


def peft_config(lora: Lora | None) -> Any:
    """peft's configuration of the adapters; None for full fine-tuning."""
    if not lora:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )


def arguments(launch: Launch) -> dict[str, Any]:
    """The trainer's arguments that the launcher and the hardware decide."""
    import torch

    options: dict[str, Any] = {
        "bf16": bf16_is_native(),
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,
        "include_num_input_tokens_seen": "non_padding",
        "logging_nan_inf_filter": False,  # see stopping_at_nan
        "save_strategy": "no",  # by the clock: see checkpoints
        "save_total_limit": 2,
        "report_to": "none",
    }
    if launch.sharding == "fsdp2":
        options["fsdp"] = True
        options["fsdp_config"] = {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "reshard_after_forward": True,
            "state_dict_type": "SHARDED_STATE_DICT",  # checkpoints; see save_model for the result
        }
    return options


def shard_on_cpu_too(launch: Launch) -> None:
    """Between the making of the arguments and of the trainer.

    accelerate shards on accelerators only, and on a CPU goes over to DDP without a word.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    if launch.sharding != "none" and PartialState().distributed_type == DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def save_model(trainer: Any, tokenizer: Any, base: Path, lora: Lora | None, out: Path) -> None:
    """A plain `from_pretrained` folder, aside and then renamed; adapters are merged, and kept.

    trainer.save_model would add files that differ from run to run (training_args.bin). Adapters are
    merged into the unquantised base in float32.
    """
    weights = trainer.accelerator.get_state_dict(trainer.model)  # under FSDP from all processes
    if not tracking.is_main_process():
        return
    aside = out.with_name(out.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    if lora:
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        model.save_pretrained(aside / "adapter", state_dict=weights)
        (aside / "adapter" / "README.md").unlink(missing_ok=True)  # peft's empty card
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model = PeftModel.from_pretrained(plain, aside / "adapter").merge_and_unload()
        weights = model.state_dict()
    model.config.use_cache = True  # off in training only
    model.save_pretrained(aside, state_dict=weights)
    tokenizer.save_pretrained(aside)
    aside.rename(out)
