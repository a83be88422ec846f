"""What a training text shares with the benchmarks' items: a compiled index, and the classes.

A text is compared with every item that it shares anything telling with, by two measures:

- containment: of the item's token n-grams, weighted by how rare they are in training, the share
  that stands in the text. n is ngram_size, or the length of a shorter item.
- stem overlap: the same of word stems, in any order, both ways: the share of the item's stems in
  the text, and of the text's in the item.

The class is the first that fits:

- same       equal canonical tokens
- contained  containment >= contained, no number or operator of the item is missing, and next to
             none of its words
- rephrase   the numbers and operators are the item's (one more number is allowed), there are two
             numbers at least, and mean stem overlap + 0.05 x how telling the numbers are (at most
             12 nats) >= rephrase
- variant    containment or stem overlap >= variant, with other numbers, operators or words

Few pairs are compared: those that can reach a class at all. A contained item lacks at most
1 - contained of its weight, so that some of its rarest n-grams, which together weigh more, stand
in the text (the prefix filter of Chaudhuri et al., ICDE 2006); stems and the threshold of variants
likewise. And a rephrased item has its rarest number in the text.

docs/filtering.md says what the thresholds give on labelled pairs.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.kernels import kernel
from mathledger.core.strings import text_bytes
from mathledger.text import lexer
from mathledger.text.hashing import hash_span, mix
from mathledger.text.tokens import (
    BEGIN,
    END,
    FROM,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    OPERATOR,
    TO,
    WORD,
)

CLASSES = ("same", "contained", "rephrase", "variant")
SAME, CONTAINED, REPHRASE, VARIANT = range(4)

MIN_WORDS = 0.9  # of an item's stems, weighted: for the class contained
MIN_STEMS, MIN_NUMBERS, MAX_EXTRA_NUMBERS = 0.2, 2, 1  # for the class rephrase; stems either way
# Without many n-grams in common, stems which less than a tenth of the training problems have must
# weigh MIN_RARE of either text.
RARE, MIN_RARE = math.log(10), 0.1
NUMBER_WEIGHT, MAX_NUMBER_INFORMATION = 0.05, 12.0
MIN_TOKENS_IN_SOLUTION = 10  # a shorter item is part of many a solution
_BITS = 1 << 22  # of the bitmap that says no quickly: 512 KiB
_COUNTERS = 1 << 20  # of stems and numbers in the training sample


@checked_dataclass(frozen=True, config=STRICT)
class Thresholds:
    """Where the classes begin: shares from 0 to 1, of n-grams of this size and of stems."""

    ngram_size: int = Field(
        description="Canonical tokens in an n-gram; a shorter item uses its whole length."
    )
    contained: float = Field(
        description=(
            "Share of an item's n-grams, weighted by rarity, that a training text must hold."
        ),
    )
    rephrase: float = Field(
        description=(
            "Mean overlap of word stems, plus the evidence of shared numbers, from which a row is"
            " a rephrase."
        ),
    )
    variant: float = Field(
        description="Overlap of n-grams or of stems from which a row is reported as a variant."
    )


@dataclass(frozen=True)
class Index:
    """All items as flat arrays, for the kernels. Items are numbered in the order given."""

    num_items: int
    arrays: tuple[Any, ...]


@dataclass(frozen=True)
class Matches:
    """Pairs of a text and an item that share something, one entry each, sorted by text, item."""

    rows: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    classes: npt.NDArray[np.int8]
    containment: npt.NDArray[np.float32]
    item_in_text: npt.NDArray[np.float32]  # stem overlap
    text_in_item: npt.NDArray[np.float32]


@kernel
def _stem(spell: Any, start: int, end: int) -> Any:
    """Hash of a word without its inflection: games, game -> gam; tries, try -> tr; adding -> add.

    Rougher than Porter's (1980), whose later steps merge words of different meaning.
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


