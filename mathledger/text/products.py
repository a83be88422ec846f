r"""Drop the signs of products that need none: 3 \cdot x, 3*x and 3x have the same tokens."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import shapes
from mathledger.text.chars import (
    BACKSLASH,
    COMMA,
    CURLY_RIGHT,
    EQUAL,
    ROUND_LEFT,
    SMALL_A,
    SPACE,
    is_digit,
    is_letter,
    matches,
    skip_blanks,
)
from mathledger.text.hashing import hash_span, signed
from mathledger.text.tokens import (
    ARTICLE,
    BEGIN,
    BEGINS_SENTENCE,
    CAPITALISED,
    CROSS,
    END,
    FLAGS,
    FROM,
    FUNCTION,
    GROUP,
    HASH,
    JOINED,
    KIND,
    MACRO,
    NUMBER,
    OPERAND,
    ROUND_LEFT_HASH,
    SINGLE_CAPITAL,
    STAR_HASH,
    TO,
    WORD,
    move,
)

_MAX_NAME = 3  # A longer run of letters is a word, not a product of letters.
_MAX_PRODUCT = 6
_SPACING = tuple(b",;:! ")  # After a backslash, these are blanks.
_D = ord("d")
_IN_NUMBER = tuple(b" -.")
_TIMES = np.frombuffer(b"\\times", np.uint8)
_UPRIGHT = np.frombuffer(b"\\mathrm{", np.uint8)
_TIMES_HASH = int(signed(b"\\times")[0])
_VECTOR, _VEC, _ARROW, _BOLD = (
    np.frombuffer(word, np.uint8)
    for word in (b"vector", b"\\vec", b"\\overrightarrow", b"\\mathbf{")
)


@borrowing
def settle(state: Any, scratch: Any) -> None:
    """Decide about the product sign at `state.star` when the token after it was read."""
    tokens, star, right = scratch.tokens, state.star, state.num_tokens - 1
    state.star = -1
    if star < 1 or right <= star or tokens[star, FLAGS] & BEGINS_SENTENCE:
        return
    if tokens[star, HASH] != STAR_HASH:
        return
    for at in range(star + 1, right):
        if tokens[at, HASH] != ROUND_LEFT_HASH:
            return
    before, after = tokens[star - 1], tokens[right]
    if not (shapes.ends_operand(before) or before[KIND] == WORD) or not _begins_factor(after):
        return
    if tokens[star, FLAGS] & CROSS and before[KIND] != NUMBER and _has_vectors(state, scratch.text):
        _keep_cross(state, tokens, star, scratch.spellings)
        return
    left_size, right_size = before[TO] - before[FROM], after[TO] - after[FROM]
    if before[KIND] == WORD and after[KIND] == WORD and not before[FLAGS] & FUNCTION:
        is_script = star > 1 and tokens[star - 2, HASH] in shapes.SCRIPTS
        is_short = right_size <= _MAX_NAME and left_size + right_size <= _MAX_PRODUCT
        if (
            star == right - 1
            and is_short
            and not is_script
            and _is_name(before)
            and _is_name(after)
        ):
            _join(state, tokens, star, scratch.spellings)
            return
        if left_size > 1 and right_size > 1 and not after[FLAGS] & FUNCTION:
            return
    for at in range(star + 1, state.num_tokens):
        move(tokens, at, at - 1)
    state.num_tokens -= 1
    depth = state.depth - 1
    while depth >= 0 and state.brackets[depth] > star:
        state.brackets[depth] -= 1
        depth -= 1


@borrowing
def _begins_factor(token: Any) -> bool:
    kind = token[KIND]
    if kind == MACRO:
        return bool(token[FLAGS] & (OPERAND | FUNCTION))
    return bool(kind == WORD or (kind == GROUP and token[HASH] == ROUND_LEFT_HASH))


@borrowing
def _is_name(token: Any) -> bool:
    """Return True for a run of small letters that may be a product, as in ab."""
    is_capital = token[FLAGS] & (SINGLE_CAPITAL | CAPITALISED | FUNCTION) != 0
    return not is_capital


@borrowing
def _join(state: Any, tokens: Any, star: int, spellings: Any) -> None:
    """Join the letters before and after the sign to one token."""
    end = tokens[star - 1, TO]
    for at in range(tokens[star + 1, FROM], tokens[star + 1, TO]):
        spellings[end] = spellings[at]
        end += 1
    _extend(state, tokens, star - 1, end, tokens[star + 1, END], spellings)


@inlined
def join_letters(state: Any, scratch: Any) -> None:
    """Join the letter that was just read to a letter before it, as in 2 x y."""
    tokens, text, last = scratch.tokens, scratch.text, state.num_tokens - 1
    if last < 1 or tokens[last - 1, KIND] != WORD or tokens[last, TO] - tokens[last, FROM] != 1:
        return
    size = tokens[last - 1, TO] - tokens[last - 1, FROM]
    flags = tokens[last - 1, FLAGS]
    if size != 1 and not flags & JOINED:
        return
    if flags & (SINGLE_CAPITAL | CAPITALISED | ARTICLE) or size >= _MAX_PRODUCT:
        return
    if last > 1 and tokens[last - 2, HASH] in shapes.SCRIPTS:
        return
    letter = scratch.spellings[tokens[last - 1, FROM]]
    if not SMALL_A <= letter < SMALL_A + 26:
        return
    at, begin = tokens[last - 1, END], tokens[last, BEGIN]
    if at == begin and text[at] != BACKSLASH:  # As in x\exp(x).
        return
    while at < begin:
        if text[at] == BACKSLASH and text[at + 1] in _SPACING:
            at += 1
        elif text[begin] != _D and matches(text, at, _UPRIGHT):
            at += len(_UPRIGHT) - 1
        elif text[at] != SPACE and not (text[at] == CURLY_RIGHT and letter == _D):
            return
        at += 1
    end = tokens[last - 1, TO]
    scratch.spellings[end] = scratch.spellings[tokens[last, FROM]]
    _extend(state, tokens, last - 1, end + 1, tokens[last, END], scratch.spellings)


@borrowing
def _extend(state: Any, tokens: Any, at: int, to: int, end: int, spellings: Any) -> None:
    """Make the token at `at` the last one; its spelling now ends at `to` and its place at `end`."""
    tokens[at, HASH] = np.int64(hash_span(spellings, tokens[at, FROM], to))
    tokens[at, TO], tokens[at, END] = to, end
    tokens[at, FLAGS] |= JOINED
    state.num_tokens, state.num_spelled = at + 1, to


@borrowing
def _keep_cross(state: Any, tokens: Any, star: int, spellings: Any) -> None:
    """Write the cross product as a token of its own, because the dot product differs."""
    first = state.num_spelled
    for at in range(len(_TIMES)):
        spellings[first + at] = _TIMES[at]
    state.num_spelled += len(_TIMES)
    tokens[star, HASH], tokens[star, KIND] = _TIMES_HASH, MACRO
    tokens[star, FROM], tokens[star, TO] = first, state.num_spelled


@borrowing
def _is_tuple(text: Any, at: int, size: int) -> bool:
    """Return True at the equals sign of a vector, as in a = (1, 2, 3)."""
    if text[at] != EQUAL:
        return False
    at = skip_blanks(text, at + 1, size)
    if text[at] != ROUND_LEFT:
        return False
    at += 1
    is_number = False
    while is_digit(text[at]) or text[at] in _IN_NUMBER:
        is_number |= is_digit(text[at])
        at += 1
    return bool(is_number and text[at] == COMMA)


@borrowing
def _has_vectors(state: Any, text: Any) -> bool:
    """Return True if the text speaks of vectors, in which a cross is not a dot."""
    if state.vectors < 0:
        state.vectors = 0
        for at in range(state.size):
            if (
                matches(text, at, _VECTOR)
                or matches(text, at, _VEC)
                or matches(text, at, _ARROW)
                or _is_tuple(text, at, state.size)
                or (
                    matches(text, at, _BOLD)
                    and is_letter(text[at + len(_BOLD)])
                    and text[at + len(_BOLD) + 1] == CURLY_RIGHT
                )
            ):
                state.vectors = 1
                break
    return bool(state.vectors > 0)
