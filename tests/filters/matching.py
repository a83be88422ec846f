"""Compare one text with one item as the stage decontaminate does, without its files."""

import re

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


def check_forms(forms: tuple[str, str, str], values: list[int], at: int) -> None:
    """Assert that two forms of a problem are one, and that a third form is another problem.

    Args:
        forms: The texts, with <a>, <b> and <c> for the values.
        at: The value that is changed to make another problem.
    """

    def filled(text: str, own: list[int]) -> str:
        return re.sub("<([abc])>", lambda found: str(own["abc".index(found[1])]), text)

    one, other, different = (filled(text, values) for text in forms)
    assert is_leak(one, other) and is_leak(other, one)
    for text in (one, other):
        assert not is_leak(different, text) and not is_leak(text, different)
    changed = [*values[:at], values[at] + 100, *values[at + 1 :]]
    if filled(forms[0], changed) != one:
        assert not is_leak(filled(forms[0], changed), other)


def check_border(template: str, one: str, other: str) -> None:
    """Assert that a template is two problems with two fillings."""
    first, second = template.format(one), template.format(other)
    assert not is_leak(first, second) and not is_leak(second, first)
