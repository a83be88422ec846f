"""Low-rank adapters: their params, and peft's configuration of them."""

from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT


@dataclass(frozen=True, config=STRICT)
class Lora:
    """Low-rank adapters instead of all weights; merged into the model when saved."""

    rank: int = Field(description="Rank of the adapters' matrices.")
    alpha: int = Field(description="The adapters' output is scaled by alpha / rank.")
    dropout: float = Field(description="Dropout of the adapters' input.")
    target_modules: str = Field(description="A regular expression of module names, or all-linear.")
    quantization: Literal["nf4"] | None = Field(
        description=(
            "Quantize the frozen weights while training (QLoRA); null leaves them as they are."
        ),
    )


def peft_config(lora: Lora | None) -> Any:
    """Return peft's configuration of the adapters, or None for full fine-tuning."""
    if not lora:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
