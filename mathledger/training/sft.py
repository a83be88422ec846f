"""Fine-tune the base model on the mix with TRL's SFTTrainer; a killed run goes on where it was.

Reads   data/mix/, data/model/base/; conf: train
Writes  data/model/tuned/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/train/samples.csv: what the model answers a held-out problem, as training goes on
        lineage/train.csv: tokens a second and memory by step
Metrics metrics/train.json, plots/train/loss.csv

    python -m stages.train          what DVC runs, through train.launch.command
    python -m stages.train --plan   what a run will need, before a GPU is rented: mathledger/plan/

How it launches, resumes, stops and saves is in mathledger/training/training.py.
"""

import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import write_json, write_text
from mathledger.model import prompts
from mathledger.model.launch import Launch, broadcast, initialise_ranks
from mathledger.model.scratch import scratch_folder
from mathledger.run import params
from mathledger.run.tracking import is_main_process, stage_run
from mathledger.training import training

IN = Path("data/mix")
BASE = Path("data/model/base")
OUT = Path("data/model/tuned")
METRICS = Path("metrics/train.json")
LOSS = Path("plots/train/loss.csv")
SAMPLES = Path("data/train/samples.csv")
SPEED = Path("lineage/train.csv")
NUM_EVALUATIONS = 3  # of the validation loss, over the run
CURVES: training.Curves = {  # plots/train/loss.csv: the trainer's name, ours, digits
    "loss": ("loss", 6),
    "eval_loss": ("validation_loss", 6),
    "learning_rate": ("learning_rate", 10),
    "grad_norm": ("grad_norm", 6),
    "num_input_tokens_seen": ("tokens_seen", None),
}


@dataclass(frozen=True, config=STRICT)
class Params:
    learning_rate: float = Field(description="Peak learning rate, after the warm-up.")
    lr_scheduler_type: str = Field(description="Name of one of transformers' schedulers.")
    min_lr_rate: float = Field(description="Final learning rate as a share of learning_rate.")
    warmup_ratio: float = Field(description="Share of the steps to warm up for.")
    num_train_epochs: float = Field(
        description="Passes over the training set; ignored if max_steps is set."
    )
    max_steps: int | None = Field(description="Optimizer steps; null follows num_train_epochs.")
    per_device_train_batch_size: int = Field(description="Rows that a process takes at a time.")
    gradient_accumulation_steps: int = Field(
        description="Batches of a process in one optimizer step."
    )
    gradient_checkpointing: bool = Field(
        description="Recompute activations: less memory, more time."
    )
    max_length: int = Field(description="Tokens of a row; longer rows are left out.")
    max_too_long_rate: float = Field(
        description="Share of rows that may exceed max_length; they are left out and counted."
    )
    packing: bool = Field(
        description=(
            "Pack several rows into one sequence of max_length, each attending to itself only."
        ),
    )
    attn_implementation: str = Field(
        description="flash_attention_2 suits a GPU, above all with packing."
    )
    weight_decay: float = Field(description="Weight decay of AdamW.")
    max_grad_norm: float = Field(description="Norm to which gradients are clipped.")
    logging_steps: int = Field(description="Steps between points of the curves.")
    save_minutes: float = Field(
        description="Minutes between checkpoints, from which a killed run resumes."
    )
    seed: int = Field(description="Seed of the order of the rows and of the adapters.")
    lora: training.Lora | None = Field(description="null trains all weights.")
    launch: Launch = Field(description="How the processes are started.")


# --- Rows -----------------------------------------------------------------------------------------


def tokenise(rows: dict[str, list[Any]], tokenizer: Any) -> dict[str, list[Any]]:
    """Rows of the mix as token ids, and a mask of the completion: what the loss is taken on.

    The prompt is the very request that evaluation sends, with the template's generation prompt.

    Raises:
        InputError: the chat template renders a prompt in another way once its answer follows.
    """
    prompt_texts, texts = (
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=open_turn)
        for turns, open_turn in (
            (rows["prompt"], True),
            ([p + c for p, c in zip(rows["prompt"], rows["completion"], strict=True)], False),
        )
    )
    asked = tokenizer(prompt_texts, add_special_tokens=False)["input_ids"]
    whole = tokenizer(texts, add_special_tokens=False)["input_ids"]
    for row_id, prompt, ids in zip(rows["id"], asked, whole, strict=True):
        if ids[: len(prompt)] != prompt:
            raise InputError(
                f"row {row_id}: the chat template renders the prompt in another way once the "
                "answer follows, so training would show what evaluation never asks: mend the "
                "template"
            )
    return {
        "id": rows["id"],
        "input_ids": whole,
        "completion_mask": [
            [0] * len(prompt) + [1] * (len(ids) - len(prompt))
            for prompt, ids in zip(asked, whole, strict=True)
        ],
        "length": [len(ids) for ids in whole],
    }


def tokens_of(part: str, folder: Path, tokenizer: Any) -> Any:
    """The tokenised rows of a part of the mix, from files: made by the first process, once."""
    import datasets

    path, out = IN / f"{part}.parquet", folder / part
    if not pq.ParquetFile(path).metadata.num_rows:
        raise InputError(f"{path} has no rows: see the counts in metrics/mix.json")
    if is_main_process() and not out.exists():
        rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(folder / "parquet"))
        tokens = rows.map(
            tokenise,
            batched=True,
            remove_columns=rows.column_names,
            fn_kwargs={"tokenizer": tokenizer},
            num_proc=os.cpu_count() if len(rows) > 50_000 else None,
            new_fingerprint=part,
        )
        aside = out.with_name(out.name + ".partial")
        tokens.save_to_disk(str(aside))
        aside.rename(out)
    broadcast(None)
    return datasets.load_from_disk(str(out))


