"""Compare one text with one item as the stage decontaminate does, without its files."""

import pyarrow as pa

from mathledger.filters import decontaminate, overlap, overlap_index
from mathledger.run import params

SETTINGS = params.load("decontaminate", decontaminate.Params)
OTHERS = [f"A box holds {n} pens and {n + 3} caps. Find the mean of $x^{n}$." for n in range(40)]


def class_of(text: str, item: str) -> str | None:
    index = overlap_index.build(pa.array([item]), pa.array(OTHERS), SETTINGS.thresholds)
    kinds = overlap.match(pa.array([text]), index).classes
    return overlap.CLASSES[kinds[0]] if len(kinds) else None


def is_leak(text: str, item: str) -> bool:
    return class_of(text, item) in overlap.CONTAMINATION
