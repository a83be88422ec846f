"""Callbacks for TRL's trainers: checkpoints, held-out samples, a progress bar, live metrics.

This module imports torch and transformers, so import it inside the function that uses a callback.
"""

import contextlib
import json
import math
import signal
import time
from pathlib import Path
from typing import Any

import torch
from transformers import ProgressCallback, TrainerCallback

from mathledger.core.files import write_text
from mathledger.model import conversations
from mathledger.model.launch import any_rank, barrier
from mathledger.run import tracking
from mathledger.training.checkpoints import seal
from mathledger.training.hardware import peak_memory_mib

MAX_SAMPLE_TOKENS = 128
SECONDS_BETWEEN_LINES = 60


class Checkpointing(TrainerCallback):  # type: ignore[misc]
    """Save a checkpoint every `save_minutes`; on SIGTERM, save one and stop."""

    def __init__(self, save_minutes: float) -> None:
        self.save_minutes, self.asked_to_end = save_minutes, False

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.saved = time.monotonic()
        self.before = signal.signal(signal.SIGTERM, self.ask_to_end)

    def ask_to_end(self, *_: Any) -> None:
        self.asked_to_end = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Save only at a logged step, so that a resumed run logs the same means.
        due = time.monotonic() - self.saved > self.save_minutes * 60
        due = due and state.global_step % args.logging_steps == 0
        save, end = any_rank(due, self.asked_to_end)
        control.should_save = save or end
        control.should_training_stop |= end

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.saved = time.monotonic()
        barrier()  # wait until every rank has written its shard
        if tracking.is_main_process():
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        barrier()  # if a rank exited earlier, the launcher would kill rank 0 while it seals

    def on_train_end(self, *_: Any, **__: Any) -> None:
        signal.signal(signal.SIGTERM, self.before)


class HeldOutSamples(TrainerCallback):  # type: ignore[misc]
    """Evaluate after the last step, and answer one held-out row at every evaluation.

    Args:
        row: the held-out row; None if no text of the validation set may be shown.
        file: the file that keeps the samples for a resumed run.
        synced_gpus: True if the weights are sharded, so that all ranks must generate together.
    """

    def __init__(
        self, row: dict[str, Any] | None, file: Path, run: tracking.Run, synced_gpus: bool
    ) -> None:
        self.row, self.file, self.run, self.synced_gpus = row, file, run, synced_gpus
        self.samples: list[dict[str, Any]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.samples = []
        if state.global_step and self.file.exists():
            with contextlib.suppress(ValueError):  # a power cut tore the file
                kept = json.loads(self.file.read_text(encoding="utf-8"))
                self.samples = [each for each in kept if each["step"] <= state.global_step]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == state.max_steps:
            control.should_evaluate = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.row is None:
            return
        asked = kwargs["model"], kwargs["processing_class"], self.row["prompt"], args.device
        response = answer(*asked, self.synced_gpus)
        if not tracking.is_main_process():
            return
        sample = {"step": state.global_step, "id": self.row["id"], "response": response}
        self.samples = [s for s in self.samples if s["step"] != state.global_step]
        self.samples.append(sample)
        write_text(self.file, json.dumps(self.samples))
        title = f"step {state.global_step}, row {self.row['id']}\n\n"
        self.run.log_text(title + response, f"samples/step-{state.global_step:06}.txt")


def answer(model: Any, tokenizer: Any, prompt: Any, device: Any, synced_gpus: bool = False) -> str:
    """Return a model's greedy answer to the prompt of a row of data/mix/."""
    (asked,) = conversations.render(tokenizer, [prompt], True)
    ids = torch.tensor([asked.ids], device=device)
    mode = model.training
    model.eval()
    with torch.no_grad():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            use_cache=True,
            max_new_tokens=MAX_SAMPLE_TOKENS,
            synced_gpus=synced_gpus,
        )
    model.train(mode)
    response: str = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    return response


class ProgressBar(ProgressCallback):  # type: ignore[misc]
    """A single bar with the loss and the time left; the stock bar prints a line for each step."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if self.training_bar is not None and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{float(logs['loss']):.3f}")

    def on_prediction_step(self, *_: Any, **__: Any) -> None:
        """Show no evaluation bar, because it would leave a line for each evaluation."""


class ProgressLines(TrainerCallback):  # type: ignore[misc]
    """Print a line about once a minute, for a log file, which a bar would fill."""

    def __init__(self) -> None:
        self.last = -math.inf

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs and time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            loss = float(logs["loss"])
            print(f"step {state.global_step} of {state.max_steps}, loss {loss:.3f}", flush=True)


class LiveMetrics(TrainerCallback):  # type: ignore[misc]
    """Send metrics to MLflow during training, and record throughput and memory by step.

    The stock MLflow callback logs a second, conflicting set of params, and marks crashed runs
    FINISHED.

    Args:
        names: the metrics to send, under the trainer's names.
    """

    def __init__(self, run: tracking.Run, names: set[str]) -> None:
        self.run, self.names = run, names
        self.speed: list[dict[str, Any]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.last = time.monotonic(), state.num_input_tokens_seen

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        metrics = {key: value for key, value in logs.items() if key in self.names}
        if "loss" in logs:
            now, tokens = time.monotonic(), state.num_input_tokens_seen
            seconds, num_tokens = now - self.last[0], tokens - self.last[1]
            self.last = now, tokens
            clock = {
                "tokens_per_second": round(num_tokens / seconds, 1),
                "memory_mib": peak_memory_mib(),
            }
            self.speed.append({"step": state.global_step, **clock})
            metrics |= {"tokens_seen": tokens, **clock}
        self.run.log_metrics(metrics, step=state.global_step)


class StepClock(TrainerCallback):  # type: ignore[misc]
    """Time each step, from the end of the one before, and count its tokens in all processes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.tokens: list[int] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.last = self.now(), state.num_input_tokens_seen

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        now, tokens = self.now(), state.num_input_tokens_seen
        self.seconds.append(now - self.last[0])
        self.tokens.append(tokens - self.last[1])
        self.last = now, tokens

    def now(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # a GPU works on while Python goes ahead
        return time.monotonic()
