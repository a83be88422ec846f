"""Find what training solutions take from benchmark items.

- solution   The text has the item's own solution: MIN_COPIED of its token n-grams, weighted by
             their rarity in training solutions, and almost all of its numbers. A short solution
             must be nearly the whole text.
- contained  The text restates the whole problem in a sentence of its own, or in up to MAX_RUN of
             them, in the same words up to wording.py's differences. overlap.py finds longer
             problems in running text.

Standard identities, long arithmetic and the template of another problem's solution share many
n-grams too. On 32,121 published training solutions and 1,849 items, no such pair reached 0.6 with
all numbers, and no copy was below 0.75.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import allocating, borrowing, kernel
from mathledger.core.strings import text_bytes
from mathledger.filters import overlap_index
from mathledger.filters.items import Item
from mathledger.filters.overlap_candidates import by_ngrams, clear, workspace
from mathledger.filters.overlap_features import ngrams, num_missing, place_in
from mathledger.filters.overlap_index import Hashes, Lists, Postings, may_hold
from mathledger.filters.wording import content_memory, is_free, read_content
from mathledger.text import lexer, state
from mathledger.text.hashing import mix, signed
from mathledger.text.tokens import BEGINS_SENTENCE, FLAGS, HASH, KIND, NUMBER

MIN_COPIED = 0.7
MAX_MISSING_NUMBERS = 0.05  # Share of an item's numbers that a copy of its solution may lack.
MIN_TOKENS = 12  # Shorter solutions occur by chance.
# Solutions with fewer tokens are steps of many other solutions.
LONG_TOKENS = 30
MIN_SHORT_COPIED, MAX_SHORT_GROWTH = 0.9, 1.25
MAX_RUN = 3  # Sentences in which a problem is restated.
MIN_CONTENT = 3  # "Find x" occurs by chance.
# A restated problem asks, so the last of its sentences has one of these words.
ASKS = "find compute what how determine calculate evaluate solve simplify express factor prove show"

_ASKS = signed(*(word.encode() for word in ASKS.split()))
_ASKS_MASK = 1023
_MAY_ASK = np.zeros(_ASKS_MASK + 1, np.bool_)  # By the low bits of a word's hash.
_MAY_ASK[_ASKS & _ASKS_MASK] = True
_END_MASK = 4095

# What `may_take` says about a text.
MAY_HOLD, MAY_COPY, RESTATES = 1, 2, 4

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


class Index(NamedTuple):
    """The items' solutions and restated problems; items are numbered in the order given."""

    size: int  # Tokens in an n-gram.
    decisive: Hashes  # A text with a whole problem or solution has one of these n-grams.
    of_problems: U64  # Those of problems, sorted.
    of_solutions: U64  # Those of solutions, sorted.
    with_gram: Postings
    grams: Hashes
    gram_weight: F64
    gram_total: F64
    numbers: Lists
    lengths: I64  # Tokens of each item's solution, 0 if it has none that can be searched for.
    restated: Postings  # Items by the hash of their problems' contents.
    may_end: npt.NDArray[np.bool_]  # By the low bits of the hash of a sentence's last token.


class Copies(NamedTuple):
    """Pairs of a text and an item, sorted by text and item."""

    rows: I64
    items: I64
    is_copy: npt.NDArray[np.bool_]  # The text has the item's solution; else it restates the item.
    containment: F64  # Weighted share of the solution's n-grams, 1 for a restated problem.
    text_in_item: F64  # Share of the text's n-grams that the solution has.


