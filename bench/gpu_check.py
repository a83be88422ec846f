"""Check the project on one GPU: smoke, rehearsals of training, evaluation.

    jobs/gpu_check.sh                        (or: python -m bench.gpu_check SCRATCH)

It needs no network and takes less than 8 minutes. The parts run one after the other in a clone of
the last commit in SCRATCH:

- the experiment smoke, in bfloat16 where the GPU has it;
- five steps of training, of all weights and of adapters, on a random model of the seed's shape, or
  of the largest shape that fits by `mathledger plan`;
- the same with flash attention and packing, if flash-attn is installed;
- evaluation with transformers, and with vLLM if it is installed, here or by `make vllm`.

A part that fails is recorded with its error and the others go on; the exit status is then 1. On a
CPU the model is tiny.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.measure import copy_of, options, report, run_main, stage_environment
from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.run.compose import compose

BUDGET_SECONDS = 470
NUM_STEPS = 5
# The largest first. Only the seed's shape has the seed's context.
SHAPES = {"deepseek_math_7b_rl": 4096, "smollm2_135m": 2048}
TINY = {"tiny": 128}
SEED = ["experiment=deepseek_math_7b", "model=tiny_random", "train.gradient_accumulation_steps=1"]
# Attention kernels of GPUs want heads of at least 32; the model of smoke has 4 heads.
SMOKE = ["experiment=smoke", "model.source.hidden_size=256"]
CELL = "base-tiny_chain_sum"
VLLM = Path(".venv-vllm/bin/python")
FACTS = """
import json, sys
try:
    import torch
    found = {"torch": torch.__version__, "cuda": torch.version.cuda, "gpu": None}
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        found |= {"gpu": card.name, "gpu_gib": round(card.total_memory / 2**30, 1)}
        found |= {"bf16": torch.cuda.is_bf16_supported()}
except ImportError:
    found = {"gpu": None}
