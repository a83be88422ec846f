"""Low-rank adapters: their params, and the configuration that peft takes."""

from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT


@dataclass(frozen=True, config=STRICT)
class Lora:
    """Params of low-rank adapters, which are merged into the model when it is saved."""

    r: int = Field(ge=1, description="Rank of the adapters' matrices.")
    lora_alpha: int = Field(ge=1, description="The adapters' output is scaled by lora_alpha / r.")
    lora_dropout: float = Field(ge=0, lt=1, description="Dropout rate on the adapters' input.")
    target_modules: str = Field(
        min_length=1,
        description="Modules that get adapters: a regular expression, or all-linear.",
    )
    load_in_4bit: bool = Field(
        description="Keep the frozen weights in 4 bits (NF4) while training: QLoRA."
    )


def peft_config(lora: Lora | None) -> Any:
    """Return peft's configuration of the adapters, or None for full fine-tuning."""
    if not lora:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