def build(items: list[Item], sample: pa.Array, problems: overlap_index.Index) -> Index:
    """Build the index; an n-gram's rarity is counted in a sample of training solutions.

    Args:
        problems: The index of the items' problems.
    """
    size = int(problems.sizes[-1])
    texts = pa.array([item.solution or "" for item in items], pa.string())
    data, offsets = text_bytes(texts)
    memory = state.scratch(state.longest(offsets))
    (grams, gram_first), (numbers, number_first), lengths = _features(
        data, offsets, lexer.tables(), memory, size
    )
    lengths[lengths < max(MIN_TOKENS, size)] = 0
    owners = np.repeat(np.arange(len(items)), np.diff(gram_first))
    used = lengths[owners] > 0
    with_gram = overlap_index.postings_of(owners[used], grams[: gram_first[-1]][used])

    data, offsets = text_bytes(sample)
    memory = state.scratch(state.longest(offsets))
    holders = _holders(data, offsets, lexer.tables(), memory, size, with_gram.values)
    weight = np.log((len(sample) + 2) / (holders + 1))
    _, rarest = overlap_index.rarest_of(with_gram, weight, 1 - MIN_COPIED)
    restated, may_end = _restated([item.problem for item in items])
    of_solutions, of_problems = np.unique(rarest), problems.decisive_grams.values
    return Index(
        size=size,
        decisive=overlap_index.hash_set(np.union1d(of_solutions, of_problems)),
        of_problems=of_problems,
        of_solutions=of_solutions,
        with_gram=with_gram,
        grams=overlap_index.hash_set(with_gram.values),
        gram_weight=weight,
        gram_total=overlap_index.totals_of(with_gram, weight, len(items)),
        numbers=Lists(numbers, number_first),
        lengths=lengths,
        restated=restated,
        may_end=may_end,
    )


def _restated(problems: list[str]) -> tuple[Postings, npt.NDArray[np.bool_]]:
    """Return the items by the hash of their contents, and which tokens may end their sentences."""
    data, offsets = text_bytes(pa.array(problems, pa.string()))
    memory = state.scratch(state.longest(offsets))
    content = content_memory(len(memory.tokens))
    hashes, ends = _contents(data, offsets, lexer.tables(), memory, content)
    owners, may_end = np.flatnonzero(hashes), np.zeros(_END_MASK + 1, np.bool_)
    may_end[ends[owners] & _END_MASK] = True
    return overlap_index.postings_of(owners, hashes[owners]), may_end


@kernel
def _features(data: Any, offsets: Any, tables: Any, scratch: Any, size: int) -> Any:
    """Return the n-grams and the sorted numbers of every text, with offsets, and its length."""
    num_texts = len(offsets) - 1
    values = [np.empty(len(data) + 1, np.uint64) for _ in range(2)]
    first = [np.zeros(num_texts + 1, np.int64) for _ in range(2)]
    lengths, work = np.zeros(num_texts, np.int64), np.empty(len(scratch.tokens), np.uint64)
    for row in range(num_texts):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        lengths[row] = count
        for kind in range(2):
            if kind == 0:
                used = ngrams(scratch.tokens, count, size, work)
            else:
                used = _numbers(scratch.tokens, count, work)
            start = first[kind][row]
            while start + used > len(values[kind]):
                values[kind] = np.concatenate((values[kind], np.empty_like(values[kind])))
            values[kind][start : start + used] = work[:used]
            first[kind][row + 1] = start + used
    return (values[0], first[0]), (values[1], first[1]), lengths


@allocating
def _numbers(tok: Any, count: int, out: Any) -> int:
    """Write the sorted hashes of the numbers, with repeats, into out; return their number."""
    size = 0
    for at in range(count):
        if tok[at, KIND] == NUMBER:
            out[size] = np.uint64(tok[at, HASH])
            size += 1
    out[:size].sort()
    return size


@kernel
def _holders(data: Any, offsets: Any, tables: Any, scratch: Any, size: int, grams: Any) -> Any:
    """Count the texts that have each n-gram."""
    holders, last = np.zeros(len(grams), np.int64), np.full(len(grams), -1, np.int64)
    work = np.empty(len(scratch.tokens), np.uint64)
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        for at in range(ngrams(scratch.tokens, count, size, work)):
            gram = place_in(grams, work[at])
            if gram >= 0 and last[gram] != row:
                last[gram] = row
                holders[gram] += 1
    return holders