@kernel
def _windows(tok: Any, count: int, size: int, out: Any) -> int:
    """Hashes of the runs of `size` tokens, into out; returns how many. Each is rolled from the
    last (Karp and Rabin, 1987) and mixed."""
    num_windows = max(0, count - size + 1) if size > 0 else 0
    factor = np.uint64(0x9E3779B97F4A7C15)
    value, highest = np.uint64(0), np.uint64(1)
    for at in range(min(size, count)):
        value = value * factor + np.uint64(tok[at, HASH])
        highest *= factor
    for start in range(num_windows):
        out[start] = mix(value + np.uint64(size))
        if start + 1 < num_windows:
            arrives, leaves = tok[start + size, HASH], tok[start, HASH]
            value = value * factor + np.uint64(arrives) - highest * np.uint64(leaves)
    return num_windows


@kernel
def _distinct_stems(tok: Any, count: int, spell: Any, out: Any) -> int:
    """Sorted distinct stems of the words, into out; returns how many."""
    size = 0
    for at in range(count):
        if tok[at, KIND] == WORD:
            out[size] = _stem(spell, tok[at, FROM], tok[at, TO])
            size += 1
    out[:size].sort()
    kept = 0
    for at in range(size):
        if kept == 0 or out[at] != out[kept - 1]:
            out[kept] = out[at]
            kept += 1
    return kept


@kernel
def _sorted_kind(tok: Any, count: int, operators: bool, out: Any) -> int:
    """Sorted hashes of the numbers, or of the operators and macros; repeats stay."""
    size = 0
    for at in range(count):
        kind = tok[at, KIND]
        wanted = kind in (OPERATOR, MACRO) if operators else kind == NUMBER
        if wanted:
            out[size] = np.uint64(tok[at, HASH])
            size += 1
    out[:size].sort()
    return size


@kernel
def _missing(left: Any, num_left: int, right: Any, num_right: int) -> int:
    """How many of the left sorted multiset are not in the right one."""
    missing, at = 0, 0
    for index in range(num_left):
        while at < num_right and right[at] < left[index]:
            at += 1
        if at < num_right and right[at] == left[index]:
            at += 1
        else:
            missing += 1
    return missing


@kernel
def _common(item_stems: Any, first: int, last: int, weight_of: Any) -> tuple[float, float]:
    """The weight of an item's stems that the text has, and of the rare ones among them."""
    common, rare = 0.0, 0.0
    for at in range(first, last):
        weight = weight_of[item_stems[at]]
        common += weight
        rare += weight if weight >= RARE else 0.0
    return common, rare


@kernel
def _lookup(table: Any, value: Any) -> int:
    at = np.searchsorted(table, value)
    return int(at) if at < len(table) and table[at] == value else -1


@kernel
def _count(data: Any, offsets: Any, tables: Any, scratch: Any, sizes: Any, grams: Any) -> Any:
    """Texts that hold each of the grams; texts by stem or number, in hashed counters."""
    holders, stamp = np.zeros(len(grams), np.int64), np.full(len(grams), -1, np.int64)
    counters = np.zeros(_COUNTERS, np.int64)
    words = np.empty(len(scratch[0]), np.uint64)
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        tok, spell = scratch[0], scratch[1]
        for size in sizes:
            for at in range(_windows(tok, count, size, words)):
                gram = _lookup(grams, words[at])
                if gram >= 0 and stamp[gram] != row:
                    stamp[gram] = row
                    holders[gram] += 1
        for at in range(_distinct_stems(tok, count, spell, words)):
            counters[np.int64(words[at] & np.uint64(_COUNTERS - 1))] += 1
        num_numbers = _sorted_kind(tok, count, False, words)
        for at in range(num_numbers):
            if at == 0 or words[at] != words[at - 1]:
                counters[np.int64(words[at] & np.uint64(_COUNTERS - 1))] += 1
    return holders, counters


