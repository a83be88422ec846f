"""Load a model folder's config, tokenizer and weights, without running its code or its pickles.

Every other module loads a model through these functions, so that `trust_remote_code=False` and
`use_safetensors=True` hold everywhere. By default transformers asks on stdin whether to run a
repository's code, and loads pickled weights, which may run code too.
"""

from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError

MAX_REASON_CHARS = 300


def load_config(folder: Path) -> Any:
    """Load a model folder's config.json."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def load_tokenizer(folder: Path, **options: Any) -> Any:
    """Load a model folder's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save a tokenizer into a model folder, with the same bytes in every environment."""
    tokenizer.init_kwargs.pop("local_files_only", None)  # it only follows HF_HUB_OFFLINE
    tokenizer.save_pretrained(folder)


def load_weights(folder: Path, **options: Any) -> Any:
    """Load a model folder as a causal language model that can be saved again.

    Raises:
        InputError: a package that the options need is missing, such as flash attention.
    """
    from transformers import AutoModelForCausalLM

    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, **options
        )
    except ModuleNotFoundError:
        raise  # stage_run names the package to install
    except ImportError as error:
        raise InputError(f"cannot load the model in {folder}: {reason(error)}") from error
    model = loaded[0] if isinstance(loaded, tuple) else loaded
    if model.generation_config is not None and generation_fault(model.generation_config):
        model.generation_config = only_ids(model.generation_config)
    return loaded


def generation_fault(config: Any) -> str | None:
    """Return why transformers would refuse to save generation settings, or None.

    It saves invalid settings as long as they are unchanged, and training changes them.
    """
    try:
        config.validate(strict=True)
    except (ValueError, TypeError) as error:
        return reason(error)
    return None


def only_ids(config: Any) -> Any:
    """Return generation settings with only their token ids; evaluation ignores the others."""
    from transformers import GenerationConfig

    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return GenerationConfig(**{name: getattr(config, name) for name in names})


def reason(error: BaseException) -> str:
    """Return a library's error as one line, without the lines of advice that follow."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2]) if lines and lines[0].endswith(":") else next(iter(lines), "")
    text = text or type(error).__name__
    return text if len(text) <= MAX_REASON_CHARS else text[:MAX_REASON_CHARS] + "..."
