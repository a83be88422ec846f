"""Fine-tuning with TRL's SFTTrainer: tokenise rows, build the trainer, check and log metrics."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.machine import num_cores
from mathledger.model import conversations, templates
from mathledger.model.launch import Launch, broadcast
from mathledger.run.tracking import is_main_process
from mathledger.training import hardware, models, schedules
from mathledger.training.curves import Curves
from mathledger.training.held_out import problem_to_show
from mathledger.training.loop import Training, size_of_run
from mathledger.training.lora import Lora, peft_config

NUM_EVALUATIONS = 3  # evaluations of the validation loss during a run
CURVES: Curves = {
    "loss": ("loss", 6),
    "eval_loss": ("validation_loss", 6),
    "learning_rate": ("learning_rate", 10),
    "grad_norm": ("grad_norm", 6),
    "num_input_tokens_seen": ("tokens_seen", None),
}


@dataclass(frozen=True, config=STRICT)
class Params:
    learning_rate: float = Field(
        gt=0, allow_inf_nan=False, description="Peak learning rate, after the warm-up."
    )
    lr_scheduler_type: schedules.Name = Field(
        description="Name of one of transformers' schedulers."
    )
    min_lr_rate: float = Field(
        ge=0,
        le=1,
        description="Final learning rate as a share of learning_rate; 0 for a scheduler that takes "
        "none.",
    )
    warmup_steps: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="Steps to warm up for; below 1, a share of all steps.",
    )
    num_train_epochs: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="Passes over the training set; ignored if max_steps is set.",
    )
    max_steps: int | None = Field(
        ge=1, description="Optimizer steps; null follows num_train_epochs."
    )
    per_device_train_batch_size: int = Field(ge=1, description="Rows in a batch of one process.")
    gradient_accumulation_steps: int = Field(
        ge=1, description="Batches that each process accumulates for one optimizer step."
    )
    activation_checkpointing: bool = Field(
        description="Recompute activations: less memory, more time."
    )
    max_length: int = Field(ge=2, description="Limit of tokens in a row; longer rows are left out.")
    max_too_long_rate: float = Field(
        ge=0,
        le=1,
        description="Share of rows that may exceed max_length; they are left out and counted.",
    )
    packing: bool = Field(
        description=(
            "Pack several rows into one sequence of max_length; each row attends to itself only."
        ),
    )
    attn_implementation: models.Attention = Field(
        description=(
            "Attention kernel of transformers; use flash_attention_2 on a GPU, especially with "
            "packing."
        ),
    )
    weight_decay: float = Field(ge=0, allow_inf_nan=False, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(
        gt=0, allow_inf_nan=False, description="Norm to which gradients are clipped."
    )
    logging_steps: int = Field(ge=1, description="Steps between points of the curves.")
    save_minutes: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="Minutes between checkpoints; a killed run resumes from the last one.",
    )
    seed: int = Field(
        ge=0, lt=2**32, description="Seed for the order of the rows and the adapters."
    )
    lora: Lora | None = Field(description="Adapters to train; null trains all weights.")
    launch: Launch = Field(description="How the training processes are started.")

    def __post_init__(self) -> None:
        if self.min_lr_rate and self.lr_scheduler_type not in schedules.WITH_FLOOR:
            raise ValueError(
                f"min_lr_rate={self.min_lr_rate} has no effect with lr_scheduler_type="
                f"{self.lr_scheduler_type}: set min_lr_rate=0, or choose "
                f"{' or '.join(schedules.WITH_FLOOR)}"
            )


def tokenise(rows: dict[str, list[Any]], tokenizer: Any) -> dict[str, list[Any]]:
    """Return rows of the mix as token ids, with a mask of the completion, which the loss covers.

    The prompt is exactly the request that evaluation sends, including the generation prompt.

    Raises:
        InputError: the chat template renders a prompt differently when the answer follows it, or
            leaves out a part of the answer.
    """
    pairs = zip(rows["prompt"], rows["completion"], strict=True)
    asked = conversations.render(tokenizer, rows["prompt"], True)
    whole = conversations.render(tokenizer, [prompt + answer for prompt, answer in pairs], False)
    for row_id, prompt, row, answer in zip(
        rows["id"], asked, whole, rows["completion"], strict=True
    ):
        if wrong := templates.what_is_wrong(prompt, row, answer[0]["content"]):
            raise InputError(f"row {row_id}: {wrong}")
    return {
        "id": rows["id"],
        "input_ids": [row.ids for row in whole],
        "completion_mask": [
            [0] * len(prompt.ids) + [1] * (len(row.ids) - len(prompt.ids))
            for prompt, row in zip(asked, whole, strict=True)
        ],
        "length": [len(row.ids) for row in whole],
    }


def load_tokens(path: Path, folder: Path, tokenizer: Any) -> Any:
    """Load the tokenised rows of one split of the mix; rank 0 writes them to `folder` once."""
    import datasets

    part, out = path.stem, folder / path.stem
    if not pq.ParquetFile(path).metadata.num_rows:
        raise InputError(f"{path} has no rows: check the counts in metrics/mix.json")
    if is_main_process() and not out.exists():
        rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(folder / "parquet"))
        tokens = rows.map(
            tokenise,
            batched=True,
            remove_columns=rows.column_names,
            fn_kwargs={"tokenizer": tokenizer},
            num_proc=num_cores() if len(rows) > 50_000 else None,
            new_fingerprint=part,
        )
        partial = out.with_name(out.name + ".partial")
        tokens.save_to_disk(str(partial))
        partial.rename(out)
    broadcast(None)
    return datasets.load_from_disk(str(out))


def drop_too_long(tokens: Any, settings: Params, part: str) -> Any:
    """Return the rows that fit max_length; truncating a row would cut off its final answer.

    Raises:
        InputError: more than max_too_long_rate of the rows do not fit.
    """
    lengths = tokens.data.column("length").to_numpy()
    fits = (lengths <= settings.max_length).nonzero()[0]
    num_long = len(tokens) - len(fits)
    if num_long > settings.max_too_long_rate * len(tokens):
        first = int(lengths.argmax())
        raise InputError(
            f"{num_long} of {len(tokens)} {part} rows are longer than train.max_length="
            f"{settings.max_length} tokens (the longest, id {tokens[first]['id']}, has "
            f"{lengths[first]}): raise it, lower prepare.max_solution_chars, or raise "
            "train.max_too_long_rate, the share of rows that may be left out"
        )
    return tokens.select(fits) if num_long else tokens


class Data(NamedTuple):
    """The tokenised rows that fit max_length."""

    train: Any
    validation: Any
    num_too_long: int  # training rows that were left out
    held_out: dict[str, Any] | None  # see held_out.problem_to_show


def load_data(settings: Params, mix: Path, scratch: Path, tokenizer: Any) -> Data:
    """Tokenise the mix, and leave out the rows that do not fit max_length.

    Raises:
        InputError: a split has no rows, or too many that do not fit.
    """
    train = load_tokens(mix / "train.parquet", scratch / "tokens", tokenizer)
    validation = load_tokens(mix / "validation.parquet", scratch / "tokens", tokenizer)
    fitting = drop_too_long(train, settings, "train")
    return Data(
        train=fitting,
        validation=drop_too_long(validation, settings, "validation"),
        num_too_long=len(train) - len(fitting),
        held_out=problem_to_show(mix / "validation.parquet"),
    )


def sequences(batch: dict[str, Any]) -> list[list[int]]:
    """Return the token ids of each row of a padded (batch, length) or packed (1, length) batch."""
    ids = batch["input_ids"]
    if "attention_mask" in batch:
        masks = batch["attention_mask"].bool()
        return [row[mask].tolist() for row, mask in zip(ids, masks, strict=True)]
    starts = (batch["position_ids"][0] == 0).nonzero()[:, 0].tolist()
    ends = [*starts[1:], ids.shape[1]]
    return [ids[0, start:end].tolist() for start, end in zip(starts, ends, strict=True)]


def ids_of(batches: list[dict[str, Any]], tokens: Any) -> list[str]:
    """Return the ids of the rows in these batches, looked up by their tokens."""
    wanted = {tuple(ids) for batch in batches for ids in sequences(batch)}
    return [row["id"] for row in tokens if tuple(row["input_ids"]) in wanted]


def make_trainer(
    settings: Params, base: Path, scratch: Path, tokenizer: Any, train: Any, validation: Any
) -> Any:
    """Build TRL's trainer over tokenised rows; `loop.run_trainer` adds the callbacks."""
    import trl

    from mathledger.training.trainers import SFTTrainer

    arguments = trl.SFTConfig(
        output_dir=str(scratch),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler_type,
        lr_scheduler_kwargs=schedules.arguments(settings.lr_scheduler_type, settings.min_lr_rate),
        warmup_steps=settings.warmup_steps,
        num_train_epochs=settings.num_train_epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        per_device_eval_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        activation_checkpointing=settings.activation_checkpointing,
        max_length=settings.max_length,
        completion_only_loss=True,
        packing=settings.packing,
        packing_strategy="bfd",
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        logging_steps=settings.logging_steps,
        eval_strategy="steps",
        eval_steps=1 / NUM_EVALUATIONS,
        seed=settings.seed,
        data_seed=settings.seed,
        **hardware.trainer_arguments(settings.launch),
    )
    hardware.allow_sharding_on_cpu(settings.launch)
    return SFTTrainer(
        model=models.load_model(base, settings.lora, settings.attn_implementation),
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=peft_config(settings.lora),
    )


