"""Open the engine of a backend."""

from pathlib import Path
from typing import Any

from mathledger.evaluation.engines import server, transformers, vllm
from mathledger.evaluation.engines.engine import Engine
from mathledger.evaluation.settings import Params


def open_engine(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    """Load the model in a `from_pretrained` folder, or reach the server that serves it.

    Raises:
        InputError: the backend's own section is missing, or its package.
    """
    match settings.backend:
        case "hf":
            return transformers.load(folder, tokenizer, settings)
        case "vllm":
            return vllm.load(folder, settings)
        case _:
            return server.connect(folder, tokenizer, settings)
