"""Read the receipt of a download in later stages; data/receipts.py writes it."""

import shlex
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.files import read_json


def is_private(benchmark: Path) -> bool:
    """Return True if the text of a benchmark's items must stay out of every result.

    Args:
        benchmark: The folder that `download_benchmark` wrote.

    Raises:
        InputError: The folder's receipt does not say.
    """
    path = benchmark / "receipt.json"
    receipt = read_json(path)
    private = receipt.get("private") if isinstance(receipt, dict) else None
    if not isinstance(private, bool):
        raise InputError(
            f"{path}: `private` must be true or false, got {private!r}; run "
            f"`dvc repro {shlex.quote(f'download_benchmark@{benchmark.name}')}`"
        )
    return private
