"""Replace phrases of words by signs: per cent by %, log base 2 of by log _ 2."""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.text import shapes
from mathledger.text.braces import expect_bracket
from mathledger.text.tokens import BEGIN, END, FLAGS, FUNCTION, HASH, ROOT_HASH, write_pieces


@borrowing
def _matches(tokens: Any, start: int, words: Any, first: int, end: int) -> bool:
    """Return True if the tokens from `start` on are the phrase words[first:end]."""
    for at in range(first, end):
        token = tokens[start + at - first]
        if words[at] == 0:
            if not shapes.ends_operand(token):
                return False
        elif token[HASH] != words[at]:
            return False
    return True


@borrowing
def apply(state: Any, scratch: Any, tables: Any, first: int, last: int) -> None:
    """Replace the last tokens if they are one of the phrases from `first` up to `last`."""
    tokens, idioms = scratch.tokens, tables.idioms
    words, ends = idioms.words, idioms.ends
    for number in range(first, last):
        size = ends[number + 1] - ends[number]
        start = state.num_tokens - size
        if start < 0 or not _matches(tokens, start, words, ends[number], ends[number + 1]):
            continue
        kept = idioms.kept[number]
        begin, end = tokens[start + kept, BEGIN], tokens[state.num_tokens - 1, END]
        state.num_tokens = start + kept
        pool, pool_ends = idioms.pool, idioms.pool_ends
        write_pieces(state, scratch, pool, pool_ends[number], pool_ends[number + 1], (begin, end))
        added = start + kept
        if added < state.num_tokens and tokens[added, HASH] == ROOT_HASH:
            tokens[added, FLAGS] |= FUNCTION
            expect_bracket(state, scratch.text, state.index)
        return
