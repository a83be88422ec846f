"""What a path is, as DVC names it: code, data, a lineage file, a metric or a plot."""

# `ledger` and `stages/common` held code until the rooms of mathledger/; old results name them.
CODE_FOLDERS = ("mathledger", "stages", "ledger")


def is_code(path: str) -> bool:
    """Return True if a path is a room or a module.

    >>> is_code("mathledger/text"), is_code("stages/common/text.py"), is_code("data/mix")
    (True, True, False)
    """
    return _top(path) in CODE_FOLDERS


def is_data(path: str) -> bool:
    """Return True if a path is data or a model: in DVC's cache, and never in git."""
    return _top(path) == "data"


def is_lineage(path: str) -> bool:
    """Return True if a path is what a stage recorded of its own run."""
    return _top(path) == "lineage"


def is_metric(path: str) -> bool:
    """Return True if a path is a file of numbers, which git holds."""
    return _top(path) == "metrics"


def is_plot(path: str) -> bool:
    """Return True if a path is a table that `dvc plots` draws."""
    return _top(path) == "plots"


def _top(path: str) -> str:
    return path.partition("/")[0]
