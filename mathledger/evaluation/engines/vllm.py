"""Generate with vLLM, through lm-evaluation-harness. This engine has not run on a GPU yet."""

import dataclasses
import time
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
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


def load(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    """Load a model with vLLM, through lm-evaluation-harness.

    Raises:
        InputError: the section `evaluate.vllm` or the package is missing.
    """
    if settings.vllm is None:
        raise InputError("evaluate.vllm is missing: choose evaluate/vllm, or backend: hf")
    try:
        from lm_eval.models.vllm_causallms import VLLM
        from vllm import SamplingParams
    except ImportError as error:
        raise InputError(
            f"vLLM cannot be imported ({error}): run `make vllm`, and put .venv-vllm/bin at the "
            "front of PATH"
        ) from None

    dtype = choose_dtype(settings.dtype)
    lm = VLLM(
        pretrained=str(folder),
        trust_remote_code=False,
        load_format="safetensors",  # never pickled weights
        dtype=dtype,
        tensor_parallel_size=settings.vllm.tensor_parallel_size,
        data_parallel_size=settings.vllm.data_parallel_size,
        gpu_memory_utilization=settings.vllm.gpu_memory_utilization,
        generation_config="vllm",  # ignores the model's own settings
    )

    has_marks = bool(control_ids(tokenizer))  # control tokens that mark thinking

    def answer(requests: list[Request], limits: Limits, done: Done) -> None:
        started = time.monotonic()
        chosen = [
            SamplingParams(
                temperature=settings.temperature,
                top_p=settings.top_p,
                top_k=settings.top_k or 0,  # 0: all
                min_p=settings.min_p,
                presence_penalty=settings.presence_penalty,
                repetition_penalty=settings.repetition_penalty,
                seed=request.seed,
                max_tokens=limits.max_gen_toks,
                stop=limits.until,
                skip_special_tokens=not has_marks,
            )
            for request in requests
        ]
        outputs = lm._model_generate(
            [request.prompt_ids for request in requests], generate=True, sampling_params=chosen
        )
        seconds = (time.monotonic() - started) / len(requests)
        firsts = [output.outputs[0] for output in outputs]
        done(
            [
                (request, Response(one.text, len(one.token_ids), one.finish_reason, seconds))
                for request, one in zip(requests, firsts, strict=True)
            ]
        )

    layout = dataclasses.asdict(settings.vllm)
    return Engine(answer, settings.batch_size, "cuda", dtype, layout)
