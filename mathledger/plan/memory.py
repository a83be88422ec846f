"""Memory of each GPU in a training run, counted part by part."""

from dataclasses import replace

from mathledger.model.launch import Launch
from mathledger.plan.size import Size
from mathledger.training import sft

GIB = 2**30
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # a weight, its block's 8-bit scale, the scales' scale


def memory(settings: sft.Params, size: Size, tokens: int, on_gpu: bool) -> dict[str, float]:
    """Return the GiB on each GPU at the peak, part by part.

    Args:
        tokens: in one micro-batch on one GPU, padding included.
        on_gpu: count bf16 under autocast; else fp32, as the stage trains on a CPU.
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
        # Of two layers at a time and of the embeddings: weights and gradients, not yet scattered.
        parts["gathered weights"] = 2 * compute * (2 * size.layer + size.embeddings)
    elif on_gpu and not lora:
        parts["bf16 copies of the weights"] = 2 * size.linear  # autocast keeps them for a pass
    if launch.sharding == "none" and launch.num_processes > 1:
        parts["buckets of gradients"] = 4 * size.trainable  # DDP
    parts["activations"] = activations(settings, size, tokens, compute)
    return {name: each / GIB for name, each in parts.items()}


def activations(settings: sft.Params, size: Size, tokens: int, compute: int) -> float:
    """Return the bytes kept for the backward pass.

    With activation checkpointing that is each layer's input, else all inputs of its linear maps:
    the two norms' inputs and outputs, queries, keys and values, attention's output; gate, up,
    activation and product of the MLP. Attention over the length is not kept (SDPA, flash). TRL
    computes the head in chunks, so only its input and gradient count, not the logits.
    """
    whole = compute * (8 * size.hidden + 2 * size.key_value + 4 * size.intermediate)
    kept = compute * size.hidden
    if settings.activation_checkpointing:
        layers = size.num_layers * kept + whole  # one layer at a time is made again
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
