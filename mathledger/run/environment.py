"""Describe the machine and the packages of a stage's run for its lineage."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

# Packages that can change a result.
PACKAGES = ["accelerate", "bitsandbytes", "datasets", "dvc", "flash-attn", "flashinfer-python"]
PACKAGES += ["gguf", "huggingface-hub", "jinja2", "latex2sympy2-extended", "llvmlite", "lm-eval"]
PACKAGES += ["math-verify", "mlflow", "numba", "numpy", "peft", "pyarrow", "ray", "reasoning-gym"]
PACKAGES += ["safetensors", "scipy", "sentence-transformers", "sympy", "tokenizers", "torch"]
PACKAGES += ["transformers", "triton", "trl", "vllm", "xformers", "xxhash"]


def packages() -> dict[str, str]:
    """Return the version of each installed package that can change a result."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def hardware() -> dict[str, Any]:
    """Return the machine's properties that can explain a different number, without a host name."""
    facts: dict[str, Any] = {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        "num_cpus": os.cpu_count(),
    }
    if "torch" in sys.modules:
        import torch

        facts["num_threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            facts["gpus"] = [
                torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
            ]
    return facts


def of_stages() -> dict[str, str]:
    """Return the environment for a process that runs stages, whose commands start with `python`.

    That program is then the Python that runs this code, although its environment is not activated.
    """
    own = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([own, *filter(None, [os.environ.get("PATH")])])}


def _cpu_name() -> str:
    """Return the processor's model, or its architecture if the system does not name the model."""
    with contextlib.suppress(OSError):  # Linux names the model here, but not on aarch64
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # macOS
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True).strip()
    return platform.processor() or platform.machine()