@kernel
def _features(data: Any, offsets: Any, tables: Any, scratch: Any, ngram_size: int) -> Any:
    """Tokens, windows, stems, numbers, operators of every item; flat, with offsets."""
    num_items = len(offsets) - 1
    firsts = np.zeros((5, num_items + 1), np.int64)
    lists = [np.empty(len(data) + num_items, np.uint64) for _ in range(5)]
    work = np.empty(len(scratch[0]), np.uint64)
    for item in range(num_items):
        count, _ = lexer.lex(data, offsets[item], offsets[item + 1], tables, scratch)
        tok, spell = scratch[0], scratch[1]
        at = firsts[0, item]
        for index in range(count):
            lists[0][at + index] = np.uint64(tok[index, HASH])
        firsts[0, item + 1] = at + count
        size, at = min(ngram_size, count), firsts[1, item]
        firsts[1, item + 1] = at + _windows(tok, count, size, lists[1][at:])
        for column in range(2, 5):
            at = firsts[column, item]
            if column == 2:
                found = _distinct_stems(tok, count, spell, work)
            else:
                found = _sorted_kind(tok, count, column == 4, work)
            lists[column][at : at + found] = work[:found]
            firsts[column, item + 1] = at + found
    return firsts, lists


def _postings(owners: Any, values: Any) -> tuple[Any, Any, Any]:
    """Sorted distinct values; offsets into, and, the numbers of the items that hold each."""
    order = np.lexsort((owners, values))
    held, owners = values[order], owners[order].astype(np.int32)
    fresh = np.append(True, (held[1:] != held[:-1]) | (owners[1:] != owners[:-1]))[: len(held)]
    held, owners = held[fresh], owners[fresh]
    table, first = np.unique(held, return_index=True)
    return table, np.append(first, len(held)).astype(np.int64), owners


def _rarest(values: Any, first: Any, items: Any, weight: Any, share: float) -> tuple[Any, Any]:
    """Items, and of each its rarest values that together weigh more than a share of them all."""
    values, weight = (np.repeat(each, np.diff(first)) for each in (values, weight))
    order = np.lexsort((values, -weight, items))
    values, weight, items = values[order], weight[order], items[order]
    begins = np.flatnonzero(np.diff(items, prepend=-1))
    sizes = np.diff(begins, append=len(items))
    before = np.cumsum(weight) - weight
    before -= np.repeat(before[begins], sizes)
    needed = before <= share * np.repeat(np.add.reduceat(weight, begins), sizes) * (1 + 1e-6)
    return items[needed], values[needed]


