"""Name the extra that brings a package which is not installed."""

import re


def what_is_missing(error: ModuleNotFoundError) -> str | None:
    """Say in one line which extra to install; None if one of our own modules is missing.

    >>> what_is_missing(ModuleNotFoundError(name="transformers.utils"))
    "transformers is not installed: run `pip install 'mathledger[pipeline]'`"
    """
    module = (error.name or "").partition(".")[0]
    if module in ("", "mathledger", "stages"):
        return None
    return f"{module} is not installed: run `pip install 'mathledger[{extra_with(module)}]'`"


def extra_with(module: str) -> str:
    """Return the extra that names a module's package, or `pipeline`, which brings most others.

    >>> extra_with("bitsandbytes"), extra_with("lm_eval"), extra_with("pandas")
    ('qlora', 'pipeline', 'pipeline')
    """
    import importlib.metadata  # slow, and most commands need it only for errors

    for requirement in importlib.metadata.requires("mathledger") or ():
        named = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == [\"']([\w-]+)[\"']", requirement)
        if named and extra and extra[1] != "dev" and _normal(named[0]) == _normal(module):
            return extra[1]
    return "pipeline"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
