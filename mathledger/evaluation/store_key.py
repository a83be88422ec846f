"""Compute the key of a response store: everything that determines a response but its request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathledger.core.code import modules_digest, with_imports
from mathledger.run.environment import hardware

PACKAGE = Path(__file__).parents[1]
# These modules and their imports build the batches and answer them.
MODULES = ("evaluation/responses.py", "evaluation/engines/backends.py")


def decides(model: Path, deps: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that determines a response, except its prompt, seed and limits.

    The stage's run adds the package versions.

    Args:
        deps: DVC's digests of the stage's dependencies, by path.
        params: the stage's sections of params.yaml, flattened.

    Raises:
        KeyError: the model is not a dependency of the stage.
    """
    import torch  # noqa: F401  `hardware` lists GPUs only if torch is imported

    machine = hardware()
    return {
        "model": deps[model.as_posix()],
        "code": code_digest(),
        "settings": {key: params[key] for key in params if key.startswith("evaluate.")},
        "hardware": [machine["cpu"], machine.get("gpus")],
    }


def code_digest(package: Path = PACKAGE) -> str:
    """Return the digest of the modules that determine a response.

    Stored responses stay valid if any other module changes, for example one that grades.

    Raises:
        FileNotFoundError: one of MODULES was renamed.
    """
    return modules_digest(with_imports([package / name for name in MODULES], package), package)
