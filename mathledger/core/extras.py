"""Say how to install a package that is missing."""

import importlib.metadata
import re
import shlex
from pathlib import Path

# Not in any extra, because pip would also install its requirements:
# docs/decisions/0008-locks-and-wheels.md
ALONE = "reasoning-gym"


def what_is_missing(error: ModuleNotFoundError) -> str | None:
    """Return one line on how to install the package, or None if the module is one of our own.

    >>> what_is_missing(ModuleNotFoundError(name="transformers.utils"))
    "transformers is not installed: run `pip install '.[pipeline]'`"
    >>> what_is_missing(ModuleNotFoundError(name="reasoning_gym"))
    'reasoning_gym is not installed: run `pip install --no-deps reasoning-gym`'
    """
    module = (error.name or "").partition(".")[0]
    if module in ("", "mathledger", "stages"):
        return None
    alone = _normal(module) == ALONE
    return f"{module} is not installed: run " + (
        f"`pip install --no-deps {ALONE}`" if alone else install(_extra(module))
    )


def install(extra: str) -> str:
    """Return the command that installs an extra; in a clone it installs from the clone.

    >>> install("sign")
    "`pip install '.[sign]'`"
    """
    in_clone = (Path(__file__).parents[2] / "pyproject.toml").exists()
    what = "." if in_clone else "mathledger"
    return f"`pip install {shlex.quote(f'{what}[{extra}]')}`"


def _extra(module: str) -> str:
    """Return the extra that names a module's package, or `pipeline`, which brings most others.

    >>> _extra("bitsandbytes"), _extra("lm_eval"), _extra("pandas")
    ('qlora', 'pipeline', 'pipeline')
    """
    for requirement in importlib.metadata.requires("mathledger") or ():
        named = re.match(r"[\w.-]+(?=[ ;<=>!~])", requirement)  # mlflow, but not mlflow[auth]
        extra = re.search(r"extra == [\"']([\w-]+)[\"']", requirement)
        if named and extra and extra[1] != "dev" and _normal(named[0]) == _normal(module):
            return extra[1]
    return "pipeline"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
