"""Load the model to train, and save it as a plain `from_pretrained` folder."""

from pathlib import Path
from typing import Any, Literal

from mathledger.core.errors import InputError
from mathledger.core.files import replacing
from mathledger.model.loading import load_weights, save_tokenizer
from mathledger.run import tracking
from mathledger.training.hardware import bf16_is_native
from mathledger.training.lora import Lora

# Any other name would be a repository on the hub whose code transformers downloads and runs.
Attention = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]


def check_context(config: Any, max_length: int) -> None:
    """Raise InputError if `max_length` exceeds the model's number of positions."""
    context = getattr(config, "max_position_embeddings", None)
    if context and max_length > context:
        raise InputError(
            f"max_length={max_length} exceeds the model's context of {context} tokens: lower "
            "train.max_length"
        )


def load_model(folder: Path, lora: Lora | None, attn_implementation: str) -> Any:
    """Load the model for training.

    Full fine-tuning needs float32 master weights. Under LoRA the weights are frozen, and load in
    bfloat16 if the hardware has it, or in 4 bits.
    """
    import torch
    from transformers import BitsAndBytesConfig

    compute = torch.bfloat16 if bf16_is_native() else torch.float32
    options: dict[str, Any] = {"attn_implementation": attn_implementation}
    options["dtype"] = compute if lora else torch.float32
    if lora and lora.load_in_4bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        )
    return load_weights(folder, **options)


def save_model(trainer: Any, tokenizer: Any, base: Path, lora: Lora | None, out: Path) -> None:
    """Write `out` as a plain `from_pretrained` folder, atomically; all ranks must call this.

    We do not use trainer.save_model, because it adds files that differ between runs
    (training_args.bin). Adapters are merged into the unquantised base in float32, and are also kept
    in `out`/adapter/.
    """
    weights = trainer.accelerator.get_state_dict(trainer.model)  # FSDP gathers from all ranks
    if not tracking.is_main_process():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    with replacing(out) as partial:
        if lora:
            import torch
            from peft import PeftModel

            model.save_pretrained(partial / "adapter", state_dict=weights)
            (partial / "adapter" / "README.md").unlink(missing_ok=True)  # peft's empty card
            plain = load_weights(base, dtype=torch.float32)
            model = PeftModel.from_pretrained(plain, partial / "adapter").merge_and_unload()
            weights = model.state_dict()
        model.config.use_cache = True  # training turned it off
        model.save_pretrained(partial, state_dict=weights)
        save_tokenizer(tokenizer, partial)
