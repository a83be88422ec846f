"""Estimate the memory on each GPU in a training run, part by part."""

from dataclasses import replace

from mathledger.model.launch import Launch
from mathledger.training import sft
from mathledger.training.size import Size

GIB = 2**30
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # a weight, its block's 8-bit scale, the scale of scales


def memory(settings: sft.Params, size: Size, tokens: int, on_gpu: bool) -> dict[str, float]:
    """Return the peak memory on each GPU in GiB, by part.

    Args:
        tokens: the number of tokens in one micro-batch on one GPU, with padding.
        on_gpu: True to count bf16 under autocast, False for fp32 as on a CPU.
    """
    lora, launch = settings.lora, settings.launch
    shards = launch.num_processes if launch.sharding == "fsdp2" else 1
    compute = 2 if on_gpu else 4
    frozen = size.total - size.trainable
    weights = 4.0 * size.trainable
    if lora and lora.load_in_4bit:
        weights += NF4_BYTES * size.linear + compute * (frozen - size.linear)
    else:
        weights += compute * frozen
    parts = {
        "weights": weights / shards,
        "gradients": 4 * size.trainable / shards,
        "optimizer states": 8 * size.trainable / shards,  # AdamW's two moments, fp32
    }
    if launch.sharding == "fsdp2":
        # FSDP holds unsharded weights and gradients of two layers and the embeddings at a time.
        parts["gathered weights"] = 2 * compute * (2 * size.layer + size.embeddings)
    elif on_gpu and not lora:
        parts["bf16 copies of the weights"] = 2 * size.linear  # autocast caches them for a pass
    if launch.sharding == "none" and launch.num_processes > 1:
        parts["buckets of gradients"] = 4 * size.trainable  # DDP copies gradients into buckets
    parts["activations"] = activations(settings, size, tokens, compute)
    return {name: each / GIB for name, each in parts.items()}


def activations(settings: sft.Params, size: Size, tokens: int, compute: int) -> float:
    """Return the bytes of activations kept for the backward pass.

    With activation checkpointing, each layer keeps only its input. Without, it keeps all inputs of
    its linear maps: the inputs and outputs of both norms, queries, keys and values, and the output
    of attention; in the MLP gate, up, activation and product. SDPA and flash attention do not keep
    the attention matrix. TRL computes the head in chunks, so its input and gradient count, but not
    the logits.
    """
    whole = compute * (8 * size.hidden + 2 * size.key_value + 4 * size.intermediate)
    kept = compute * size.hidden
    if settings.activation_checkpointing:
        layers = size.num_layers * kept + whole  # one layer at a time is recomputed
    else:
        layers = size.num_layers * whole
    return tokens * (layers + 2 * 4 * size.hidden)


def smallest_change(settings: sft.Params, size: Size, tokens: int, free: float) -> str | None:
    """Return the overrides of the smallest change that makes a run fit `free` GiB, or None."""
    recomputing = replace(settings, activation_checkpointing=True)
    if sum(memory(recomputing, size, tokens, on_gpu=True).values()) <= free:
        return "train.activation_checkpointing=true"
    for num in (2, 4, 8, 16, 32, 64):
        sharded = replace(recomputing, launch=Launch("torchrun", num, "fsdp2"))
        if sum(memory(sharded, size, tokens, on_gpu=True).values()) <= free:
            return f"train/launch=fsdp2 train.launch.num_processes={num}"
    return None
