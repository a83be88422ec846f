"""Start, resume and stop TRL's trainer, and write its results, for both training stages."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from mathledger.core.errors import InputError
from mathledger.core.escaping import csv_text
from mathledger.core.files import write_json, write_text
from mathledger.model.launch import Launch, any_rank, initialise_ranks
from mathledger.model.scratch import scratch_folder
from mathledger.run import tracking
from mathledger.training.checkpoints import last_checkpoint
from mathledger.training.curves import Curves, curves_csv
from mathledger.training.energy import measured_energy
from mathledger.training.hardware import hardware_facts


class Settings(Protocol):
    """The params of a stage that `run_trainer` reads."""

    @property
    def launch(self) -> Launch: ...
    @property
    def save_minutes(self) -> float: ...


@dataclass(frozen=True)
class Outputs:
    """The paths that a training stage writes, except its lineage."""

    model: Path
    metrics: Path
    curves: Path
    samples: Path
    speed: Path


@dataclass(frozen=True)
class Training:
    """The results of a finished training run, except the model."""

    history: list[dict[str, Any]]  # the trainer's log
    samples: list[dict[str, Any]]  # keys: step, id, response
    speed: list[dict[str, Any]]  # keys: step, tokens_per_second, memory_mib
    seconds: float
    resumed_from: str | None  # name of a checkpoint

    def logged(self, name: str) -> list[float]:
        """Return the values of a metric in step order."""
        return [entry[name] for entry in self.history if name in entry]


@contextlib.contextmanager
def training_run(stage: str, launch: Launch, run: tracking.Run) -> Iterator[Path]:
    """Start the ranks and yield the scratch folder; delete it if the body succeeds.

    The energy that the body used is added to the run's facts.
    """
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    with only_training(stage):
        initialise_ranks(launch)
        scratch = scratch_folder(stage, run)
        with measured_energy() as energy:
            yield scratch
            if tracking.is_main_process():
                shutil.rmtree(scratch, ignore_errors=True)
        run.facts |= energy


@contextlib.contextmanager
def only_training(stage: str, locks: Path = Path(".scratch/locks")) -> Iterator[None]:
    """Wait until no other process of this checkout writes the same stage's outputs.

    A training whose DVC was killed goes on to the end of its step and saves a checkpoint, while
    `dvc repro` may have begun the stage again, maybe with other params. Rank 0 waits for all ranks.
    """
    if not tracking.is_main_process():
        yield
        return
    locks.mkdir(parents=True, exist_ok=True)
    # The operating system releases the lock when the process ends, even if it is killed.
    lock = FileLock(locks / f"outputs-{stage}.lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{stage}: an earlier run in this checkout is ending; waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def run_trainer(
    trainer: Any,
    settings: Settings,
    run: tracking.Run,
    section: str,
    held_out: dict[str, Any] | None,
    curves: Curves,
    ids_of: Callable[[list[Any]], list[str]],
) -> Training:
    """Train to the last step, from the last checkpoint if there is one.

    Args:
        section: the stage's section of params.yaml, named in errors.
        held_out: the row that the model answers at every evaluation, if there is one.
        curves: the metrics to send to MLflow.
        ids_of: a function that returns the ids of the rows in some batches.

    Raises:
        InputError: a loss or gradient is not finite, or the disk is full.
        SystemExit: the run got SIGTERM and has saved a checkpoint.
    """
    import transformers

    from mathledger.training import callbacks
    from mathledger.training.trainers import NonFiniteError

    check_sharding(trainer, settings.launch, section)
    scratch = Path(trainer.args.output_dir)
    synced = settings.launch.sharding != "none"
    samples = callbacks.HeldOutSamples(held_out, scratch / "samples.json", run, synced)
    live = callbacks.LiveMetrics(run, set(curves))
    trainer.remove_callback(transformers.ProgressCallback)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(callbacks.Checkpointing(settings.save_minutes))
    trainer.add_callback(samples)
    if tracking.is_main_process():
        is_watched = sys.stderr.isatty()
        trainer.add_callback(callbacks.ProgressBar() if is_watched else callbacks.ProgressLines())
        trainer.add_callback(live)
    checkpoint = last_checkpoint(scratch)
    trainer.args.eval_on_start = checkpoint is None
    try:
        seconds = train_to_end(trainer, checkpoint)
    except NonFiniteError as error:
        raise InputError(
            f"step {error.step}: the loss or its gradient is not finite on the rows "
            f"{', '.join(ids_of(error.batches)[:20])}; this step was discarded. Inspect these "
            f"rows, or lower {section}.learning_rate; the last good checkpoint is in {scratch}"
        ) from None
    resumed_from = checkpoint.name if checkpoint else None
    return Training(trainer.state.log_history, samples.samples, live.speed, seconds, resumed_from)


def check_sharding(trainer: Any, launch: Launch, section: str) -> None:
    """Raise InputError unless the trainer shards as the launcher's params say."""
    if trainer.is_fsdp_enabled != (launch.sharding == "fsdp2"):
        raise InputError(
            f"{section}.launch.sharding={launch.sharding} was not applied: check "
            f"{section}.launch.command"
        )


def train_to_end(trainer: Any, checkpoint: Path | None) -> float:
    """Train to the last step, from a checkpoint if one is given, and return the seconds it took.

    A run that gets SIGTERM saves and exits with an error, so that DVC does not count it as done.
    This holds after the last step as well: DVC may have been killed, and run the stage again.
    """
    from mathledger.training.callbacks import Checkpointing

    if checkpoint and tracking.is_main_process():
        print(f"resuming from {checkpoint.name}")
    started = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except RuntimeError as error:
        if "inline_container" not in str(error):  # torch.save raises this and hides the cause
            raise
        free = shutil.disk_usage(trainer.args.output_dir).free >> 20
        raise InputError(
            f"a checkpoint could not be written to {trainer.args.output_dir} ({free} MiB free): "
            "is the disk full? Free some space and run again; training resumes from the "
            "previous checkpoint"
        ) from None
    step, steps = trainer.state.global_step, trainer.state.max_steps
    asked = [
        callback.asked_to_end
        for callback in trainer.callback_handler.callbacks
        if isinstance(callback, Checkpointing)
    ]
    if step < steps or any_rank(any(asked))[0]:
        sys.exit(f"error: stopped by SIGTERM, saved at step {step} of {steps}; run again to resume")
    return time.monotonic() - started


def size_of_run(trainer: Any) -> dict[str, int]:
    """Return the numbers of steps, trained parameters and tokens, and the batch size."""
    args, parameters = trainer.args, trainer.model.parameters()
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    return {
        "num_steps": trainer.state.max_steps,
        "effective_batch_size": batch,
        "num_trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "num_tokens_seen": int(trainer.state.num_input_tokens_seen),
    }


def write_results(
    trainer: Any,
    training: Training,
    metrics: dict[str, Any],
    curves: Curves,
    outputs: Outputs,
    run: tracking.Run,
) -> None:
    """Write curves, samples, speed and metrics; add hardware and times to the run's facts."""
    write_text(outputs.curves, curves_csv(training.history, curves))
    write_text(outputs.samples, csv_text(["step", "id", "response"], training.samples))
    speed = ["step", "tokens_per_second", "memory_mib"]
    write_text(outputs.speed, csv_text(speed, training.speed))
    write_json(outputs.metrics, metrics)
    run.log_metrics(metrics)
    run.facts = {
        **hardware_facts(trainer),
        "train_seconds": round(training.seconds, 1),
        "resumed_from": training.resumed_from,
    }
