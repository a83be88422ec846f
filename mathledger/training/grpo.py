"""GRPO with TRL's GRPOTrainer: problems, the reward, the trainer, and its metrics."""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.grading.judges import Judges
from mathledger.model.launch import Launch
from mathledger.training import hardware, models
from mathledger.training.curves import Curves
from mathledger.training.loop import Training, size_of_run
from mathledger.training.lora import Lora, peft_config

GRADING_S = 5  # CPU seconds for one response; one that takes longer is rewarded with 0
NUM_EVALUATIONS = 3  # of the validation reward, over the run
CURVES: Curves = {
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
    warmup_steps: float = Field(description="Steps to warm up for; below 1, a share of all steps.")
    max_steps: int = Field(description="Optimizer steps.")
    per_device_train_batch_size: int = Field(
        description="Responses (not problems) that a process takes at a time."
    )
    gradient_accumulation_steps: int = Field(
        description="Batches of a process in one optimizer step."
    )
    activation_checkpointing: bool = Field(
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
    lora: Lora | None = Field(description="null trains all weights.")
    launch: Launch = Field(description="How the processes are started.")


def correct(completions: list[list[dict[str, str]]], answer: list[str], **_: Any) -> list[float]:
    """Reward each response: 1.0 if evaluation would call its final answer correct, else 0.0.

    >>> correct([[{"role": "assistant", "content": "So \\\\boxed{4}."}]], ["4"])
    [1.0]
    """
    responses = [turns[-1]["content"] for turns in completions]
    asked = [(*pair, "expression") for pair in zip(responses, answer, strict=True)]
    with Judges(GRADING_S) as judges:
        return [float(grade.verdict == "correct") for grade in judges.grade(asked)]


def load_problems(path: Path, cache: Path) -> tuple[Any, int]:
    """Load the problems of a part of the mix, and count the rows that were left out.

    A problem is taken once, and only if its answer is known.

    Raises:
        InputError: no row has a known answer.
    """
    import datasets

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


def make_trainer(
    settings: Params, start: Path, scratch: Path, tokenizer: Any, train: Any, validation: Any
) -> Any:
    """Build TRL's trainer over problems; `loop.run_trainer` adds the callbacks.

    Args:
        start: the model to reinforce.
    """
    import trl

    from mathledger.training.trainers import GRPOTrainer

    arguments = trl.GRPOConfig(
        output_dir=str(scratch),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler_type,
        warmup_steps=settings.warmup_steps,
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        per_device_eval_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        activation_checkpointing=settings.activation_checkpointing,
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
        **hardware.trainer_arguments(settings.launch) | {"include_num_input_tokens_seen": "no"},
    )
    hardware.allow_sharding_on_cpu(settings.launch)
    return GRPOTrainer(
        model=models.load_model(start, settings.lora, settings.attn_implementation),
        reward_funcs=correct,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=peft_config(settings.lora),
    )


def ids_of(batches: list[Any]) -> list[str]:
    """Return the ids of the rows in these batches."""
    return sorted({row["id"] for batch in batches for row in list(batch)})


def metrics(
    num_problems: int, num_rows_left_out: int, trainer: Any, training: Training
) -> dict[str, Any]:
    """Return counts of problems and tokens, and the first and last rewards."""
    rewards, validations = training.logged("reward"), training.logged("eval_reward")
    return {
        "num_problems": num_problems,
        "num_rows_left_out": num_rows_left_out,
        **size_of_run(trainer),
        "first_reward": round(rewards[0], 4),
        "last_reward": round(rewards[-1], 4),
        "first_validation_reward": round(validations[0], 4),
        "last_validation_reward": round(validations[-1], 4),
    }
