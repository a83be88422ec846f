"""GRPO with TRL's GRPOTrainer: load problems, define the reward, build the trainer, log metrics."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.grading.judges import Asked, Judges
from mathledger.model import conversations, generated, thinking
from mathledger.model.launch import Launch
from mathledger.training import hardware, models, schedules
from mathledger.training.curves import Curves
from mathledger.training.loop import Training, size_of_run
from mathledger.training.lora import Lora, peft_config

GRADING_S = 5  # CPU seconds to grade a response; one that takes longer gets a reward of 0
NUM_EVALUATIONS = 3  # evaluations of the validation reward during a run
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
    learning_rate: float = Field(
        gt=0, allow_inf_nan=False, description="Peak learning rate, after the warm-up."
    )
    lr_scheduler_type: schedules.Name = Field(
        description="Name of one of transformers' schedulers."
    )
    warmup_steps: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="Steps to warm up for; below 1, a share of all steps.",
    )
    max_steps: int = Field(ge=1, description="Optimizer steps.")
    per_device_train_batch_size: int = Field(
        ge=1, description="Responses (not problems) in a batch of one process."
    )
    gradient_accumulation_steps: int = Field(
        ge=1, description="Batches that each process accumulates for one optimizer step."
    )
    activation_checkpointing: bool = Field(
        description="Recompute activations: less memory, more time."
    )
    num_generations: int = Field(
        ge=2,
        description="Responses sampled for each problem; each is compared with their mean reward.",
    )
    max_completion_length: int = Field(
        ge=1, description="Limit of tokens in a response; a longer one is cut and counts as wrong."
    )
    temperature: float = Field(
        gt=0, allow_inf_nan=False, description="Sampling temperature of the responses."
    )
    beta: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="Weight of the KL divergence from the fine-tuned model.",
    )
    use_vllm: bool = Field(description="Generate the responses with vLLM, in the training process.")
    attn_implementation: models.Attention = Field(
        description="Attention kernel of transformers; use flash_attention_2 on a GPU."
    )
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
        ge=0,
        lt=2**32,
        description="Seed for the order of the problems, the sampling and the adapters.",
    )
    lora: Lora | None = Field(description="Adapters to train; null trains all weights.")
    launch: Launch = Field(description="How the training processes are started.")

    def __post_init__(self) -> None:
        at_once = self.per_device_train_batch_size * self.launch.num_processes
        if at_once % self.num_generations:
            raise ValueError(
                f"num_generations={self.num_generations} must divide the {at_once} responses that "
                "all processes hold at once (per_device_train_batch_size x launch.num_processes)"
            )
        if self.lr_scheduler_type in schedules.WITH_FLOOR:
            raise ValueError(
                f"lr_scheduler_type={self.lr_scheduler_type} needs a floor, which GRPO has no key "
                "for: choose constant, linear or cosine"
            )


def reward(tokenizer: Any, ends: set[int]) -> Callable[..., list[float]]:
    """Return the reward: 1.0 if evaluation would grade a response correct, else 0.0.

    As in evaluation, thinking counts for nothing, and a cut response only for what it states.

    Args:
        ends: Ids of the tokens that end a response; one without them is cut.
    """
    forms, kept = thinking.forms_of(tokenizer), thinking.control_ids(tokenizer)

    def correct(
        prompts: list[conversations.Conversation],
        completion_ids: list[list[int]],
        answer: list[str],
        **_: Any,
    ) -> list[float]:
        asked = []
        rendered = conversations.render(tokenizer, prompts, True)
        for prompt, ids, reference in zip(rendered, completion_ids, answer, strict=True):
            text, _num_tokens, reason = generated.read_tokens(ids, ends, [], tokenizer, kept)
            final = thinking.split(text, prompt.text, forms).answer
            asked.append(Asked(final, reference, "expression", reason == "length"))
        with Judges(GRADING_S) as judges:
            return [float(grade.verdict == "correct") for grade in judges.grade(asked)]

    return correct


def load_problems(path: Path, cache: Path) -> tuple[Any, int]:
    """Load the distinct problems of one split of the mix that have a known answer.

    Returns:
        The problems, and the number of rows that were left out.

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
        raise InputError(
            f"{path} has no row with a known answer, so GRPO has nothing to reward: add a corpus "
            "with answers to the mix"
        )
    return rows.select(sorted(first.values())), len(rows) - len(first)


def make_trainer(
    settings: Params, start: Path, scratch: Path, tokenizer: Any, train: Any, validation: Any
) -> Any:
    """Build TRL's trainer; `loop.run_trainer` adds the callbacks.

    Args:
        start: folder of the model that GRPO starts from.
    """
    import trl

    from mathledger.training.grpo_trainer import GRPOTrainer

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
        # The stock counter needs token ids as input; GRPO counts the tokens that it generates.
        **hardware.trainer_arguments(settings.launch) | {"include_num_input_tokens_seen": "no"},
    )
    hardware.allow_sharding_on_cpu(settings.launch)
    model = models.load_model(start, settings.lora, settings.attn_implementation)
    return GRPOTrainer(
        model=model,
        reward_funcs=reward(tokenizer, generated.end_ids(model, tokenizer)),
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=peft_config(settings.lora),
    )


def ids_of(batches: list[Any]) -> list[str]:
    """Return the sorted ids of the rows in these batches."""
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
