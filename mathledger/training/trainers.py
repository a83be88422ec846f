"""TRL's SFTTrainer, which resumes in the same row order and stops at a non-finite loss.

This module imports torch and TRL, so import it inside the function that builds a trainer.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
import trl
from transformers.trainer_pt_utils import get_length_grouped_indices


class NonFiniteError(Exception):
    """Raised at a step with a NaN or infinite loss or gradient; carries its suspect batches."""

    def __init__(self, step: int, batches: list[Any]) -> None:
        super().__init__(f"step {step}")
        self.step, self.batches = step, batches


class StopAtNonFinite:
    """A mixin that raises NonFiniteError before a non-finite loss or gradient reaches the weights.

    The stock trainer keeps training with NaN weights, and logs a mean of earlier losses.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.micro: list[tuple[Any, Any]] = []  # losses and batches since the last update

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        loss = super().training_step(model, inputs, *args, **kwargs)  # type: ignore[misc]
        self.micro.append((loss, inputs))
        return loss

    def _get_grad_norm(self, *args: Any, **kwargs: Any) -> Any:
        norm = super()._get_grad_norm(*args, **kwargs)  # type: ignore[misc]
        # Each read of a number waits for a GPU, so the losses of a step are read as one sum.
        total = torch.stack([loss.detach() for loss, _ in self.micro]).sum() if self.micro else 0.0
        if not (math.isfinite(norm) and math.isfinite(total)):
            bad = [batch for loss, batch in self.micro if not torch.isfinite(loss)]
            batches = bad or [batch for _, batch in self.micro]
            raise NonFiniteError(self.state.global_step + 1, batches)  # type: ignore[attr-defined]
        self.micro.clear()
        return norm


class StopAtLastStep:
    """A mixin that stops at once if a run resumes from the checkpoint of its last step.

    The stock trainer looks at the number of steps only after a step, so it would take another one.
    """

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        state, control = self.state, self.control  # type: ignore[attr-defined]
        if state.global_step < state.max_steps:
            super()._run_epoch(*args, **kwargs)  # type: ignore[misc]
        else:
            control.should_training_stop = True


class SeededSampler(torch.utils.data.Sampler):  # type: ignore[misc]
    """A sampler whose order depends on `data_seed` and the epoch alone; it can group by length.

    The stock samplers draw from the global random state, or count epochs from the start of the
    process, so a run resumed in a later epoch would see other rows than an uninterrupted one.
    """

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


class SFTTrainer(StopAtNonFinite, StopAtLastStep, trl.SFTTrainer):  # type: ignore[misc]
    """TRL's SFTTrainer, with batches of rows of similar length to keep padding low."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        # The argument has lost the columns that the model does not take, such as the length.
        rows = self.train_dataset
        return SeededSampler(self, list(rows["length"]) if "length" in rows.column_names else None)