from importlib.util import find_spec
print(json.dumps(found | {name: bool(find_spec(name)) for name in ("flash_attn", "vllm")}))
"""


class NotRunError(Exception):
    """Raised by a part that cannot run here; carries the reason."""


Figures = dict[str, Any]
Part = Callable[[], Figures]


@dataclass(frozen=True)
class Check:
    """The clone that the parts work in, and what is known of the machine."""

    project: Path
    clone: Path
    facts: Mapping[str, Any]
    ends: float = field(default_factory=lambda: time.monotonic() + BUDGET_SECONDS)

    @property
    def has_gpu(self) -> bool:
        return self.facts["gpu"] is not None

    def run(self, *command: str, python: Path | None = None) -> str:
        """Run a command in the clone and return what it printed.

        Args:
            python: the interpreter of another environment, whose programs come first.

        Raises:
            InputError: it failed; the message has the end of its output.
            NotRunError: there was no time left.
        """
        environment, left = stage_environment(), self.ends - time.monotonic()
        if left < 1:
            raise NotRunError(f"the {BUDGET_SECONDS} seconds were over")
        if python:
            environment["PATH"] = f"{python.absolute().parent}:{environment['PATH']}"
        try:
            done = subprocess.run(
                command,
                cwd=self.clone,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=left,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{' '.join(command)}: stopped, the time was over") from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-2000:]
            raise InputError(f"{' '.join(command)} ended with {done.returncode}: {said}")
        return done.stdout

    def compile(self, *overrides: str) -> None:
        self.run("python", "-m", "stages.params", *overrides)


def facts_of(python: str) -> dict[str, Any]:
    """Ask another process about its packages and the GPU, which this one must not occupy."""
    done = subprocess.run([python, "-c", FACTS], capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def parts_of(check: Check) -> Iterator[tuple[str, Part]]:
    """Yield the name of each part and the function that runs it."""
    flash = ["train=lora", "train.packing=true", "train.attn_implementation=flash_attention_2"]
    yield "smoke", lambda: smoke(check)
    yield "training, all weights", lambda: rehearse(check)
    yield "training, LoRA", lambda: rehearse(check, "train=lora")
    yield "training, LoRA, flash attention", lambda: with_flash_attention(check, *flash)
    yield "evaluation, transformers", lambda: evaluate(check, None)
    yield "evaluation, vLLM", lambda: with_vllm(check)


def smoke(check: Check) -> Figures:
    """Run the whole pipeline on a random model."""
    check.compile(*SMOKE)
    check.run("dvc", "repro")
    ran = read_json(check.clone / "lineage/train.json")
    if check.has_gpu and (ran["device"] == "cpu" or check.facts["bf16"] != in_bf16(ran)):
        raise InputError(f"trained on {ran['device']} in {ran['precision']}")
    return {"device": ran["device"], "precision": ran["precision"]}


def in_bf16(ran: Mapping[str, Any]) -> bool:
    return bool(ran["precision"] == "bfloat16")


def rehearse(check: Check, *overrides: str) -> Figures:
    """Take a few steps of the seed recipe, on the largest shape that fits by the plan."""
    name, needs = shape_that_fits(check, *overrides)
    length = (SHAPES | TINY)[name]
    check.compile(*SEED, f"train.max_length={length}", *overrides)
    shape = Path("jobs/shapes") / f"{name}.json"
    command = ["-m", "stages.train", "--rehearse", str(NUM_STEPS), "--shape", str(shape), "--json"]
    shown = check.run("python", *command)
    return {"shape": name, "needs_gib": needs, **json.loads(shown[shown.index("{\n") :])}


def shape_that_fits(check: Check, *overrides: str) -> tuple[str, dict[str, float]]:
    """Return the first shape that fits by the plan, and the GiB that the shapes tried need."""
    needs = {}
    for name, length in (SHAPES if check.has_gpu else TINY).items():
        needs[name] = round(planned_gib(name, f"train.max_length={length}", *overrides), 1)
        if not check.has_gpu or needs[name] <= 0.9 * check.facts["gpu_gib"]:
            return name, needs
    raise NotRunError(f"no shape fits {check.facts['gpu_gib']} GiB: {needs}")


def planned_gib(shape: str, *overrides: str) -> float:
    """Return the memory that the plan counts for a step of rows of max_length tokens."""
    from omegaconf import OmegaConf

    from mathledger.model.loading import load_config
    from mathledger.training import sft
    from mathledger.training.memory import memory
    from mathledger.training.size import size_of

    content: Any = OmegaConf.to_container(OmegaConf.create(compose([*SEED, *overrides])))
    settings = check("train", content["train"], sft.Params)
    size = size_of(load_config(Path(f"jobs/shapes/{shape}.json")), settings.lora)
    tokens = settings.per_device_train_batch_size * settings.max_length
    return sum(memory(settings, size, tokens, on_gpu=True).values())


def with_flash_attention(check: Check, *overrides: str) -> Figures:
    if not check.has_gpu:
        raise NotRunError("there is no GPU")
    if not check.facts["flash_attn"]:
        raise NotRunError("flash-attn is not installed")
    return rehearse(check, *overrides)


def evaluate(check: Check, python: Path | None, *overrides: str) -> Figures:
    """Let the random model of smoke answer its benchmark."""
    check.compile(*SMOKE, *overrides)
    started = time.monotonic()
    check.run("dvc", "repro", "--force", "--single-item", f"evaluate@{CELL}", python=python)
    seconds = time.monotonic() - started
    (file,) = (check.clone / f"data/evaluate/{CELL}").glob("*.parquet")
    tokens = pq.read_table(file, columns=["num_tokens"])["num_tokens"].to_pylist()
    return {"num_responses": len(tokens), "num_tokens": sum(tokens), "stage_seconds": seconds}


def with_vllm(check: Check) -> Figures:
    if not check.has_gpu:
        raise NotRunError("there is no GPU")
    own = check.project / VLLM
    if own.exists():
        return evaluate(check, own, "evaluate=vllm")
    if not check.facts["vllm"]:
        raise NotRunError("vllm is not installed")
    return evaluate(check, None, "evaluate=vllm")


def run_parts(parts: Iterator[tuple[str, Part]]) -> dict[str, Figures]:
    """Run every part; record its figures, or its error, or why it did not run."""
    results: dict[str, Figures] = {}
    for name, part in parts:
        started = time.monotonic()
        try:
            found = {"status": "ran", **part()}
        except NotRunError as error:
            found = {"status": "not run", "reason": str(error)}
        except Exception as error:  # whatever it is, the other parts are still worth a GPU's time
            found = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
        results[name] = {**found, "seconds": round(time.monotonic() - started, 1)}
        shown = found.get("error") or found.get("reason") or ""
        print(f"{name}: {found['status']} {shown}".strip(), file=sys.stderr, flush=True)
    return results


def row(name: str, found: Figures) -> list[Any]:
    """Return the cells of a part's row in the table."""
    status = found["status"]
    if reason := found.get("reason"):
        status = f"not run: {reason}"
    cells: list[Any] = [name, status, found["seconds"]]
    keys = ("shape", "tokens_per_second", "utilisation", "memory_gib", "memory_planned_gib")
    return cells + [found[key] if found.get(key) is not None else "" for key in keys]


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__, arguments, ("scratch", {"type": Path}), is_timed=False)
    facts = facts_of(sys.executable)
    project = Path().resolve()
    clone = copy_of(project, chosen.scratch / "project", with_data=False)
    results = run_parts(parts_of(Check(project, clone, facts)))
    chosen.facts |= {"machine": facts}
    head = ["part", "result", "seconds", "shape", "tokens/s", "share of peak", "GiB", "GiB planned"]
    card = facts["gpu"] or "CPU, tiny models"
    n = f"{NUM_STEPS} steps of training each; {card}; torch {facts['torch']}, CUDA {facts['cuda']}"
    report("gpu_check", chosen, n, head, [row(*each) for each in results.items()], results)
    if failed := [name for name, found in results.items() if found["status"] == "failed"]:
        raise InputError(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    run_main(main)