@borrowing
def _hash(content: Any, size: int) -> Any:
    value = np.uint64(size)
    for at in range(size):
        value = mix(value * np.uint64(0x9E3779B97F4A7C15) + np.uint64(content.values[at]))
    return value


@kernel
def _contents(data: Any, offsets: Any, tables: Any, scratch: Any, content: Any) -> Any:
    """Hash the content of every text, and its last token that is not free.

    The first hash is 0 if a text says too little or has too many sentences.
    """
    hashes, ends = np.zeros(len(offsets) - 1, np.uint64), np.zeros(len(offsets) - 1, np.int64)
    for row in range(len(hashes)):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        sentences, tokens = 0, scratch.tokens
        for at in range(count):
            sentences += at == 0 or tokens[at, FLAGS] & BEGINS_SENTENCE != 0
        size = read_content(tokens, count, scratch.spellings, content)
        if size >= MIN_CONTENT and sentences <= MAX_RUN:
            hashes[row] = _hash(content, size)
            last = count - 1
            while is_free(tokens, last, count):
                last -= 1
            ends[row] = tokens[last, HASH]
    return hashes, ends


@borrowing
def _asks(tok: Any, at: int) -> bool:
    """Return True if the token is one of ASKS; the table excludes most other words at once."""
    value = tok[at, HASH]
    if not _MAY_ASK[value & _ASKS_MASK]:
        return False
    for known in _ASKS:  # noqa: SIM110  (numba compiles no generator)
        if known == value:
            return True
    return False


@borrowing
def _restatement(
    tok: Any, count: int, spell: Any, content: Any, index: Any, start: int
) -> tuple[int, int]:
    """Find the first restated problem whose last sentence ends after `start`.

    Returns:
        Its place in the table, or -1, and where its last sentence ends.
    """
    table, may_end, asks = index.restated.values, index.may_end, False
    for at in range(start, count):
        asks = asks or _asks(tok, at)
        if asks and (at + 1 == count or tok[at + 1, FLAGS] & BEGINS_SENTENCE):
            asks, begin, num_sentences = False, at, 0
            last = at
            while last > start and is_free(tok, last, count):
                last -= 1
            if not may_end[tok[last, HASH] & _END_MASK]:
                continue
            while num_sentences < MAX_RUN and begin >= 0:
                if begin == 0 or tok[begin, FLAGS] & BEGINS_SENTENCE:
                    num_sentences += 1
                    size = read_content(tok[begin : at + 1], at + 1 - begin, spell, content)
                    if size >= MIN_CONTENT:
                        place = place_in(table, _hash(content, size))
                        if place >= 0:
                            return place, at + 1
                begin -= 1
    return -1, count


@kernel
def _may_take(
    data: Any, offsets: Any, tables: Any, scratch: Any, index: Any, content: Any, problems: Any,
    work: Any,
) -> Any:  # fmt: skip
    found = np.zeros(len(offsets) - 1, np.uint8)
    values, bitmap = index.decisive
    of_problems, of_solutions, size = index.of_problems, index.of_solutions, index.size
    tok, hashes = scratch.tokens, work.ngrams
    for row in range(len(found)):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        may_hold_a_problem = False
        for at in range(ngrams(tok, count, size, hashes)):
            if may_hold(bitmap, hashes[at]) and place_in(values, hashes[at]) >= 0:
                may_hold_a_problem |= place_in(of_problems, hashes[at]) >= 0
                if place_in(of_solutions, hashes[at]) >= 0:
                    found[row] |= MAY_COPY
        if may_hold_a_problem:
            num_touched, num_candidates = by_ngrams(tok, count, row, problems, work)
            if num_candidates:
                found[row] |= MAY_HOLD
                for item in work.candidates[:num_candidates]:
                    work.is_candidate[item] = False
            clear(num_touched, 0, work)
        if _restatement(tok, count, scratch.spellings, content, index, 0)[0] >= 0:
            found[row] |= RESTATES
    return found


