"""Sample each row of a batch with its own seed.

This module imports torch and transformers, so import it inside the functions that use it.
"""

from typing import Any

import torch
from transformers import (
    LogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from mathledger.evaluation.settings import Params


def processors(settings: Params, seeds: list[int], mask: Any) -> list[Any]:
    """Return the logits processors for a batch: penalties first, then sampling.

    Args:
        seeds: a seed for each row; none if decoding is greedy.
        mask: the attention mask of the prompts, which are padded on the left.
    """
    found: list[Any] = []
    if settings.repetition_penalty != 1 or settings.presence_penalty != 0:
        found.append(Penalties(settings.repetition_penalty, settings.presence_penalty, mask))
    if seeds:
        found.append(SeededSampling(seeds, settings))
    return found


class Penalties(LogitsProcessor):  # type: ignore[misc]
    """Penalise repeated tokens, whatever else is in the batch.

    The repetition penalty covers prompt and response (Keskar et al. 2019, arXiv 1909.05858), and
    the presence penalty the response alone, as in vLLM and OpenAI's protocol.
    """

    def __init__(self, repetition: float, presence: float, mask: Any) -> None:
        self.repetition = RepetitionPenaltyLogitsProcessor(float(repetition))
        self.presence = presence
        self.mask = mask

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        width = self.mask.shape[1]
        # Padding counts as the prompt's last token, so that no row depends on the longest one.
        prompt = torch.where(
            self.mask.bool(), input_ids[:, :width], input_ids[:, width - 1 : width]
        )
        scores = self.repetition(torch.cat([prompt, input_ids[:, width:]], dim=1), scores.float())
        is_present = torch.zeros_like(scores, dtype=torch.bool)
        is_present.scatter_(1, input_ids[:, width:], True)
        return scores - self.presence * is_present


class SeededSampling(LogitsProcessor):  # type: ignore[misc]
    """A logits processor that makes greedy decoding sample, with a seed for each row.

    The argmax of log-probabilities plus independent Gumbel noise is a sample from their
    distribution (Gumbel 1954; Maddison et al. 2014, arXiv 1411.0030). Each row has its own
    generator, so its draws do not depend on the rest of the batch. With torch.multinomial they
    would.
    """

    def __init__(self, seeds: list[int], settings: Params) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = settings.temperature
        # In the order of transformers' own sampling.
        self.filters: list[Any] = []
        if settings.top_k is not None:
            self.filters.append(TopKLogitsWarper(settings.top_k))
        self.filters.append(TopPLogitsWarper(settings.top_p))
        if settings.min_p > 0:
            self.filters.append(MinPLogitsWarper(settings.min_p))

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = scores.float() / self.temperature
        for keep in self.filters:
            scores = keep(input_ids, scores)
        noise = torch.stack(
            [
                torch.empty(scores.shape[1]).exponential_(generator=generator)
                for generator in self.generators
            ]
        )
        return scores - noise.log().to(scores.device)