def _bitmap(values: Any) -> Any:
    bitmap = np.zeros(_BITS // 64, np.uint64)
    places = values & np.uint64(_BITS - 1)
    np.bitwise_or.at(
        bitmap, (places >> np.uint64(6)).astype(np.int64), np.uint64(1) << (places & np.uint64(63))
    )
    return bitmap


def build(items: pa.Array, sample: pa.Array, thresholds: Thresholds) -> Index:
    """The index of these items; how rare a gram or stem is, is counted in the training sample."""
    data, offsets = text_bytes(items)
    memory = lexer.scratch(lexer.longest(offsets))
    firsts, lists = _features(data, offsets, lexer.tables(), memory, thresholds.ngram_size)
    owners = [np.repeat(np.arange(len(items)), np.diff(firsts[column])) for column in range(5)]
    grams, gram_first, gram_items = _postings(owners[1], lists[1][: firsts[1, -1]])
    stems, stem_first, stem_items = _postings(owners[2], lists[2][: firsts[2, -1]])
    lengths = np.diff(firsts[0])
    sizes = np.unique(np.minimum(thresholds.ngram_size, lengths[lengths > 0]))
    data, offsets = text_bytes(sample)
    memory = lexer.scratch(lexer.longest(offsets))
    holders, counters = _count(data, offsets, lexer.tables(), memory, sizes, grams)
    num_sampled = len(sample)
    gram_weight = np.log((num_sampled + 2) / (holders + 1))
    information = np.log((num_sampled + 2) / (np.minimum(counters, num_sampled) + 1))
    stem_weight = information[(stems & np.uint64(_COUNTERS - 1)).astype(np.int64)]

    def totals(first: Any, held_by: Any, weight: Any) -> Any:
        total = np.zeros(len(items))
        np.add.at(total, held_by, np.repeat(weight, np.diff(first)))
        return np.maximum(total, 1e-9)

    gram_total = totals(gram_first, gram_items, gram_weight)
    numbers = lists[3][: firsts[3, -1]]
    number_weight = information[(numbers & np.uint64(_COUNTERS - 1)).astype(np.int64)]
    number_information = np.zeros(len(items))
    np.add.at(number_information, owners[3], number_weight)
    order = np.lexsort((numbers, -number_weight, owners[3]))
    rarest = order[firsts[3, :-1][np.diff(firsts[3]) >= MIN_NUMBERS]]
    keys, key_first, key_items = _postings(owners[3][rarest], numbers[rarest])
    is_long = lengths >= MIN_TOKENS_IN_SOLUTION
    holders_of_rarest, rarest_grams = _rarest(
        grams, gram_first, gram_items, gram_weight, 1 - thresholds.contained
    )
    telling = np.unique(rarest_grams[is_long[holders_of_rarest]])
    return Index(
        len(items),
        (
            *(sizes.astype(np.int64), _bitmap(grams), grams, gram_first, gram_items, gram_weight),
            *(gram_total, stems, stem_first, stem_items),
            *(totals(stem_first, stem_items, stem_weight), information, number_information),
            *(keys, key_first, key_items, _bitmap(telling), telling),
            *(firsts, lists[0][: firsts[0, -1]]),
            np.searchsorted(stems, lists[2][: firsts[2, -1]]),
            *(numbers, lists[4][: firsts[4, -1]]),
            np.array(
                [thresholds.contained, thresholds.rephrase, thresholds.variant], dtype=np.float64
            ),
        ),
    )


@kernel
def _may_hold(bitmap: Any, value: Any) -> Any:
    place = value & np.uint64(_BITS - 1)
    return (bitmap[np.int64(place >> np.uint64(6))] >> (place & np.uint64(63))) & np.uint64(1)


@kernel
def _holds_any(tok: Any, count: int, sizes: Any, bitmap: Any, values: Any, work: Any) -> bool:
    """Whether any n-gram of the tokens is one of the values."""
    for size in sizes:
        for at in range(_windows(tok, count, size, work)):
            if _may_hold(bitmap, work[at]) and _lookup(values, work[at]) >= 0:
                return True
    return False


@kernel
def _match(data: Any, offsets: Any, tables: Any, scratch: Any, index: Any, solutions: bool) -> Any:
    """(pairs, 3) of row, item, class, and (pairs, 3) of the measures."""
    (sizes, bitmap, grams, gram_first, gram_items, gram_weight, gram_total) = index[:7]
    (stems, stem_first, stem_items, stem_total, information, number_information) = index[7:13]
    (keys, key_first, key_items, telling_bitmap, telling) = index[13:18]
    (firsts, item_tokens, item_stems, item_numbers, item_operators, limits) = index[18:]
    num_items = firsts.shape[1] - 1
    shared, stem_shared = np.zeros(num_items), np.zeros(num_items)
    touched, is_touched = np.empty(num_items, np.int64), np.zeros(num_items, np.bool_)
    likely, is_likely = np.empty(num_items, np.int64), np.zeros(num_items, np.bool_)
    stamp = np.full(len(grams), -1, np.int64)
    room = len(scratch[0])
    words, numbers, operators = (
        np.empty(room, np.uint64),
        np.empty(room, np.uint64),
        np.empty(room, np.uint64),
    )
    weights, stem_of, weight_of = np.empty(room), np.empty(room, np.int64), np.zeros(len(stems))
    least = min(limits[0], limits[2])
    pairs, measures = np.empty((64, 3), np.int32), np.empty((64, 3), np.float32)
    found = 0
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        tok, spell = scratch[0], scratch[1]
        if solutions and not _holds_any(tok, count, sizes, telling_bitmap, telling, words):
            continue
        # --- which items may reach a class ------------------------------------------------------
        num_touched = num_likely = 0
        for size in sizes:
            for at in range(_windows(tok, count, size, words)):
                if not _may_hold(bitmap, words[at]):
                    continue
                gram = _lookup(grams, words[at])
                if gram < 0 or stamp[gram] == row:
                    continue
                stamp[gram] = row
                for posting in range(gram_first[gram], gram_first[gram + 1]):
                    item = gram_items[posting]
                    shared[item] += gram_weight[gram]
                    if not is_touched[item]:
                        is_touched[item] = True
                        touched[num_touched] = item
                        num_touched += 1
        for at in range(num_touched):
            item = touched[at]
            if shared[item] >= least * gram_total[item] * (1 - 1e-9):
                is_likely[item] = True
                likely[num_likely] = item
                num_likely += 1
        num_words = num_numbers = num_operators = 0
        total = 1e-9
        if num_likely or not solutions:
            num_words = _distinct_stems(tok, count, spell, words)
            num_numbers = _sorted_kind(tok, count, False, numbers)
            num_operators = _sorted_kind(tok, count, True, operators)
            for at in range(num_words):
                weights[at] = information[np.int64(words[at] & np.uint64(_COUNTERS - 1))]
                total += weights[at]
                stem_of[at] = _lookup(stems, words[at])
                if stem_of[at] >= 0:
                    weight_of[stem_of[at]] = weights[at]
        if not solutions:
            left = total
            for at in np.argsort(-weights[:num_words]):
                if weights[at] < RARE or left < limits[2] * total * (1 - 1e-9):
                    break
                left -= weights[at]
                stem = stem_of[at]
                if stem < 0:
                    continue
                for posting in range(stem_first[stem], stem_first[stem + 1]):
                    item = stem_items[posting]
                    stem_shared[item] += weights[at]
                    if not is_touched[item]:
                        is_touched[item] = True
                        touched[num_touched] = item
                        num_touched += 1
            for at in range(num_touched):
                item = touched[at]
                most = (stem_shared[item] + left) * (1 + 1e-9)
                if not is_likely[item] and most >= limits[2] * max(total, stem_total[item]):
                    is_likely[item] = True
                    likely[num_likely] = item
                    num_likely += 1
            for at in range(num_numbers):
                key = _lookup(keys, numbers[at])
                if key < 0 or (at > 0 and numbers[at] == numbers[at - 1]):
                    continue
                for posting in range(key_first[key], key_first[key + 1]):
                    item = key_items[posting]
                    own_numbers = item_numbers[firsts[3, item] : firsts[3, item + 1]]
                    size = len(own_numbers)
                    if (
                        not is_likely[item]
                        and size <= num_numbers <= size + MAX_EXTRA_NUMBERS
                        and _missing(own_numbers, size, numbers, num_numbers) == 0
                    ):
                        is_likely[item] = True
                        likely[num_likely] = item
                        num_likely += 1
        likely[:num_likely].sort()
        # --- which class each of them reaches ---------------------------------------------------
        for at in range(num_likely):
            item = likely[at]
            is_likely[item] = False
            first, last = firsts[0, item], firsts[0, item + 1]
            containment = min(1.0, shared[item] / gram_total[item])
            if solutions and (containment < limits[0] or last - first < MIN_TOKENS_IN_SOLUTION):
                continue
            common, rare = _common(item_stems, firsts[2, item], firsts[2, item + 1], weight_of)
            if containment < limits[2] and rare < MIN_RARE * max(total, stem_total[item]):
                continue
            item_in_text = min(1.0, common / stem_total[item])
            text_in_item = min(1.0, common / total)
            equal = last - first == count
            if equal:
                for step in range(count):
                    if np.uint64(tok[step, HASH]) != item_tokens[first + step]:
                        equal = False
                        break
            mean = (item_in_text + text_in_item) / 2
            near = containment >= limits[2] or min(item_in_text, text_in_item) >= limits[2]
            told = min(MAX_NUMBER_INFORMATION, number_information[item])
            size = firsts[3, item + 1] - firsts[3, item]
            reworded = (
                MIN_NUMBERS <= size <= num_numbers <= size + MAX_EXTRA_NUMBERS
                and mean + NUMBER_WEIGHT * told >= limits[1]
                and min(item_in_text, text_in_item) >= MIN_STEMS
            )
            if not (equal or near or reworded):
                continue
            own_numbers = item_numbers[firsts[3, item] : firsts[3, item + 1]]
            own_operators = item_operators[firsts[4, item] : firsts[4, item + 1]]
            lacks = _missing(own_numbers, len(own_numbers), numbers, num_numbers)
            lacks_sign = _missing(own_operators, len(own_operators), operators, num_operators)
            extra_sign = _missing(operators, num_operators, own_operators, len(own_operators))
            kind = -1
            if equal:
                kind = SAME
            elif (
                containment >= limits[0]
                and lacks == 0
                and lacks_sign == 0
                and item_in_text >= MIN_WORDS
            ):
                kind = CONTAINED
            elif solutions:
                kind = -1
            elif reworded and lacks == 0 and lacks_sign + extra_sign == 0:
                kind = REPHRASE
            elif near:
                kind = VARIANT
            if kind < 0:
                continue
            if found == len(pairs):
                more_pairs = np.empty((2 * found, 3), np.int32)
                more_measures = np.empty((2 * found, 3), np.float32)
                more_pairs[:found], more_measures[:found] = pairs, measures
                pairs, measures = more_pairs, more_measures
            pairs[found, 0], pairs[found, 1], pairs[found, 2] = row, item, kind
            measures[found, 0] = containment
            measures[found, 1] = item_in_text
            measures[found, 2] = text_in_item
            found += 1
        for at in range(num_touched):
            item = touched[at]
            shared[item], stem_shared[item], is_touched[item] = 0.0, 0.0, False
        for at in range(num_words):
            if stem_of[at] >= 0:
                weight_of[stem_of[at]] = 0.0
    return pairs[:found], measures[:found]


def match(texts: pa.Array, index: Index, *, solutions: bool = False) -> Matches:
    """Every pair of a text and an item with a class.

    solutions: the texts are solutions, in which only whole contained items count.
    """
    data, offsets = text_bytes(texts)
    memory = lexer.scratch(lexer.longest(offsets))
    pairs, measures = _match(data, offsets, lexer.tables(), memory, index.arrays, solutions)
    return Matches(*(np.ascontiguousarray(pairs[:, at]) for at in range(3)), *measures.T)


@dataclass(frozen=True)
class Token:
    spelling: str
    kind: int
    start: int  # characters in the raw text
    end: int


Tokens = tuple[Token, ...]


@lru_cache(maxsize=4096)  # items, and problems with many solutions, come again and again
def spelled(raw: str) -> Tokens:
    """The canonical tokens of a text with their places, for evidence that a person reads."""
    encoded = raw.encode("utf-8", "replace")
    data = np.frombuffer(encoded, np.uint8)
    memory = lexer.scratch(len(data))
    count, _ = lexer.lex(data, 0, len(data), lexer.tables(), memory)
    ascii_only = len(encoded) == len(raw)

    def place(byte: int) -> int:
        return byte if ascii_only else len(encoded[:byte].decode("utf-8", "ignore"))

    rows = memory[0][:count].tolist()
    pool = memory[1].tobytes()
    return tuple(
        Token(
            pool[row[FROM] : row[TO]].decode("utf-8", "replace"),
            row[KIND],
            place(row[BEGIN]),
            place(row[END]),
        )
        for row in rows
    )


def spans(own: Tokens, other: Tokens, ngram_size: int) -> list[dict[str, int]]:
    """Where own tokens stand in an n-gram that the other text has too: runs of characters.

    Texts without any such n-gram are marked by their shared words and numbers.
    """
    size = max(1, min(ngram_size, len(own), len(other)))

    def grams(tokens: Tokens) -> list[tuple[str, ...]]:
        words = [token.spelling for token in tokens]
        return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]

    theirs = set(grams(other))
    covered = {
        at + step for at, gram in enumerate(grams(own)) if gram in theirs for step in range(size)
    }
    if not covered:
        words = {token.spelling for token in other if token.kind in (WORD, NUMBER)}
        covered = {at for at, token in enumerate(own) if token.spelling in words}
    found: list[dict[str, int]] = []
    for at in sorted(covered):
        if at - 1 in covered and found:
            found[-1]["end"] = max(found[-1]["end"], own[at].end)
        else:
            found.append({"start": own[at].start, "end": own[at].end})
    return found
