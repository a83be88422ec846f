"""Params have the names that the pinned TRL, transformers and peft use."""

import dataclasses
from typing import Any

from mathledger.training import grpo, sft
from mathledger.training.lora import Lora

# min_lr_rate is an argument of the scheduler, and attn_implementation of the model.
OTHERS = {"min_lr_rate", "attn_implementation"}
OURS = {"max_too_long_rate", "save_minutes", "lora", "launch"}


def names(config: Any) -> set[str]:
    """Return the fields of a configuration that are not deprecated."""
    return {
        field.name
        for field in dataclasses.fields(config)
        if "deprecated" not in field.metadata.get("help", "").lower()
    }


def test_training_params_are_named_as_in_trl() -> None:
    import trl

    assert names(sft.Params) - OTHERS - OURS <= names(trl.SFTConfig)
    assert names(grpo.Params) - OTHERS - OURS <= names(trl.GRPOConfig)


def test_lora_params_are_named_as_in_peft_and_transformers() -> None:
    import inspect

    from peft import LoraConfig
    from transformers import BitsAndBytesConfig

    quantisation = set(inspect.signature(BitsAndBytesConfig).parameters)
    assert names(Lora) <= names(LoraConfig) | quantisation
