"""Sample each row of a batch with its own seed.

This module imports torch and transformers, so import it inside the functions that use it.
"""

from typing import Any

import torch
from transformers import LogitsProcessor, TopPLogitsWarper


class SeededSampling(LogitsProcessor):  # type: ignore[misc]
    """A logits processor that makes greedy decoding sample, with a seed for each row.

    The argmax of log-probabilities plus independent Gumbel noise is a sample from their
    distribution (Gumbel 1954; Maddison et al. 2014, arXiv 1411.0030). Each row has its own
    generator, so its draws do not depend on the rest of the batch. With torch.multinomial they
    would.
    """

    def __init__(self, seeds: list[int], temperature: float, top_p: float) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature
        self.top_p = TopPLogitsWarper(top_p)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = self.top_p(input_ids, scores.float() / self.temperature)
        noise = torch.stack(
            [
                torch.empty(scores.shape[1]).exponential_(generator=generator)
                for generator in self.generators
            ]
        )
        return scores - noise.log().to(scores.device)
