"""The params that control generation: section `evaluate` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.secrets import expect_url
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
    max_retries: int = Field(
        description="Retries of a failed request, after 0.5, 1, 2, ... seconds."
    )
    timeout_s: int = Field(description="Seconds to wait for one response.")


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
    temperature: float = Field(description="Sampling temperature; 0 decodes greedily.")
    top_p: float = Field(
        description="Sample from the most likely tokens that hold this share of the probability."
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
    vllm: Vllm | None = Field(description="Settings of the backend vllm; null for the others.")

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError("temperature must not be negative, and top_p must be in (0, 1]")
        if self.launch.sharding != "none":
            raise ValueError(
                "evaluation cannot shard a model: choose train/launch@evaluate.launch=python or ddp"
            )
