"""Let the tuned model learn from its own answers with TRL's GRPOTrainer.

The reward of an answer is 1 where evaluation would call it correct, else 0.

Reads   data/mix/, data/model/tuned/; conf: reinforce.grpo
Writes  data/model/reinforced/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/reinforce/samples.csv: what the model answers a held-out problem, as training goes on
        lineage/reinforce.csv: tokens a second and memory by step
Metrics metrics/reinforce.json, plots/reinforce/reward.csv

    python -m stages.reinforce      what DVC runs, through reinforce.grpo.launch.command

How it launches, resumes, stops and saves is in mathledger/training/training.py.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import write_json, write_text
from mathledger.grading.judges import Judges
from mathledger.model import prompts
from mathledger.model.launch import Launch, initialise_ranks
from mathledger.model.scratch import scratch_folder
from mathledger.run import params
from mathledger.run.tracking import is_main_process, stage_run
from mathledger.training import training

IN = Path("data/mix")
START = Path("data/model/tuned")
OUT = Path("data/model/reinforced")
METRICS = Path("metrics/reinforce.json")
REWARD = Path("plots/reinforce/reward.csv")
SAMPLES = Path("data/reinforce/samples.csv")
SPEED = Path("lineage/reinforce.csv")
GRADING_S = 5  # CPU seconds for one answer; one that takes longer earns nothing
NUM_EVALUATIONS = 3  # of the validation reward, over the run
CURVES: training.Curves = {  # plots/reinforce/reward.csv: the trainer's name, ours, digits
    "reward": ("reward", 6),
    "eval_reward": ("validation_reward", 6),
    "reward_std": ("reward_std", 6),
    "loss": ("loss", 6),
    "learning_rate": ("learning_rate", 10),
    "grad_norm": ("grad_norm", 6),
    "entropy": ("entropy", 6),
    "kl": ("kl", 6),
    "completions/mean_length": ("mean_length", 1),
    "completions/clipped_ratio": ("truncated_rate", 4),
}


@dataclass(frozen=True, config=STRICT)
class Params:
    learning_rate: float = Field(description="Peak learning rate, after the warm-up.")
    lr_scheduler_type: str = Field(description="Name of one of transformers' schedulers.")
    warmup_ratio: float = Field(description="Share of the steps to warm up for.")
    max_steps: int = Field(description="Optimizer steps.")
    per_device_train_batch_size: int = Field(
        description="Responses (not problems) that a process takes at a time."
    )
    gradient_accumulation_steps: int = Field(
        description="Batches of a process in one optimizer step."
    )
    gradient_checkpointing: bool = Field(
        description="Recompute activations: less memory, more time."
    )
    num_generations: int = Field(
        description="Responses to one problem, which are compared with each other."
    )
    max_completion_length: int = Field(
        description="Tokens of a response; a longer one is cut and counts as wrong."
    )
    temperature: float = Field(description="Sampling temperature of the responses.")
    beta: float = Field(description="Weight of the KL divergence from the tuned model.")
    use_vllm: bool = Field(description="Generate the responses with vLLM, in the training process.")
    attn_implementation: str = Field(description="flash_attention_2 suits a GPU.")
    max_grad_norm: float = Field(description="Norm to which gradients are clipped.")
    logging_steps: int = Field(description="Steps between points of the curves.")
    save_minutes: float = Field(
        description="Minutes between checkpoints, from which a killed run resumes."
    )
    seed: int = Field(
        description="Seed of the order of the problems, of the responses and of the adapters."
    )
    lora: training.Lora | None = Field(description="null trains all weights.")
    launch: Launch = Field(description="How the processes are started.")


def correct(completions: list[list[dict[str, str]]], answer: list[str], **_: Any) -> list[float]:
    """The reward of each answer: 1.0 where its final answer equals the reference.

    >>> correct([[{"role": "assistant", "content": "So \\\\boxed{4}."}]], ["4"])
    [1.0]
    """
    responses = [turns[-1]["content"] for turns in completions]
    asked = [(*pair, "expression") for pair in zip(responses, answer, strict=True)]
    with Judges(GRADING_S) as judges:
        return [float(grade.verdict == "correct") for grade in judges.grade(asked)]


def problems(part: str, cache: Path) -> tuple[Any, int]:
    """The problems of a part of the mix whose answer is known, each once; and how many rows fell
    away for want of an answer or as further solutions of a problem."""
    import datasets

    path = IN / f"{part}.parquet"
    rows = datasets.Dataset.from_parquet(
        str(path), columns=["id", "prompt", "answer"], cache_dir=str(cache)
    )
    first: dict[str, int] = {}
    for index, (prompt, answer) in enumerate(zip(rows["prompt"], rows["answer"], strict=True)):
        if answer is not None:
            first.setdefault(prompt[-1]["content"], index)
    if not first:
        raise InputError(f"{path} has no row with a known answer, so nothing can be rewarded")
    return rows.select(sorted(first.values())), len(rows) - len(first)


def make_trainer(settings: Params, scratch: Path, tokenizer: Any, train: Any, valid: Any) -> Any:
    """TRL's trainer over problems, with the project's callbacks left out."""
    import torch
    import transformers
    import trl

    class Order(torch.utils.data.Sampler):  # type: ignore[misc]
        """The stock order, drawn anew from seed and epoch: a resumed run sees the same rows."""

        def __init__(self, stock: Any, trainer: Any) -> None:
            self.stock, self.trainer = stock, trainer

        def __len__(self) -> int:
            return len(self.stock)

        def __iter__(self) -> Iterator[int]:
            epoch = int(self.trainer.state.epoch or 0)
            self.stock.generator.manual_seed(self.trainer.args.seed + epoch)
            return iter(self.stock)

    class Trainer(training.stopping_at_nan(trl.GRPOTrainer)):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return Order(super()._get_train_sampler(dataset), self)

    arguments = trl.GRPOConfig(
        output_dir=str(scratch),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler_type,
        warmup_steps=settings.warmup_ratio,
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        per_device_eval_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        activation_checkpointing=settings.gradient_checkpointing,
        num_generations=settings.num_generations,
        max_completion_length=settings.max_completion_length,
        temperature=settings.temperature,
        beta=settings.beta,
        use_vllm=settings.use_vllm,
        vllm_mode="colocate",
        max_grad_norm=settings.max_grad_norm,
        logging_steps=settings.logging_steps,
        eval_strategy="steps",
        eval_steps=1 / NUM_EVALUATIONS,
        seed=settings.seed,
        # The stock count expects token ids; GRPO counts what it generates by itself.
        **training.arguments(settings.launch) | {"include_num_input_tokens_seen": "no"},
    )
    training.shard_on_cpu_too(settings.launch)
    trainer = Trainer(
        model=training.load_model(START, settings.lora, settings.attn_implementation),
        reward_funcs=correct,
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
    with stage_run("reinforce") as run:
        settings = params.load("reinforce.grpo", Params)

        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()
        initialise_ranks(settings.launch)
        tokenizer = prompts.load_tokenizer(START)
        with (
            scratch_folder("reinforce", [run.deps, run.params]) as scratch,
            training.energy() as energy,
        ):
            (train, num_left_out), (valid, _) = (
                problems(part, scratch / "parquet") for part in ("train", "validation")
            )
            trainer = make_trainer(settings, scratch, tokenizer, train, valid)
            callbacks = training.callbacks(
                run, valid[0], scratch, settings.launch, settings.save_minutes, CURVES
            )
            for each in callbacks:
                trainer.add_callback(each)
            checkpoint = training.last_checkpoint(scratch)
            trainer.args.eval_on_start = checkpoint is None
            try:
                seconds = training.train(trainer, checkpoint)
            except training.NotFiniteError as error:
                ids = sorted({row["id"] for batch in error.batches for row in list(batch)})
                raise InputError(
                    f"step {error.step}: the loss or its gradient is not finite, on the rows "
                    f"{', '.join(ids[:20])}; nothing of this step was kept. Lower "
                    f"reinforce.grpo.learning_rate; the last good checkpoint lies in {scratch}"
                ) from None
            training.save_model(trainer, tokenizer, START, settings.lora, OUT)
            if not is_main_process():
                return

            history = trainer.state.log_history
            rewards = [entry["reward"] for entry in history if "reward" in entry]
            validations = [entry["eval_reward"] for entry in history if "eval_reward" in entry]
            metrics = {
                "num_problems": len(train),
                "num_rows_left_out": num_left_out,
                **training.size_of_run(trainer),
                "first_reward": round(rewards[0], 4),
                "last_reward": round(rewards[-1], 4),
                "first_validation_reward": round(validations[0], 4),
                "last_validation_reward": round(validations[-1], 4),
            }
            write_text(REWARD, training.curves(history, CURVES))
            training.write_records(callbacks, SAMPLES, SPEED)
            write_json(METRICS, metrics)
            run.log_metrics(metrics)
            run.facts = training.facts(trainer, seconds, checkpoint)
            shutil.rmtree(scratch, ignore_errors=True)
        run.facts |= energy
        print(
            f"{metrics['num_steps']} steps in {seconds:.0f} s, validation reward "
            f"{validations[0]:.3f} -> {validations[-1]:.3f}"
        )


if __name__ == "__main__":
    main()
