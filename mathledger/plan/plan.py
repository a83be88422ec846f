"""What a training run will need, before a GPU is rented: tokens, memory per GPU, hours.

    python -m stages.train --plan [--gpu H100-80GB] [--utilisation 0.4]

Reads   params.yaml; config.json of the base model, from data/model/base or the hub; data/mix where
        it is there. Loads no weights and writes nothing.

Memory is counted part by part (`memory`), time from the operations that a token takes
(`flops_per_token`). bench/training.py holds both against a measured run: docs/benchmarks.md.
"""

import argparse
import logging
import sys
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.keys import flatten
from mathledger.data import sources
from mathledger.model import prompts
from mathledger.model.launch import Launch
from mathledger.run import params
from mathledger.training import training

if TYPE_CHECKING:
    from mathledger.training.sft import Params

BASE = Path("data/model/base")
MIX = Path("data/mix/train.parquet")
MIX_LINEAGE = Path("lineage/mix.json")
MAX_MEASURED = 5_000  # rows that are tokenised
GIB = 2**30
# Memory in GiB and dense bf16 operations a second, as their makers state them (data sheets).
GPUS = {
    "A100-40GB": (40, 312e12),
    "A100-80GB": (80, 312e12),
    "B200-180GB": (180, 2250e12),
    "H100-80GB": (80, 989e12),
    "H200-141GB": (141, 989e12),
    "L40S-48GB": (48, 362e12),
    "RTX4090-24GB": (24, 165e12),
}
FREE_SHARE = 0.1  # of a GPU's memory that allocator, CUDA context and NCCL take: a rule of thumb
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # a weight, its block's 8-bit scale, the scales' scale


@dataclass(frozen=True)
class Size:
    """What of a model the plan counts: numbers of parameters, and the shape of its layers."""

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


@dataclass(frozen=True)
class Rows:
    """Tokens of the training rows: those that fit max_length, after the chat template."""

    num: int
    num_too_long: int
    mean: float
    longest: int


def size_of(config: Any, lora: training.Lora | None) -> Size:
    """The model's numbers, counted on a model without memory (torch's meta device)."""
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
                adapted = get_peft_model(model, training.peft_config(lora))
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
    """Operations that one token of a sequence of `length` tokens takes, forward and backward.

    6 for each weight that it is multiplied with (Kaplan et al. 2020), 12 x layers x width x length
    for attention (Chowdhery et al. 2022, appendix B). Recomputed activations are not counted, so
    that the utilisation is theirs: MFU. Under LoRA no gradient of the frozen weights is made: 4.
    """
    weights = size.total - size.embeddings + size.output
    return (4 if lora else 6) * weights + 12 * size.num_layers * size.hidden * length


def memory(settings: "Params", size: Size, tokens: int, on_gpu: bool) -> dict[str, float]:
    """GiB on each GPU at the peak, part by part.

    Args:
        tokens: in one micro-batch on one GPU, padding included.
        on_gpu: bf16 under autocast; else fp32, as the stage trains on a CPU.
    """
    lora, launch = settings.lora, settings.launch
    shards = launch.num_processes if launch.sharding == "fsdp2" else 1
    compute = 2 if on_gpu else 4
    frozen = size.total - size.trainable
    weights = 4.0 * size.trainable
    if lora and lora.quantization:
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


def activations(settings: "Params", size: Size, tokens: int, compute: int) -> float:
    """Bytes kept for the backward pass: of each layer its input, or all that its maps take.

    All: the two norms' inputs and outputs, queries, keys and values, attention's output; gate, up,
    activation and product of the MLP. Attention over the length is not kept (SDPA, flash). The head
    is computed in chunks by TRL, so of the logits only its input and gradient count.
    """
    whole = compute * (8 * size.hidden + 2 * size.key_value + 4 * size.intermediate)
    kept = compute * size.hidden
    if settings.gradient_checkpointing:
        layers = size.num_layers * kept + whole  # one layer at a time is made again
    else:
        layers = size.num_layers * whole
    return tokens * (layers + 2 * 4 * size.hidden)


def base_config() -> Any:
    """The base model's configuration: of the model that was downloaded, else of the hub's."""
    from transformers import AutoConfig

    from mathledger.model.download import Params as Model

    source = params.load("model", Model).source
    receipt = BASE / "receipt.json"
    wanted = sources.identity(source)
    if receipt.exists() and wanted.items() <= read_json(receipt).items():
        return AutoConfig.from_pretrained(BASE)
    if not isinstance(source, sources.Hub):
        raise InputError(f"{BASE} is not there yet: run `dvc repro download_model`")
    try:
        with tempfile.TemporaryDirectory() as cache:
            return AutoConfig.from_pretrained(
                source.repo, revision=source.revision, cache_dir=cache
            )
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"no config.json of {source.repo} at {source.revision}: {reason}"
        ) from None


