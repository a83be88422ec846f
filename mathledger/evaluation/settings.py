"""The params that control generation: section `evaluate` of params.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.servers import Software, expect_url
from mathledger.model.launch import Launch

Backend = Literal["hf", "vllm", "local-completions", "local-chat-completions"]


@dataclass(frozen=True, config=STRICT)
class Server:
    """Settings of the backends local-completions and local-chat-completions."""

    base_url: Annotated[str, AfterValidator(expect_url)] = Field(
        description="URL with its path, for example http://127.0.0.1:8000/v1/completions."
    )
    model: str | None = Field(
        description="Name that the server gives the model; null: the folder, data/model/<model>."
    )
    software: Software | None = Field(
        description=(
            "Software of the server. Settings beyond OpenAI's protocol (top_k, min_p, "
            "repetition_penalty, chat_template_kwargs) are sent only if it is given; without it, "
            "they are refused, and the server's own defaults apply."
        )
    )
    max_retries: int = Field(
        ge=0, description="Retries of a failed request, after 0.5, 1, 2, ... seconds."
    )
    timeout_s: int = Field(ge=1, description="Seconds to wait for one response.")


@dataclass(frozen=True, config=STRICT)
class Vllm:
    tensor_parallel_size: int = Field(description="GPUs that share one copy of the model.")
    data_parallel_size: int = Field(description="Copies of the model.")
    gpu_memory_utilization: float = Field(description="Share of a GPU's memory that vLLM takes.")


@dataclass(frozen=True, config=STRICT)
class Params:
    launch: Launch = Field(description="How the evaluation processes are started.")
    backend: Backend = Field(
        description="Engine that generates the responses, as lm-evaluation-harness names it."
    )
    batch_size: int = Field(description="Prompts in a batch; for a server, concurrent requests.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        description="Precision of the model; auto is bfloat16 if the accelerator has it, else "
        "float32."
    )
    temperature: float = Field(ge=0, description="Sampling temperature; 0 decodes greedily.")
    top_p: float = Field(
        gt=0,
        le=1,
        description="Sample from the most likely tokens that hold this share of the probability.",
    )
    top_k: int | None = Field(
        ge=1, description="Sample from this many of the most likely tokens; null: from all."
    )
    min_p: float = Field(
        ge=0,
        lt=1,
        description=(
            "Sample from the tokens that have at least this share of the likeliest token's "
            "probability; 0: from all."
        ),
    )
    presence_penalty: float = Field(
        ge=-2,
        le=2,
        description=(
            "Subtracted from the logit of each token that the response already has; 0: none."
        ),
    )
    repetition_penalty: float = Field(
        gt=0,
        description=(
            "Makes tokens of the prompt and the response less likely by this factor; 1: no penalty."
        ),
    )
    max_gen_toks: int | None = Field(
        ge=1,
        description="Token limit of a response in every benchmark; null: each task's max_gen_toks.",
    )
    system_prompt: str | None = Field(
        min_length=1, description="System turn that begins every conversation; null: none."
    )
    chat_template_kwargs: dict[str, bool | int | float | str] = Field(
        description="Variables of the model's chat template, for example enable_thinking: false."
    )
    seed: int = Field(description="Seed from which each sampled response derives its own.")
    max_too_long_rate: float = Field(
        description="Share of items that may exceed the model's context; they count as wrong."
    )
    server: Server | None = Field(
        description=(
            "Settings of the backends local-completions and local-chat-completions; null for the "
            "others."
        ),
    )
    vllm: Vllm | None = Field(description="Settings of the backend vllm; the others ignore them.")

    def __post_init__(self) -> None:
        if self.launch.sharding != "none":
            raise ValueError(
                "evaluation cannot shard a model: choose train/launch@evaluate.launch=python or ddp"
            )
        is_server = self.server is not None and self.backend.startswith("local-")
        if is_server and self.server and self.server.software is None and (extra := self.extended):
            raise ValueError(
                f"OpenAI's protocol has no {' or '.join(extra)}: set evaluate.server.software to "
                f"that of the server, one of {', '.join(get_args(Software))}"
            )

    @property
    def extended(self) -> list[str]:
        """Return the settings beyond OpenAI's protocol that are not at their neutral value."""
        changed = {
            "top_k": self.top_k is not None,
            "min_p": self.min_p > 0,
            "repetition_penalty": self.repetition_penalty != 1,
            # A completions server gets the prompt that we have rendered.
            "chat_template_kwargs": self.backend == "local-chat-completions"
            and bool(self.chat_template_kwargs),
        }
        return [name for name, is_changed in changed.items() if is_changed]


def token_limit(evaluate: Mapping[str, Any], task: Mapping[str, Any]) -> int:
    """Return the token limit of a benchmark's responses.

    Args:
        evaluate: section evaluate of params.yaml.
        task: section benchmark.<name>.task of params.yaml.
    """
    limit: int = evaluate.get("max_gen_toks") or task["max_gen_toks"]
    return limit