def may_take(texts: pa.Array, index: Index, problems: overlap_index.Index) -> U8:
    """Return for each text which of MAY_HOLD, MAY_COPY and RESTATES may be true, or are."""
    data, offsets = text_bytes(texts)
    memory = state.scratch(state.longest(offsets))
    room = len(memory.tokens)
    content, work = content_memory(room), workspace(problems, room)
    problems = problems._replace(sizes=problems.sizes[-1:])  # Short items are restated or nothing.
    found: U8 = _may_take(data, offsets, lexer.tables(), memory, index, content, problems, work)
    return found


@kernel
def _match(
    data: Any, offsets: Any, tables: Any, scratch: Any, index: Any, content: Any, work: Any
) -> Any:
    """Return arrays (pairs, 3) of row, item and is_copy, and (pairs, 2) of the measures."""
    values, bitmap = index.grams
    first, items = index.with_gram.first, index.with_gram.items
    number_values, number_first = index.numbers
    weight, total, lengths = index.gram_weight, index.gram_total, index.lengths
    hashes, own_numbers = work
    last, num_shared = np.full(len(values), -1, np.int64), np.zeros(len(total), np.int64)
    shared, tok = np.zeros(len(total)), scratch.tokens
    pairs, measures = [], []
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        shared[:], num_shared[:] = 0.0, 0
        num_grams = ngrams(tok, count, index.size, hashes)
        for at in range(num_grams):
            if not may_hold(bitmap, hashes[at]):
                continue
            gram = place_in(values, hashes[at])
            if gram >= 0:
                for posting in range(first[gram], first[gram + 1]):
                    num_shared[items[posting]] += 1
                    if last[gram] != row:
                        shared[items[posting]] += weight[gram]
                last[gram] = row
        num_numbers = _numbers(tok, count, own_numbers)
        for item in np.flatnonzero(shared >= MIN_COPIED * total):
            if not lengths[item]:
                continue
            needed = number_values[number_first[item] : number_first[item + 1]]
            missing = num_missing(needed, own_numbers[:num_numbers])
            is_copy = missing <= MAX_MISSING_NUMBERS * len(needed)
            if lengths[item] < LONG_TOKENS:
                is_copy = (
                    missing == 0
                    and shared[item] >= MIN_SHORT_COPIED * total[item]
                    and count <= MAX_SHORT_GROWTH * lengths[item]
                )
            if is_copy:
                pairs.append((row, item, np.int64(1)))
                measures.append(
                    (min(1.0, shared[item] / total[item]), num_shared[item] / num_grams)
                )
        end = 0
        while end < count:
            place, end = _restatement(tok, count, scratch.spellings, content, index, end)
            if place >= 0:
                start, stop = index.restated.first[place], index.restated.first[place + 1]
                for item in index.restated.items[start:stop]:
                    pairs.append((row, np.int64(item), np.int64(0)))
                    measures.append((1.0, 0.0))
    return pairs, measures


def match(texts: pa.Array, index: Index) -> Copies:
    """Return every pair of a training solution and an item from which it takes something."""
    data, offsets = text_bytes(texts)
    memory = state.scratch(state.longest(offsets))
    room = len(memory.tokens)
    work = np.empty(room, np.uint64), np.empty(room, np.uint64)
    content = content_memory(room)
    pairs, measures = _match(data, offsets, lexer.tables(), memory, index, content, work)
    found = dict(zip(map(tuple, pairs), measures, strict=True))
    rows, items, is_copy = np.array(sorted(found), np.int64).reshape(-1, 3).T
    containment, text_in_item = np.array([found[key] for key in sorted(found)]).reshape(-1, 2).T
    return Copies(rows, items, is_copy.astype(np.bool_), containment, text_in_item)
