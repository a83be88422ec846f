"""Give the words of questions and remarks their roles, see asides.py and answer_forms.py."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_features import place_in
from mathledger.text.hashing import hash_bytes
from mathledger.text.tokens import ARTICLE, BEGINS_SENTENCE, FLAGS, FROM, KIND, TO, WORD

# Marks of a token: a remark, and one that may be missing but may not differ.
SAID, NOTED = 1, 2


def table(words: str) -> Any:
    """Return the sorted hashes of words that blanks separate."""
    return np.sort(np.array([hash_bytes(word.encode()) for word in words.split()], np.uint64))


# Words with a role, and its number. "What is left was sold" asks nothing without a question mark.
ORDERS, ASKS, CONDITION = range(1, 4)
# Roles of words that may begin a remark.
TERMS, REMAINDER, UNIT, PART, MEASURE, FLOOR, INTEGER = range(4, 11)
SQUARE, GIVING, CLOSEST, INTERVAL, LET, CONTEST, RESTATES = range(11, 18)
_ROLES = {
    ORDERS: "find compute determine evaluate calculate simplify solve express",
    ASKS: "what how which who whose give prove show",
    CONDITION: "if given assuming supposing",
    TERMS: "terms",
    REMAINDER: "remainder",
    UNIT: "i",
    PART: "numerator denominator",
    MEASURE: "dollars radians degrees inches feet yards miles meters centimeters",
    FLOOR: "\\lfloor \\lceil",
    INTEGER: "integer",
    SQUARE: "square",
    GIVING: "giving expressing leaving writing",
    CLOSEST: "closest nearest",
    INTERVAL: "interval",
    LET: "let",
    CONTEST: "amc",
    RESTATES: "restating restated re",
}
_BY_HASH = sorted(
    (hash_bytes(word.encode()), role) for role, words in _ROLES.items() for word in words.split()
)
_WORDS = np.array([value for value, _ in _BY_HASH], np.uint64)
_ROLE = np.array([role for _, role in _BY_HASH], np.int64)
_MASK = np.uint64(4095)
_MAY_HAVE_ROLE = np.zeros(4096, np.bool_)
_MAY_HAVE_ROLE[(_WORDS & _MASK).astype(np.int64)] = True
NEGATIONS = table("not no except excluding without with only")


@borrowing
def role_of(value: Any) -> int:
    """Return the role of a word, or 0."""
    if not _MAY_HAVE_ROLE[np.int64(value & _MASK)]:
        return 0
    at = place_in(_WORDS, value)
    return _ROLE[at] if at >= 0 else 0


@borrowing
def is_name(tok: Any, at: int) -> bool:
    """Return True for a single letter that is no article."""
    size = tok[at, TO] - tok[at, FROM]
    return bool(tok[at, KIND] == WORD and size == 1 and not tok[at, FLAGS] & ARTICLE)


@borrowing
def sentence_end(tok: Any, at: int, end: int) -> int:
    """Return where the sentence of a token ends."""
    at += 1
    while at < end and not tok[at, FLAGS] & BEGINS_SENTENCE:
        at += 1
    return at
