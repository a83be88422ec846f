"""How large a model is, and how many operations a token takes."""

import warnings
from dataclasses import dataclass
from typing import Any

from mathledger.training.lora import Lora, peft_config


@dataclass(frozen=True)
class Size:
    """Numbers of parameters, and the shape of the layers."""

    total: int
    trainable: int
    embeddings: int  # input and output embeddings, which a token does not multiply with twice
    output: int  # of the output embedding, tied or not: what every token is multiplied with
    linear: int  # in the layers' linear maps: what QLoRA holds in 4 bits
    layer: int  # of the largest layer: what FSDP gathers at once
    num_layers: int
    hidden: int
    intermediate: int
    key_value: int  # width of keys and values together
    vocabulary: int


def size_of(config: Any, lora: Lora | None) -> Size:
    """Count a model's parameters without allocating them (torch's meta device)."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        total = sum(each.numel() for each in model.parameters())
        tables = {id(t): t for t in (model.get_input_embeddings(), model.get_output_embeddings())}
        embeddings = sum(
            {id(t.weight): t.weight.numel() for t in tables.values()}.values()  # tied: once
        )
        layers = model.get_decoder().layers
        linear = sum(
            each.weight.numel() for each in layers.modules() if isinstance(each, torch.nn.Linear)
        )
        layer = max(sum(p.numel() for p in each.parameters()) for each in layers)
        trainable = total
        if lora:
            from peft import get_peft_model

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
                adapted = get_peft_model(model, peft_config(lora))
            trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
            total += trainable
    heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Size(
        total=total,
        trainable=trainable,
        embeddings=embeddings,
        output=config.vocab_size * config.hidden_size,
        linear=linear,
        layer=layer,
        num_layers=len(layers),
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        key_value=2 * head * (getattr(config, "num_key_value_heads", None) or heads),
        vocabulary=config.vocab_size,
    )


def flops_per_token(size: Size, length: float, lora: bool) -> float:
    """Return the operations for one token of a sequence of `length`, forward and backward.

    6 for each weight that multiplies it (Kaplan et al. 2020), 12 x layers x width x length for
    attention (Chowdhery et al. 2022, appendix B). Recomputed activations are not counted, as in
    their definition of utilisation (MFU). LoRA needs no gradients of the frozen weights: 4, not 6.
    """
    weights = size.total - size.embeddings + size.output
    return (4 if lora else 6) * weights + 12 * size.num_layers * size.hidden * length
