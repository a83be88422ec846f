"""Decide whether two problems differ in their wording alone.

A problem is reduced to what it says: its numbers, operators, macros, brackets, single letters and
content words, in their order. Two problems differ in wording alone if these are equal one by one,
up to plural endings, typos and variables that are renamed throughout. An added clause, moved
brackets, swapped numbers and swapped names therefore keep two problems apart.
"""

from typing import Any, NamedTuple

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.hashing import PRIME, SEED, hash_bytes, mix, signed
from mathledger.text.names import names_letter, renamed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    ARTICLE,
    BEGINS_SENTENCE,
    FLAGS,
    FROM,
    GROUP,
    HASH,
    KIND,
    POINTS,
    TO,
    WORD,
)

# These words may be added, dropped and exchanged. Words that turn a meaning are not among them:
# to and by (it rises to 20, by 20), or, each, must, he and she.
FREE = (
    "a an the this that these those its one of in on at for with within as and but then so also "
    "thus hence there here is are was were be been being has have had having do does did can could "
    "will would shall let given suppose assume such what which how their our your my find compute "
    "determine calculate evaluate solve please value values dollar dollars"
)
# A sentence of these and free words alone may be added or dropped: "Justify your answer."
INSTRUCTIONS = "diagram figure picture question problem answer justify explain show reasoning work"
# The first word means the words with the second stem.
_SYNONYMS = {"many": "number", "show": "prov", "every": "each"}
_MIN_SLIP = 6  # In a shorter word, one letter more or less often makes another word: plan, plane.
_MIN_SWAP = 4  # In a shorter word, two letters swapped often make another word: no, on.

_E, _I, _O, _R, _S, _T, _U, _Y = (np.uint8(ord(letter)) for letter in "eiorstuy")
_OPEN = signed(b"(", b"[", b"{")
_ARTICLES = signed(b"a", b"A")
_WHAT, _OF = (int(each) for each in signed(b"what", b"of"))
_IS, _SHARES = signed(*b"is are was were".split()), signed(*b"% percentage fraction".split())
_NUMBERS = signed(*b"number value amount quantity".split())
_IF = int(signed(b"if")[0])
_FREE, _INSTRUCTIONS = (
    np.sort(np.array([hash_bytes(word.encode()) for word in words.split()], np.uint64))
    for words in (FREE, INSTRUCTIONS)
)
_SYNONYM = signed(*(word.encode() for word in _SYNONYMS))
_MEANT = signed(*(word.encode() for word in _SYNONYMS.values()))


class Content(NamedTuple):
    """What the tokens of a text say, in their order."""

    values: Any  # A hash for each; equal ones mean the same.
    begins: Any  # Where a word's spelling begins and ends; both are 0 for other tokens.
    ends: Any
    open: Any  # Where the brackets stand that are still open; working memory.
    renamed: Any  # The hash of each token up to the names of variables; working memory.


def content_memory(max_tokens: int) -> Content:
    """Allocate the content of texts of up to max_tokens tokens."""
    values, begins, ends, opened = (np.empty(max_tokens, np.int64) for _ in range(4))
    return Content(values, begins, ends, opened, np.empty(max_tokens, np.uint64))


@borrowing
def _is_in(value: Any, table: Any) -> bool:
    place = np.searchsorted(table, np.uint64(value))
    return bool(place < len(table) and table[place] == np.uint64(value))


@borrowing
def is_unknown(tokens: Any, at: int, count: int) -> bool:
    """Return True for the word that stands for a number, as in "12 is what percent of 250".

    Another example is "20% of what number is 50"; "what is 12% of 250" asks for another number.
    """
    if tokens[at, HASH] != _WHAT or at == 0 or at + 1 == count:
        return False
    before, after = tokens[at - 1, HASH], tokens[at + 1, HASH]
    if before == _OF:
        return is_in(after, _NUMBERS)
    return is_in(before, _IS) and is_in(after, _SHARES)


@borrowing
def is_free(tokens: Any, at: int, count: int) -> bool:
    """Return True if the token may be added or dropped: a free word, an article or a label.

    "a" is an article before a noun and a letter elsewhere. A first letter is a label, as in "Q:".
    "If" is free where it begins a sentence, because "P if Q" is not "if P then Q".
    """
    if tokens[at, KIND] != WORD:
        return False
    if tokens[at, HASH] == _IF:
        return bool(tokens[at, FLAGS] & BEGINS_SENTENCE)
    if tokens[at, TO] - tokens[at, FROM] > 1:
        return _is_in(tokens[at, HASH], _FREE) and not is_unknown(tokens, at, count)
    if tokens[at, HASH] in (_ARTICLES[0], _ARTICLES[1]):
        is_word = at + 1 < count and tokens[at + 1, KIND] == WORD
        is_word = is_word and tokens[at + 1, TO] - tokens[at + 1, FROM] > 1
        return bool(is_word and not names_letter(tokens, at, count))
    return at == 0


@borrowing
def _sentence_end(tokens: Any, at: int, count: int) -> tuple[int, bool]:
    """Return where the sentence from `at` on ends, and whether it only instructs the reader."""
    only_instructs = True
    while True:
        known = tokens[at, KIND] == WORD and _is_in(tokens[at, HASH], _INSTRUCTIONS)
        only_instructs = only_instructs and (known or is_free(tokens, at, count))
        at += 1
        if at >= count or tokens[at, FLAGS] & BEGINS_SENTENCE:
            return at, only_instructs


