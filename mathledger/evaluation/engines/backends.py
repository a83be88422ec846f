"""Open the engine that a backend names."""

from pathlib import Path
from typing import Any

from mathledger.evaluation.engines import server, transformers, vllm
from mathledger.evaluation.engines.engine import Engine
from mathledger.evaluation.settings import Params


def open_engine(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    """Load the model from a `from_pretrained` folder, or connect to the server that serves it.

    Raises:
        InputError: the backend's section of the params or its package is missing.
    """
    match settings.backend:
        case "hf":
            return transformers.load(folder, tokenizer, settings)
        case "vllm":
            return vllm.load(folder, tokenizer, settings)
        case _:
            return server.connect(folder, tokenizer, settings)