def check_loss_mask(trainer: Any, eos_token_id: int) -> None:
    """Check on a real batch that the loss covers the completion and its end, but not the prompt.

    Raises:
        InputError: the loss does not have the end-of-turn token once, or it covers the prompt.
    """
    batch = trainer.data_collator([trainer.train_dataset[0]])
    for labels in sequences({**batch, "input_ids": batch["labels"]}):
        count = labels.count(eos_token_id)
        if not count:
            raise InputError(
                "the end-of-turn token is not in the loss: the model would never learn to stop; "
                "the chat template must end an assistant turn with the tokenizer's eos_token (id "
                f"{eos_token_id})"
            )
        if count > 1:
            raise InputError(
                f"the loss has the end-of-turn token (id {eos_token_id}) {count} times in a row: "
                "the chat template must end an assistant turn with it once"
            )
        if labels[0] != -100:
            raise InputError(
                "the loss covers the prompt: the chat template must support add_generation_prompt"
            )


def metrics(data: Data, trainer: Any, training: Training) -> dict[str, Any]:
    """Return the counts of rows and tokens, and the first and last losses.

    Raises:
        InputError: a logged loss is not finite.
    """
    losses, validations = training.logged("loss"), training.logged("eval_loss")
    if not all(math.isfinite(loss) for loss in losses + validations):
        raise InputError("the loss is not finite: lower train.learning_rate")
    return {
        **counts(data, trainer),
        "first_loss": round(losses[0], 4),
        "last_loss": round(losses[-1], 4),
        "first_validation_loss": round(validations[0], 4),
        "last_validation_loss": round(validations[-1], 4),
    }


def counts(data: Data, trainer: Any) -> dict[str, int]:
    """Return the counts of rows, tokens and steps of a trainer."""
    lengths = data.train["length"]
    return {
        "num_examples": len(data.train),
        "num_too_long": data.num_too_long,
        "num_sequences": len(trainer.train_dataset),
        **size_of_run(trainer),
        "num_tokens_per_epoch": sum(lengths),
        "longest_row_tokens": max(lengths),
    }
