"""Generate with transformers, through lm-evaluation-harness.

Sampling is reproducible: each response has its own seed, and in float32 a draw does not depend on
the batch or on the process.
"""

import bisect
import functools
import os
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

from mathledger.evaluation.engines.engine import (
    Done,
    Engine,
    Limits,
    Request,
    Response,
    choose_dtype,
)
from mathledger.evaluation.settings import Params
from mathledger.model.thinking import control_ids


def read_tokens(
    ids: list[int],
    end_ids: set[int],
    until: list[str],
    tokenizer: Any,
    kept: Set[int] = frozenset(),
) -> tuple[str, int, str]:
    """Return text, number of tokens and finish reason of generated ids that may end in padding.

    Args:
        kept: control tokens that mark thinking, which the text keeps.
    """
    show = functools.partial(_show, tokenizer, kept)
    end = next((at for at, token in enumerate(ids) if token in end_ids), None)
    ids = ids if end is None else ids[: end + 1]
    text = show(ids)
    cuts = [text.index(stop) for stop in until if stop in text]
    if not cuts:
        return text, len(ids), "length" if end is None else "stop"
    text = text[: min(cuts)]
    # The first number of tokens whose text has a stop; a longer start of the ids has it as well.
    numbers = range(1, len(ids) + 1)
    at = bisect.bisect_left(numbers, True, key=lambda n: any(s in show(ids[:n]) for s in until))
    return text, numbers[min(at, len(ids) - 1)], "stop"


def _show(tokenizer: Any, kept: Set[int], ids: list[int]) -> str:
    """Return the text of some tokens, without control tokens except those in `kept`."""
    text: str
    if kept.isdisjoint(ids):
        text = tokenizer.decode(ids, skip_special_tokens=True)
    else:
        special = set(tokenizer.all_special_ids) - kept
        text = tokenizer.decode([each for each in ids if each not in special])
    return text


def load(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    """Load a model with transformers, through lm-evaluation-harness."""
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import GenerationConfig

    from mathledger.evaluation.engines.seeded_sampling import processors

    local_rank = os.environ.get("LOCAL_RANK", "0")
    lm = HFLM(
        pretrained=str(folder),
        tokenizer=tokenizer,
        dtype=choose_dtype(settings.dtype),
        device=f"cuda:{local_rank}" if torch.cuda.is_available() else "cpu",
        batch_size=settings.batch_size,
        trust_remote_code=False,
        use_safetensors=True,
    )
    own = lm.model.generation_config.eos_token_id
    kept = control_ids(tokenizer)
    end_ids = {tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or [])}
    # Ignore the model's own settings, such as a repetition penalty.
    config = GenerationConfig(
        do_sample=False, eos_token_id=sorted(end_ids), pad_token_id=tokenizer.pad_token_id
    )
    lm.model.generation_config = config

    def answer(requests: list[Request], limits: Limits, done: Done) -> None:
        started = time.monotonic()
        width = max(len(request.prompt_ids) for request in requests)
        ids = torch.full((len(requests), width), tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, request in enumerate(requests):
            ids[row, width - len(request.prompt_ids) :] = torch.tensor(request.prompt_ids)
            mask[row, width - len(request.prompt_ids) :] = 1
        seeds = [request.seed for request in requests if request.seed is not None]
        with torch.inference_mode():
            output = lm._model_generate(
                context=ids.to(lm.device),
                attention_mask=mask.to(lm.device),
                max_length=width + limits.max_gen_toks,
                stop=limits.until,
                do_sample=False,
                logits_processor=processors(settings, seeds, mask.to(lm.device)),
            )
        seconds = (time.monotonic() - started) / len(requests)
        done(
            [
                (
                    request,
                    Response(*read_tokens(row, end_ids, limits.until, tokenizer, kept), seconds),
                )
                for request, row in zip(requests, output[:, width:].tolist(), strict=True)
            ]
        )

    dtype = str(lm.model.dtype).removeprefix("torch.")
    return Engine(answer, settings.batch_size, str(lm.device), dtype)