@borrowing
def read_content(tokens: Any, count: int, spell: Any, content: Any) -> int:
    """Write the content of the tokens; return its length.

    A bracket without its partner is taken for a typo and left out. The partner may look different,
    as in the interval [0, 1).
    """
    values, begins, ends, opened, hashes = content
    size, end, only_instructs, num_open = 0, 0, False, 0
    renamed(tokens, count, spell, hashes)
    for at in range(count):
        if at == end:
            end, only_instructs = _sentence_end(tokens, at, count)
        if only_instructs or is_free(tokens, at, count):
            continue
        if tokens[at, KIND] == GROUP:
            if tokens[at, HASH] in (_OPEN[0], _OPEN[1], _OPEN[2]):
                opened[num_open] = size
                num_open += 1
            elif num_open > 0:
                num_open -= 1
            else:
                continue
        values[size], begins[size], ends[size] = np.int64(hashes[at]), 0, 0
        if tokens[at, KIND] == WORD and values[size] == tokens[at, HASH]:
            begins[size], ends[size] = tokens[at, FROM], tokens[at, TO]
            values[size] = _meaning(tokens[at, HASH], spell, tokens[at, FROM], tokens[at, TO])
        size += 1
    return _without(content, size, num_open)


@borrowing
def _without(content: Any, size: int, num_open: int) -> int:
    """Remove the brackets that are still open; return the new length."""
    if num_open == 0:
        return size
    values, begins, ends, opened, _ = content
    kept, number = 0, 0
    for at in range(size):
        if number < num_open and opened[number] == at:
            number += 1
            continue
        values[kept], begins[kept], ends[kept] = values[at], begins[at], ends[at]
        kept += 1
    return kept


@borrowing
def _meaning(value: Any, spell: Any, begin: int, end: int) -> Any:
    """Return a hash of a word that its plural, its synonym and its British spelling share."""
    for number in range(len(_SYNONYM)):
        if value == _SYNONYM[number]:
            return _MEANT[number]
    end = _stem_end(spell, begin, end)
    left_out = -1
    if end - begin > 4 and spell[end - 1] == _R:
        before, middle = spell[end - 3], spell[end - 2]
        if (before == _T and middle == _E) or (before == _O and middle == _U):
            left_out = end - 2  # meter, metre; color, colour
    hashed = SEED
    for at in range(begin, end):
        if at != left_out:
            hashed = (hashed ^ spell[at]) * PRIME
    return np.int64(mix(hashed))


@borrowing
def _stem_end(spell: Any, begin: int, end: int) -> int:
    """Return where a word ends without its plural ending: case, cases; box, boxes; city, cities."""
    if end - begin > 3 and spell[end - 1] == _S and spell[end - 2] != _S:
        end -= 1
    if end - begin > 2 and spell[end - 1] == _E:
        end -= 1
    if end - begin > 2 and spell[end - 1] in (_I, _Y):
        end -= 1
    return end


@borrowing
def have_equal_names(tokens: Any, count: int, others: Any, other_count: int) -> bool:
    """Return True if the single letters and the runs of capitals are the same in both texts."""
    at = other = 0
    while True:
        while at < count and not is_named(tokens[at]):
            at += 1
        while other < other_count and not is_named(others[other]):
            other += 1
        if at == count or other == other_count:
            return at == count and other == other_count
        if tokens[at, HASH] != others[other, HASH]:
            return False
        at, other = at + 1, other + 1


@borrowing
def is_named(token: Any) -> bool:
    """Return True for a single letter that is no article, and for points such as ABC."""
    if token[KIND] != WORD or token[FLAGS] & ARTICLE:
        return False
    return bool(token[TO] - token[FROM] == 1 or token[FLAGS] & POINTS)


@borrowing
def says_the_same(one: Any, other: Any, size: int, spell: Any, other_spell: Any) -> bool:
    """Return True if two contents of this size are equal up to typos.

    A misspelled word occurs once; a word that either text has elsewhere names another thing.
    """
    for at in range(size):
        if one.values[at] == other.values[at]:
            continue
        if one.ends[at] == 0 or other.ends[at] == 0:
            return False
        for place in range(size):
            if one.values[place] == other.values[at] or other.values[place] == one.values[at]:
                return False
        begin, end = one.begins[at], one.ends[at]
        other_begin, other_end = other.begins[at], other.ends[at]
        if not _is_typo(spell, begin, end, other_spell, other_begin, other_end):
            return False
    return True


@borrowing
def _is_typo(
    spell: Any, begin: int, end: int, other_spell: Any, other_begin: int, other_end: int
) -> bool:
    """Return True if one word has a letter more than the other, or two letters swapped.

    The first letters must be equal, because a letter before a word often negates it: (a)typical.
    """
    size, other_size = end - begin, other_end - other_begin
    if abs(size - other_size) > 1 or max(size, other_size) < _MIN_SWAP:
        return False
    shared = 0
    while shared < min(size, other_size) and (
        spell[begin + shared] == other_spell[other_begin + shared]
    ):
        shared += 1
    if shared == 0:
        return False
    at, other_at = shared + 1, shared + 1  # After the first difference, all must be equal.
    if size == other_size:
        if (
            shared + 2 > size
            or spell[begin + shared] != other_spell[other_begin + shared + 1]
            or spell[begin + shared + 1] != other_spell[other_begin + shared]
        ):
            return False
        at, other_at = shared + 2, shared + 2
    elif max(size, other_size) < _MIN_SLIP:
        return False
    elif size > other_size:
        other_at = shared
    else:
        at = shared
    while at < size:
        if spell[begin + at] != other_spell[other_begin + other_at]:
            return False
        at += 1
        other_at += 1
    return True