def measured_rows(max_length: int) -> Rows | None:
    """Lengths of MAX_MEASURED rows, evenly spread; None where data/mix is of other params."""
    if not (MIX.exists() and MIX_LINEAGE.exists() and BASE.exists()):
        return None
    made, current = read_json(MIX_LINEAGE)["params"], flatten(params.read())
    if any(current.get(key, None) != value for key, value in made.items()):
        return None
    from mathledger.training.sft import tokenise

    table = pq.read_table(MIX)
    num = len(table)
    chosen = np.linspace(0, num - 1, min(num, MAX_MEASURED)).astype(int)
    rows = table.take(chosen).to_pydict()
    lengths = np.array(tokenise(rows, prompts.load_tokenizer(BASE))["length"])
    fits = lengths[lengths <= max_length]
    if not len(fits):
        raise InputError(f"no row of {MIX} fits train.max_length={max_length}")
    num_fitting = round(num * len(fits) / len(lengths))
    return Rows(num_fitting, num - num_fitting, float(fits.mean()), int(fits.max()))


def table(rows: list[tuple[str, str]]) -> str:
    """Two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def text_of(settings: "Params", size: Size, rows: Rows | None, gpu: str, utilisation: float) -> str:
    """The plan, as it is printed."""
    launch, capacity, peak = settings.launch, *GPUS[gpu]
    micro = settings.per_device_train_batch_size
    batch = micro * settings.gradient_accumulation_steps * launch.num_processes
    length = rows.mean if rows and not settings.packing else float(settings.max_length)
    bound = "" if rows else "at most "
    per_step = batch * length
    if rows:
        num = rows.num * rows.mean / settings.max_length if settings.packing else rows.num
        epochs = settings.num_train_epochs
        steps = settings.max_steps or max(1, round(epochs * np.ceil(num / batch)))
        of_data = f"{steps * batch / num:.3g} of {rows.num:,} rows, mean {rows.mean:.0f} tokens, "
        of_data += f"longest {rows.longest}; {rows.num_too_long} do not fit {settings.max_length}"
    else:
        steps = settings.max_steps or 0
        of_data = "unknown until `dvc repro mix`"
    longest = rows.longest if rows and not settings.packing else settings.max_length
    kind = f"LoRA, rank {settings.lora.rank}" if settings.lora else "all weights"
    if settings.lora and settings.lora.quantization:
        kind += f", frozen weights in {settings.lora.quantization}"
    flops = flops_per_token(size, length, bool(settings.lora))
    seconds = steps * per_step * flops / (launch.num_processes * peak * utilisation)
    parts = memory(settings, size, micro * longest, on_gpu=True)
    needed, free = sum(parts.values()), capacity * (1 - FREE_SHARE)
    shown = [
        ("parameters", f"{size.total:,}, of them trained {size.trainable:,} ({kind})"),
        ("processes", f"{launch.num_processes} x {gpu} (`{launch.command}`, {launch.sharding})"),
        (
            "batch",
            f"{batch} = {micro} a GPU x {settings.gradient_accumulation_steps} accumulated "
            f"x {launch.num_processes} GPUs, {'packed' if settings.packing else 'padded'}",
        ),
        ("tokens a step", f"{bound}{per_step:,.0f}"),
        ("steps", f"{steps:,}" if steps else of_data),
        ("tokens in all", f"{bound}{steps * per_step:,.0f}" if steps else of_data),
        ("epochs", of_data),
        ("memory a GPU", ""),
        *((f"  {name}", f"{each:8.2f} GiB") for name, each in parts.items()),
        ("  all", f"{needed:8.2f} GiB of {capacity}, {free:.0f} of them for this"),
        ("fits", "yes" if needed <= free else "no" + advice(settings, size, micro * longest, free)),
        (
            "hours",
            f"{bound}{seconds / 3600:,.1f} ({launch.num_processes * seconds / 3600:,.1f} GPU hours)"
            f" at {utilisation:.0%} of {peak / 1e12:.0f} TFLOP/s, evaluation left out"
            if steps
            else of_data,
        ),
    ]
    return table(shown)


def advice(settings: "Params", size: Size, tokens: int, free: float) -> str:
    """The smallest change of launcher, memory or method under which it would fit."""
    for change, changed in (
        (
            "train.gradient_checkpointing=true",
            replace(settings, gradient_checkpointing=True),
        ),
        *(
            (
                f"train/launch=fsdp2 train.launch.num_processes={num}",
                replace(
                    settings,
                    gradient_checkpointing=True,
                    launch=Launch("torchrun", num, "fsdp2"),
                ),
            )
            for num in (2, 4, 8, 16, 32, 64)
        ),
    ):
        if sum(memory(changed, size, tokens, on_gpu=True).values()) <= free:
            more = "" if "checkpointing" in change else ", with gradient checkpointing"
            return f"; it would with {change}{more}, or try train=lora, train=qlora"
    return "; try train=lora, train=qlora or a smaller batch"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m stages.train", description="What a training run will need."
    )
    parser.add_argument("--plan", action="store_true", required=True)
    parser.add_argument("--gpu", choices=GPUS, default="H100-80GB")
    parser.add_argument(
        "--utilisation",
        type=float,
        default=0.4,
        help="share of the peak that model operations reach (MFU)",
    )
    options = parser.parse_args(arguments)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # see tracking.stage_run
    if not 0 < options.utilisation <= 1:
        parser.error("--utilisation is a share, above 0 and up to 1")
    from mathledger.training.sft import Params

    try:
        settings: Params = params.load("train", Params)
        config = base_config()
        training.expect_context(config, settings.max_length)
        size = size_of(config, settings.lora)
        rows = measured_rows(settings.max_length)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(text_of(settings, size, rows, options.gpu, options.utilisation))
