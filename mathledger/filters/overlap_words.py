"""Look up what the lists of words (word_lists.py) say about the stem of a word, in kernels."""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.filters.overlap_features import stem
from mathledger.filters.word_lists import (
    COMPOUNDS,
    DECISIVE,
    FUNCTION,
    MEASURES,
    MULTIPLES,
    OPPOSITES,
    SIZES,
    SMALL_WORDS,
    SYNONYMS,
)
from mathledger.text.hashing import hash_bytes

_OWN = (
    "less",
    "more",
    "length",
    "distinct",
    "dollar",
    "ordered",
    "each",
    "fold",
    "remaining",
    "not",
    "atmost",
    "atleast",
    "minimum",
    "maximum",
    "inch",
    "second",
    "minute",
    "hour",
)  # `Lexicon` has their heads.
# Kinds of words that `Lexicon` knows; all others are ordinary.
DROPPED, LIGHT, ORDINARY, AS_NUMBER, COMPOUND = range(5)


TOTAL = np.uint64(hash_bytes(b"total"))  # Stands for "altogether" and "combined", too.
# A shorter function word has no other forms: cans are not can, and a herring is not her.
MIN_STEMMED = 5
MAX_LINES = 4  # A word is in at most this many lines of OPPOSITES.


class Lexicon(NamedTuple):
    """What the lists say about each stem, for kernels."""

    exact: npt.NDArray[np.uint64]  # Sorted hashes of short words that are dropped as they stand.
    stems: npt.NDArray[np.uint64]  # Sorted and distinct.
    kinds: npt.NDArray[np.int8]
    heads: npt.NDArray[np.uint64]  # The stem or number that stands for the stem, or its `parts`.
    parts: npt.NDArray[np.uint64]  # Heads of the words in each compound, (compounds, 3), or 0.
    listed: npt.NDArray[np.uint64]  # Sorted heads, and all words with an opposite.
    opposed: npt.NDArray[np.uint64]  # Sorted heads that have an opposite.
    lines: npt.NDArray[np.int16]  # Lines of OPPOSITES, (opposed, MAX_LINES), or -1.
    decisive: npt.NDArray[np.uint64]  # Sorted heads.
    measures: npt.NDArray[np.uint64]  # Sorted heads.
    sizes: npt.NDArray[np.uint64]  # Sorted heads.
    less: np.uint64  # Head of "less", which also stands for "<"; likewise for "more".
    more: np.uint64
    length: np.uint64
    distinct: np.uint64
    dollar: np.uint64
    ordered: np.uint64
    each: np.uint64
    fold: np.uint64  # Stands for "times" in "5 times as many".
    remaining: np.uint64
    negation: np.uint64
    at_most: np.uint64  # Stands for "<=" and "less than or equal to"; likewise for "at_least".
    at_least: np.uint64
    minimum: np.uint64  # Stands for "least" and for "or more"; likewise for "maximum".
    maximum: np.uint64
    inch: np.uint64
    second: np.uint64
    minute: np.uint64
    hour: np.uint64


@cache
def stem_of(word: str) -> int:
    spelled = np.frombuffer(word.encode(), np.uint8)
    return int(stem(spelled, 0, len(spelled)))


@cache
def lexicon() -> Lexicon:
    """Return the lists in a form that kernels can read."""
    known: dict[int, tuple[int, int]] = {}
    for line in SYNONYMS.replace("\n        ", " ").strip().splitlines():
        words = line.split()
        for word in words:
            known.setdefault(stem_of(word), (ORDINARY, stem_of(words[0])))
    opposites = [
        [known.get(stem_of(word), (0, stem_of(word)))[1] for word in line.split()]
        for line in OPPOSITES.strip().splitlines()
    ]
    opposed = sorted({head for line in opposites for head in line})
    exact = [hash_bytes(word.encode()) for word in FUNCTION.split() if len(word) < MIN_STEMMED]
    for word in FUNCTION.split():
        if len(word) >= MIN_STEMMED:
            known.setdefault(stem_of(word), (DROPPED, 0))
    for word in SMALL_WORDS.split():
        known[stem_of(word)] = (LIGHT, stem_of(word))
    for number, forms in MULTIPLES.items():
        for word in forms.split():
            known[stem_of(word)] = (AS_NUMBER, hash_bytes(str(number).encode()))
    parts = np.zeros((len(COMPOUNDS), 3), np.uint64)
    for row, (forms, meaning) in enumerate(COMPOUNDS.items()):
        for word in forms.split():
            known[stem_of(word)] = (COMPOUND, row)
        heads = [known.get(stem_of(word), (0, stem_of(word)))[1] for word in meaning.split()]
        parts[row, : len(heads)] = heads
    lines = np.full((len(opposed), MAX_LINES), -1, np.int16)
    for place, head in enumerate(opposed):
        own = [number for number, line in enumerate(opposites) if head in line]
        lines[place, : len(own)] = own
    known[stem_of("percentage")] = (LIGHT, hash_bytes(b"%"))
    decisive, measures, sizes = (
        sorted(known.get(stem_of(word), (0, stem_of(word)))[1] for word in words.split())
        for words in (DECISIVE, MEASURES, SIZES)
    )
    stems = sorted(known)
    return Lexicon(
        np.array(sorted(exact), np.uint64),
        np.array(stems, np.uint64),
        np.array([known[each][0] for each in stems], np.int8),
        np.array([known[each][1] for each in stems], np.uint64),
        parts,
        np.array(sorted({*opposed, *(head for _, head in known.values())}), np.uint64),
        np.array(opposed, np.uint64),
        lines,
        np.array(decisive, np.uint64),
        np.array(measures, np.uint64),
        np.array(sizes, np.uint64),
        *(np.uint64(known.get(stem_of(word), (0, stem_of(word)))[1]) for word in _OWN),
    )
