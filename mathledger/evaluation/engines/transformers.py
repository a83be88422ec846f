"""Generate with transformers, through lm-evaluation-harness.

Sampling is reproducible: each response has its own seed, and in float32 a draw does not depend on
the batch or on the process.
"""

import os
import time
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
from mathledger.model.generated import end_ids, read_tokens
from mathledger.model.thinking import control_ids


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
    kept = control_ids(tokenizer)
    ends = end_ids(lm.model, tokenizer)
    # Ignore the model's own settings, such as a repetition penalty.
    config = GenerationConfig(
        do_sample=False, eos_token_id=sorted(ends), pad_token_id=tokenizer.pad_token_id
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
                (request, Response(*read_tokens(row, ends, limits.until, tokenizer, kept), seconds))
                for request, row in zip(requests, output[:, width:].tolist(), strict=True)
            ]
        )

    dtype = str(lm.model.dtype).removeprefix("torch.")
    return Engine(answer, settings.batch_size, str(lm.device), dtype)
