"""How responses are generated: the section `evaluate` of params.yaml."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.model.launch import Launch

Backend = Literal["hf", "vllm", "local-completions", "local-chat-completions"]


@dataclass(frozen=True, config=STRICT)
class Server:
    """For the backends local-completions and local-chat-completions."""

    base_url: str = Field(
        description="URL with the path, such as http://127.0.0.1:8000/v1/completions."
    )
    model: str | None = Field(
        description="Name under which the model is served; null: the folder, data/model/<model>."
    )
    max_retries: int = Field(
        description="Retries of a request that failed, after 1, 2, 4, ... half seconds."
    )
    timeout_s: int = Field(description="Seconds to wait for one response.")


@dataclass(frozen=True, config=STRICT)
class Vllm:
    tensor_parallel_size: int = Field(description="GPUs that share one copy of the model.")
    data_parallel_size: int = Field(description="Copies of the model.")
    gpu_memory_utilization: float = Field(description="Share of a GPU's memory that vLLM takes.")


@dataclass(frozen=True, config=STRICT)
class Params:
    launch: Launch = Field(description="How the processes are started.")
    backend: Backend = Field(
        description="What generates the responses, by lm-evaluation-harness's names."
    )
    batch_size: int = Field(description="Prompts at a time; for a server, requests at a time.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        description="auto: bfloat16 if the accelerator has it, else float32."
    )
    temperature: float = Field(description="0 decodes greedily.")
    top_p: float = Field(
        description="Sample from the most likely tokens that hold this share of the probability."
    )
    seed: int = Field(description="Seed from which the seeds of sampled responses are derived.")
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
            raise ValueError("temperature must not be negative, top_p is in (0, 1]")
        if self.launch.sharding != "none":
            raise ValueError("each process holds the whole model: choose launch python or ddp")
