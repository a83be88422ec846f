"""Compute the key of a response store: everything that determines a response except its request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathledger.core.code import modules_digest, with_imports
from mathledger.evaluation.served import server_of, software_version
from mathledger.evaluation.settings import Server
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
    own: dict[str, Any] = {}
    if server := _server(model, params):
        own["server"] = software_version(server)
    return {
        **own,
        "model": deps[model.as_posix()],
        "code": code_digest(),
        "settings": {key: params[key] for key in params if key.startswith("evaluate.")},
        "hardware": [machine["cpu"], machine.get("gpus")],
    }


def _server(model: Path, params: Mapping[str, Any]) -> Server | None:
    """Return the server that answers for a model, if there is one."""
    if server := server_of(model):
        return server
    prefix = "evaluate.server."
    if not str(params.get("evaluate.backend")).startswith("local-"):
        return None
    given = {key.removeprefix(prefix): params[key] for key in params if key.startswith(prefix)}
    return Server(**given) if given else None


def code_digest(package: Path = PACKAGE) -> str:
    """Return the digest of the modules that determine a response.

    Stored responses stay valid if any other module changes, for example one that grades.

    Raises:
        FileNotFoundError: one of MODULES was renamed.
    """
    return modules_digest(with_imports([package / name for name in MODULES], package), package)
