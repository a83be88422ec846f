"""What decides a response besides its request: the key of the store of responses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathledger.core.code import modules_digest, with_imports
from mathledger.run.environment import hardware

PACKAGE = Path(__file__).parents[1]
# With what these import: how the batches are made up, and how an engine answers them.
MODULES = ("evaluation/responses.py", "evaluation/engines/backends.py")


def decides(model: Path, deps: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return, as JSON, all that decides a response but its prompt, its seed and its limits.

    The stage's run adds the versions of the packages.

    Args:
        deps: DVC's digests of the stage's dependencies, by path.
        params: the declared sections of params.yaml, flat.

    Raises:
        KeyError: the model is no dependency of the stage.
    """
    import torch  # noqa: F401  only then does `hardware` see the GPUs

    machine = hardware()
    return {
        "model": deps[model.as_posix()],
        "code": code_digest(),
        "settings": {key: params[key] for key in params if key.startswith("evaluate.")},
        "hardware": [machine["cpu"], machine.get("gpus")],
    }


def code_digest(package: Path = PACKAGE) -> str:
    """Return the digest of the modules that decide a response.

    An edit of any other module, such as one that grades, leaves the stored responses valid.

    Raises:
        FileNotFoundError: one of MODULES has another name now.
    """
    return modules_digest(with_imports([package / name for name in MODULES], package), package)