def without_too_long(tokens: Any, settings: Params, part: str) -> Any:
    """The rows that fit max_length. One that was cut would lose its end, which holds the answer.

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
            f"{lengths[first]}): raise it, or lower prepare.max_solution_chars, or let "
            "train.max_too_long_rate of the rows be left out"
        )
    return tokens.select(fits) if num_long else tokens


def expect_trained_end(trainer: Any, eos_token_id: int) -> None:
    """The loss must cover each completion to its end-of-turn token, and no token of the prompt."""
    labels = trainer.data_collator([trainer.train_dataset[0]])["labels"][0].tolist()
    trained = [label for label in labels if label != -100]
    if eos_token_id not in trained:
        raise InputError(
            "the end-of-turn token is not in the loss: the model would never learn to stop; "
            f"the tokenizer's eos_token (id {eos_token_id}) must end an assistant turn of its "
            "chat template"
        )
    if labels[0] != -100:
        raise InputError("the prompt is in the loss: the chat template has no prompt of its own")


# --- The trainer ----------------------------------------------------------------------------------


def make_trainer(settings: Params, scratch: Path, tokenizer: Any, train: Any, valid: Any) -> Any:
    """TRL's trainer over tokenised rows, with the project's callbacks left out."""
    import transformers
    import trl

    arguments = trl.SFTConfig(
        output_dir=str(scratch),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler_type,
        lr_scheduler_kwargs={"min_lr_rate": settings.min_lr_rate},
        warmup_steps=settings.warmup_ratio,
        num_train_epochs=settings.num_train_epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        per_device_eval_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        activation_checkpointing=settings.gradient_checkpointing,
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
        **training.arguments(settings.launch),
    )
    training.shard_on_cpu_too(settings.launch)
    trainer_class = training.in_seeded_order(training.stopping_at_nan(trl.SFTTrainer))
    trainer = trainer_class(
        model=training.load_model(BASE, settings.lora, settings.attn_implementation),
        args=arguments,
        train_dataset=train,
        eval_dataset=valid,
        processing_class=tokenizer,
        peft_config=training.peft_config(settings.lora),
    )
    trainer.remove_callback(transformers.ProgressCallback)
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def main() -> None:
    with stage_run("train") as run:
        settings = params.load("train", Params)

        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()
        initialise_ranks(settings.launch)
        tokenizer = prompts.load_tokenizer(BASE)
        config = transformers.AutoConfig.from_pretrained(BASE)
        training.expect_context(config, settings.max_length)
        with (
            scratch_folder("train", [run.deps, run.params]) as scratch,
            training.energy() as energy,
        ):
            all_train, all_valid = (
                tokens_of(part, scratch / "tokens", tokenizer) for part in ("train", "validation")
            )
            train = without_too_long(all_train, settings, "train")
            valid = without_too_long(all_valid, settings, "validation")
            trainer = make_trainer(settings, scratch, tokenizer, train, valid)
            if trainer.is_fsdp_enabled != (settings.launch.sharding == "fsdp2"):
                raise InputError(f"sharding={settings.launch.sharding} did not come about")
            expect_trained_end(trainer, tokenizer.eos_token_id)
            shown = datasets.Dataset.from_parquet(
                str(IN / "validation.parquet"), cache_dir=str(scratch / "tokens" / "parquet")
            )[0]
            callbacks = training.callbacks(
                run, shown, scratch, settings.launch, settings.save_minutes, CURVES
            )
            for each in callbacks:
                trainer.add_callback(each)

            checkpoint = training.last_checkpoint(scratch)
            trainer.args.eval_on_start = checkpoint is None
            try:
                seconds = training.train(trainer, checkpoint)
            except training.NotFiniteError as error:
                ids = training.ids_of(error.batches, train)
                raise InputError(
                    f"step {error.step}: the loss or its gradient is not finite, on the rows "
                    f"{', '.join(ids[:20])}; nothing of this step was kept. Look at them, or lower "
                    f"train.learning_rate; the last good checkpoint lies in {scratch}"
                ) from None
            training.save_model(trainer, tokenizer, BASE, settings.lora, OUT)
            if not is_main_process():
                return

            history = trainer.state.log_history
            losses = [entry["loss"] for entry in history if "loss" in entry]
            validations = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
            if not all(math.isfinite(loss) for loss in losses + validations):
                raise InputError("the loss is not finite: lower train.learning_rate")
            metrics = {
                "num_examples": len(train),
                "num_too_long": len(all_train) - len(train),
                "num_sequences": len(trainer.train_dataset),
                **training.size_of_run(trainer),
                "num_tokens_per_epoch": sum(train["length"]),
                "longest_row_tokens": max(train["length"]),
                "first_loss": round(losses[0], 4),
                "last_loss": round(losses[-1], 4),
                "first_validation_loss": round(validations[0], 4),
                "last_validation_loss": round(validations[-1], 4),
            }
            write_text(LOSS, training.curves(history, CURVES))
            training.write_records(callbacks, SAMPLES, SPEED)
            write_json(METRICS, metrics)
            run.log_metrics(metrics)
            run.facts = training.facts(trainer, seconds, checkpoint)
            shutil.rmtree(scratch, ignore_errors=True)
        run.facts |= energy
        print(
            f"{metrics['num_steps']} steps in {seconds:.0f} s, validation loss "
            f"{validations[0]:.3f} -> {validations[-1]:.3f}"
        )


if __name__ == "__main__":
    if "--plan" in sys.argv:
        from mathledger.plan import plan

        plan.main(sys.argv[1:])
    else:
        main()
