"""Count a model's parameters, and the operations for a token."""

import warnings
from dataclasses import dataclass
from typing import Any

from mathledger.training.lora import Lora, peft_config


@dataclass(frozen=True)
class Size:
    """A model's numbers of parameters, and the shape of its layers."""

    total: int
    trainable: int
    embeddings: int  # parameters of input and output embeddings; tied ones count once
    output: int  # parameters of the output embedding, tied or not
    linear: int  # parameters of the layers' linear maps, which QLoRA holds in 4 bits
    layer: int  # parameters of the largest layer, which FSDP gathers at once
    num_layers: int
    hidden: int
    intermediate: int
    key_value: int  # width of keys and values together
    vocabulary: int


def size_of(config: Any, lora: Lora | None) -> Size:
    """Count a model's parameters on torch's meta device, which allocates no memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        total = sum(each.numel() for each in model.parameters())
        tables = {id(t): t for t in (model.get_input_embeddings(), model.get_output_embeddings())}
        embeddings = sum(
            {id(t.weight): t.weight.numel() for t in tables.values()}.values()  # tied ones once
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
                warnings.simplefilter("ignore", FutureWarning)  # peft triggers one in transformers
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

    Each weight that multiplies the token takes 6 (Kaplan et al. 2020), and attention takes 12 x
    layers x width x length (Chowdhery et al. 2022, appendix B). Recomputed activations do not
    count, as in their definition of utilisation (MFU). With LoRA a frozen weight takes 4, because
    it needs no gradient.
    """
    weights = size.total - size.embeddings + size.output
    return (4 if lora else 6) * weights + 12 * size.num_layers * size.hidden * length
