"""Classify a path in DVC's notation: code, data, a lineage file, a metric or a plot.

Also reads the paths that a user gives.
"""

import os
from pathlib import Path

from mathledger.core.errors import InputError

# The stages read people's verdicts from conf/, and compiled params instead of its other files.
# Results from before the rooms of mathledger/ name `ledger` and `stages/common` as code.
CODE_FOLDERS = ("mathledger", "stages", "ledger", "conf")


def is_within(path: str, folder: str) -> bool:
    """Return True if a path is this folder or is inside it.

    >>> is_within("data/mix", "data/mix"), is_within("data/mix/train.parquet", "data/mix")
    (True, True)
    >>> is_within("data/mixed", "data/mix"), is_within("data", "data/mix")
    (False, False)
    """
    return path == folder or path.startswith(f"{folder}/")


def is_code(path: str) -> bool:
    """Return True if a path is a room, a module, or people's verdicts, which git holds.

    >>> is_code("mathledger/text"), is_code("stages/common/text.py"), is_code("data/mix")
    (True, True, False)
    """
    return _top(path) in CODE_FOLDERS


def is_data(path: str) -> bool:
    """Return True if a path is data or a model, which DVC caches and git never holds."""
    return _top(path) == "data"


def is_lineage(path: str) -> bool:
    """Return True if a path is a stage's record of its own run."""
    return _top(path) == "lineage"


def is_metric(path: str) -> bool:
    """Return True if a path is a metrics file, which git holds."""
    return _top(path) == "metrics"


def is_plot(path: str) -> bool:
    """Return True if a path is a table that `dvc plots` draws."""
    return _top(path) == "plots"


def _top(path: str) -> str:
    return path.partition("/")[0]


def given_path(text: str) -> Path:
    """Return the path that a user gives in conf/; `~` is the home folder.

    A relative path counts from the checkout, also in an experiment that DVC runs in a folder of
    its own; there DVC_ROOT names the checkout.

    Raises:
        InputError: the text starts with the name of a user that does not exist.
    """
    try:
        return Path(os.environ.get("DVC_ROOT", "."), Path(text).expanduser())
    except RuntimeError:
        raise InputError(f"{text}: there is no such user; correct the path in conf/") from None
