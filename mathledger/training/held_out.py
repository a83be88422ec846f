"""Choose the held-out problem that the model answers during training, and that the card shows."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq


def problem_to_show(path: Path, needs_answer: bool = False) -> dict[str, Any] | None:
    """Return the first row of the validation set whose text may be shown; None if there is none.

    Args:
        path: data/mix/validation.parquet.
        needs_answer: whether the row's answer must be known.
    """
    for batch in pq.ParquetFile(path).iter_batches():
        may_be_shown = pc.invert(pc.fill_null(batch["is_withheld"], False))
        if needs_answer:
            may_be_shown = pc.and_(may_be_shown, pc.is_valid(batch["answer"]))
        for row in batch.filter(may_be_shown).slice(0, 1).to_pylist():
            return dict(row)
    return None
