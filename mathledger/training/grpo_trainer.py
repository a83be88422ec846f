"""TRL's GRPOTrainer, which resumes in the same row order and stops at a non-finite loss.

TRL's module imports MLflow, which takes most of a second, so SFT does without this one. It imports
torch as well, so import it inside the function that builds a trainer.
"""

from collections.abc import Iterator
from typing import Any

import torch
import trl

from mathledger.model import conversations
from mathledger.training.trainers import StopAtLastStep, StopAtNonFinite


class ReseededSampler(torch.utils.data.Sampler):  # type: ignore[misc]
    """GRPO's stock sampler, reseeded from `seed` and the epoch so that a resumed run repeats it."""

    def __init__(self, stock: Any, trainer: Any) -> None:
        self.stock, self.trainer = stock, trainer

    def __len__(self) -> int:
        return len(self.stock)

    def __iter__(self) -> Iterator[int]:
        epoch = int(self.trainer.state.epoch or 0)
        self.stock.generator.manual_seed(self.trainer.args.seed + epoch)
        return iter(self.stock)


class GRPOTrainer(StopAtNonFinite, StopAtLastStep, trl.GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPOTrainer, with our prompts, and an order of problems that a resumed run repeats."""

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        rendered = conversations.render(self.processing_class, prompts, True)
        return [each.ids for each in rendered], None, {}

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        return ReseededSampler(super()._get_train_sampler(dataset), self)
