"""Compute features of a text: hashes of its n-grams and of a word without inflection."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, borrowing_kernel
from mathledger.text.hashing import hash_span, mix
from mathledger.text.tokens import HASH


@borrowing_kernel
def stem(spell: Any, start: int, end: int) -> Any:
    """Hash a word without its inflection: games, game -> gam; tries, try -> tr; adding -> add.

    This is simpler than Porter's stemmer (1980), whose later steps merge words with different
    meanings.
    """
    size = end - start
    last, before = spell[end - 1], spell[end - 2] if size > 1 else np.uint8(0)
    third = spell[end - 3] if size > 2 else np.uint8(0)
    plural = size > 4 and third == 105 and before == 101 and last == 115  # ies
    if plural or (size > 5 and third == 105 and before == 110 and last == 103):  # ing
        size -= 3
    elif (size > 4 and before == 101 and last in (100, 115)) or (  # ed, es
        size > 5 and before == 108 and last == 121  # ly
    ):
        size -= 2
    elif size > 3 and last == 115 and before != 115:
        size -= 1
    if size > 4 and (spell[start + size - 1] == 101 or spell[start + size - 1] == 121):
        size -= 1
    end = start + size - 1
    if size > 3 and spell[end] == spell[end - 1] and spell[end] not in (97, 101, 105, 111, 117):
        size -= 1
    return hash_span(spell, start, start + size)


@borrowing
def ngrams(tok: Any, count: int, size: int, out: Any) -> int:
    """Write the hashes of all runs of `size` tokens into out; return their number.

    The hashes are rolling hashes (Karp and Rabin, 1987), mixed at the end.
    """
    num_ngrams = max(0, count - size + 1) if size > 0 else 0
    factor = np.uint64(0x9E3779B97F4A7C15)
    value, highest = np.uint64(0), np.uint64(1)
    for at in range(min(size, count)):
        value = value * factor + np.uint64(tok[at, HASH])
        highest *= factor
    for start in range(num_ngrams):
        out[start] = mix(value + np.uint64(size))
        if start + 1 < num_ngrams:
            arrives, leaves = tok[start + size, HASH], tok[start, HASH]
            value = value * factor + np.uint64(arrives) - highest * np.uint64(leaves)
    return num_ngrams


@borrowing
def num_missing(left: Any, right: Any) -> int:
    """Count the members of the left sorted multiset that the right one lacks."""
    missing, at = 0, 0
    for value in left:
        while at < len(right) and right[at] < value:
            at += 1
        if at < len(right) and right[at] == value:
            at += 1
        else:
            missing += 1
    return missing


@borrowing
def place_in(table: Any, value: Any) -> int:
    """Return the index of a value in a sorted table, or -1."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) >> 1
        if table[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < len(table) and table[low] == value else -1
