"""Read operators, brackets and punctuation."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars, shapes
from mathledger.text.braces import close_round, open_round
from mathledger.text.chars import is_digit, is_in_formula, is_letter, matches, skip_delimiters
from mathledger.text.commas import is_within_brackets
from mathledger.text.hashing import PRIME, SEED, mix, signed
from mathledger.text.matrices import (
    begins_rows,
    end_row,
    height_end,
    is_aligned,
    is_doubled,
    open_rows,
    read_row_sign,
)
from mathledger.text.numbers import read_repeating
from mathledger.text.prose import (
    is_around_name,
    is_bullet,
    is_compound,
    is_either,
    is_emphasis,
    is_in_word,
)
from mathledger.text.ratios import is_ratio
from mathledger.text.scripts import closes_script
from mathledger.text.segments import read_parallel
from mathledger.text.sets import divide_set
from mathledger.text.state import emit
from mathledger.text.sums import read_sum
from mathledger.text.tokens import (
    AFTER_QUESTION,
    APOSTROPHE_HASH,
    BEFORE_COLON,
    BEFORE_STOP,
    BEGINS_SENTENCE,
    CARET_HASH,
    FLAGS,
    FROM,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    OPERATOR,
    ROOT_HASH,
    SQUARE_RIGHT_HASH,
    TO,
    WORD,
    write_pieces,
)

_ESCAPABLE = tuple(b"*_&#")
_OPERATIONS = tuple(b"@#")  # Which problems define.
BANG_HASH = int(signed(b"!")[0])
_SIM = int.from_bytes(b"\\sim", "little")
# Arrows and signs of several bytes, and the macros that they are.
ARROWS = {
    "<=>": r"\Leftrightarrow", "<->": r"\leftrightarrow", "->": r"\rightarrow",
    "=>": r"\Rightarrow", "+/-": r"\pm", "+-": r"\pm", "==": "=", "=/=": "!=",
}  # fmt: skip
_ARROWS, _MACROS = (
    np.frombuffer("".join(words).encode(), np.uint8) for words in (ARROWS, ARROWS.values())
)
_ARROW_ENDS, _MACRO_ENDS = (np.cumsum([0, *map(len, words)]) for words in (ARROWS, ARROWS.values()))
_SPACED_DOTS = np.frombuffer(b". . .", np.uint8)
_OVERLINE = np.frombuffer(b"\\overline{", np.uint8)
_BARS = np.frombuffer(b"| |", np.uint8)
# These two extend the kinds of token.
_ENDS_SENTENCE, _NOTHING = 5, 6


@inlined
def read_symbol(state: Any, scratch: Any, byte: Any, byte_class: Any) -> None:
    """Read the sign, bracket or mark that begins with this byte."""
    text, tokens, spellings = scratch.text, scratch.tokens, scratch.spellings
    state.opens_look = False
    index, last = state.index, state.num_tokens - 1
    if byte == chars.SEMICOLON and index > state.rows_end and is_within_brackets(text, index):
        byte, byte_class = np.uint8(chars.COMMA), np.uint8(chars.COMMA_LIKE)  # As in (3; -1).
    if _ARROW_BYTES[byte] & 1 and _ARROW_BYTES[text[index + 1]] & 2 and _read_arrow(state, scratch):
        return
    spelling: Any = np.int64(byte)
    kind, width = _NOTHING, 1
    if byte_class == chars.SIGN:
        kind = _NOTHING if closes_script(state, tokens, text) else OPERATOR
        if byte == chars.BAR and (
            divide_set(state, scratch, index + 1) or read_parallel(state, scratch)
        ):
            return
    elif byte_class == chars.BRACKET:
        kind = GROUP
        if byte == chars.ROUND_RIGHT and close_round(state, scratch):
            return
    elif byte_class == chars.DEGREE:
        kind, width, spelling = OPERATOR, 2, spelling | np.int64(text[index + 1]) << 8
        if last >= 0 and tokens[last, HASH] == CARET_HASH:
            state.num_tokens -= 1
    elif byte_class == chars.COMMA_LIKE:
        kind = _comma(state, scratch, byte)
        if byte == chars.AMPERSAND:
            spelling = np.int64(chars.COMMA if state.matrices > 0 else byte)
        elif byte == chars.TILDE and kind == OPERATOR:
            kind, spelling = MACRO, np.int64(_SIM)
    elif byte_class != chars.SILENT:
        if byte == chars.BACKSLASH and text[index + 1] == chars.BACKSLASH:
            if _read_doubled(state, scratch):
                return
        elif byte == chars.BACKSLASH and text[index + 1] == chars.BAR:
            write_pieces(state, scratch, _BARS, 0, len(_BARS), (index, index + 2))
            return
        elif index <= state.rows_end and read_row_sign(state, scratch, byte):
            return
        elif byte == chars.SQUARE_LEFT:
            if text[index + 1] == byte:
                state.in_rows |= begins_rows(text, index, state.size)
            elif open_rows(state, scratch):
                return
        elif (
            (byte == chars.COLON and divide_set(state, scratch, index + 1))
            or (byte == text[index + 1] == chars.SLASH and read_parallel(state, scratch))
            or (_begins_repeating(text, index) and read_repeating(state, scratch))
        ):
            return
        takes_mark = False
        if state.is_glued and byte in (chars.BANG, chars.APOSTROPHE):
            takes_mark = _takes_mark(state, tokens, byte)
        last_kind = tokens[last, KIND] if last >= 0 else -1
        kind, width, spelling = _classify(
            text, index, state.size, state.is_glued, last_kind, takes_mark, state.in_rows
        )
    if byte == chars.UNDERSCORE and kind == OPERATOR and last >= 0:
        read_sum(state, scratch, last)
    index = min(index + width, state.size)
    if kind >= _ENDS_SENTENCE:
        if kind == _ENDS_SENTENCE:
            _end_sentence(state, tokens, last, byte)
        if byte not in (chars.DOLLAR, chars.BACKSLASH):
            state.is_glued = False
        state.index = index
        return
    end, value = _spell(spelling, spellings, state.num_spelled)
    flags = 0 if kind == GROUP else state.sentence
    state.sentence *= int(kind == GROUP)
    emit(state, scratch, value, kind, end, index, flags)
    if byte == chars.STAR and kind == OPERATOR and width == 1:
        state.star = state.num_tokens - 1
    elif kind == GROUP:
        if byte == chars.ROUND_LEFT:
            open_round(state, scratch)
        else:
            _read_bracket(state, tokens, text, byte)


@inlined
def _begins_repeating(text: Any, index: int) -> bool:
    return bool(text[index] == chars.FULL_STOP and text[index + 1] == chars.ROUND_LEFT)


@inlined
def _end_sentence(state: Any, tokens: Any, last: int, byte: Any) -> None:
    state.sentence = BEGINS_SENTENCE
    if byte == chars.QUESTION:
        state.sentence |= AFTER_QUESTION
        state.has_question = True
    if last >= 0 and state.is_glued:
        if byte == chars.FULL_STOP:
            tokens[last, FLAGS] |= BEFORE_STOP
        elif byte == chars.COLON:
            tokens[last, FLAGS] |= BEFORE_COLON


@borrowing
def _spell(spelling: int, spellings: Any, end: int) -> tuple[int, Any]:
    """Write the bytes of a sign, the lowest first; return where they end and their hash."""
    value = SEED
    while spelling > 0:
        letter = np.uint8(spelling & 0xFF)
        spellings[end] = letter
        end += 1
        value = (value ^ letter) * PRIME
        spelling >>= 8
    return end, mix(value)


@borrowing
def _read_doubled(state: Any, scratch: Any) -> bool:
    """Read two backslashes that end a row of a matrix, or that JSON doubled; else return False."""
    text, index = scratch.text, state.index
    is_json = is_doubled(state, text)
    has_four = text[index + 2] == chars.BACKSLASH and text[index + 3] == chars.BACKSLASH
    if state.matrices > 0 and (has_four or not is_json):
        state.index += 2 * int(has_four and is_json)
        end_row(state, scratch)
        state.index = max(state.index, height_end(text, state.index))
        return True
    end = 0 if is_json else height_end(text, index + 2)
    state.index = end if end > 0 else index + int(is_json)
    return is_json or end > 0


# Maps the bytes with which arrows begin to 1 and the bytes that follow them to 2.
_ARROW_BYTES = np.zeros(256, np.uint8)
_ARROW_BYTES[list(b"<-=+")] |= 1
_ARROW_BYTES[list(b"->=/")] |= 2


@borrowing
def _read_arrow(state: Any, scratch: Any) -> bool:
    """Read an arrow or sign of several bytes, as in x -> 0 and a +- b."""
    text = scratch.text
    for number in range(len(_ARROW_ENDS) - 1):
        first, end = _ARROW_ENDS[number], _ARROW_ENDS[number + 1]
        if matches(text, state.index, _ARROWS[first:end]):
            place = (state.index, state.index + end - first)
            low, high = _MACRO_ENDS[number], _MACRO_ENDS[number + 1]
            write_pieces(state, scratch, _MACROS, low, high, place)
            return True
    return False


@borrowing
def _read_bracket(state: Any, tokens: Any, text: Any, byte: int) -> None:
    r"""End the arguments that a bracket cannot begin, but not those of \sqrt[3]{x}."""
    depth, last = state.depth, state.num_tokens - 1
    if byte == chars.SQUARE_RIGHT and last > 0 and tokens[last - 1, HASH] == SQUARE_RIGHT_HASH:
        state.in_rows = False
    if state.in_root and byte == chars.SQUARE_RIGHT:
        state.owed[depth], state.in_root = int(not is_digit(text[state.index])), False
        return
    if byte == chars.SQUARE_LEFT and last > 0 and tokens[last - 1, HASH] == ROOT_HASH:
        state.in_root = True
    state.owed[depth], state.fractions[depth] = 0, 0


@inlined
def _comma(state: Any, scratch: Any, byte: Any) -> int:
    """Return OPERATOR for a comma before a sign, and for signs that are operators here.

    (2, -3) is not (2 - 3). In a matrix & is a comma. Otherwise @, #, & and ~ are operators only
    between operands; elsewhere they are typesetting.
    """
    text, last = scratch.text, state.num_tokens - 1
    if last < 0 or not shapes.ends_operand(scratch.tokens[last]):
        return _NOTHING
    at = skip_delimiters(text, state.index + 1, state.size)
    if byte == chars.COMMA or state.matrices > 0:
        return OPERATOR if text[at] in (chars.HYPHEN, chars.PLUS) else _NOTHING
    is_macro = text[at] == chars.BACKSLASH and is_letter(text[at + 1]) and byte in _OPERATIONS
    is_operand = is_digit(text[at]) or is_letter(text[at]) or text[at] == chars.ROUND_LEFT
    if not (is_operand or is_macro):
        return _NOTHING
    if byte == chars.AMPERSAND and (state.index == 0 or text[state.index - 1] == chars.BACKSLASH):
        return OPERATOR
    has_blanks = text[state.index + 1] == chars.SPACE and state.index > 0
    has_blanks = has_blanks and text[state.index - 1] == chars.SPACE
    if byte == chars.AMPERSAND and not is_aligned(text, state.size):
        return OPERATOR
    if byte == chars.TILDE:
        return OPERATOR if has_blanks else _NOTHING
    return OPERATOR if byte != chars.AMPERSAND else _NOTHING


@borrowing
def _takes_mark(state: Any, tokens: Any, byte: int) -> bool:
    """Return True if the last token is a single letter, or if it is a mark of this kind, too."""
    last = state.num_tokens - 1
    if last < 0:
        return False
    token = tokens[last]
    if token[HASH] == (APOSTROPHE_HASH if byte == chars.APOSTROPHE else BANG_HASH):
        return True
    return bool(token[KIND] == WORD and token[TO] - token[FROM] == 1)


@borrowing
def _repeats(text: Any, index: int) -> int:
    """Return the length of the run of equal bytes that begins at index."""
    end = index + 1
    while text[end] == text[index]:
        end += 1
    return end - index


@borrowing
def _escaped(text: Any, index: int) -> tuple[int, int, int]:
    """Return what `_classify` does for a backslash and the byte after it."""
    after: Any = np.int64(text[index + 1])
    if after == chars.PERCENT:
        return OPERATOR, 2, after
    if after in (chars.CURLY_LEFT, chars.CURLY_RIGHT):
        return GROUP, 2, after
    if after == chars.UNDERSCORE and text[index + 2] == chars.BACKSLASH:
        end = index  # A blank to fill, as in x = \_\_\_, but not the digits of \_\_45.
        while text[end] == chars.BACKSLASH and text[end + 1] == chars.UNDERSCORE:
            end += 2
        is_blank = end > index + 2 and not is_digit(text[end])
        return _NOTHING, end - index if is_blank else 1, 0
    if after in _ESCAPABLE:  # As in Markdown.
        return _NOTHING, 1, 0
    return _NOTHING, 1 if is_digit(after) else 2, 0


@borrowing
def _full_stop(text: Any, index: int, before: Any) -> tuple[int, int, int]:
    r"""Return what `_classify` does for a full stop; .\overline{27} is a number."""
    after = text[index + 1]
    dots = chars.FULL_STOP | chars.FULL_STOP << 8 | chars.FULL_STOP << 16
    if after == chars.SPACE and matches(text, index, _SPACED_DOTS):
        return MACRO, 5, dots
    if after == chars.FULL_STOP:
        return MACRO, _repeats(text, index), dots
    is_repeating = after == chars.BACKSLASH and matches(text, index + 1, _OVERLINE)
    is_repeating = is_repeating and is_digit(text[index + 1 + len(_OVERLINE)])
    if is_repeating and not is_digit(before):
        return NUMBER, 1, chars.ZERO
    return _NOTHING if is_letter(after) else _ENDS_SENTENCE, 1, 0


@inlined
def _classify(
    text: Any,
    index: int,
    size: int,
    is_glued: int,
    last: int,
    takes_mark: bool,
    in_rows: bool,
) -> tuple[int, int, int]:
    """Apply the rules of punctuation.

    Args:
        size: Length of the text.
        is_glued: Whether the last token ends right before this byte.
        last: The kind of the last token, or -1 if there is none.
        takes_mark: Whether a factorial or prime may follow the last token.

    Returns:
        The kind of token, the number of bytes read, and the token's bytes (the first one lowest).
    """
    byte: Any = np.int64(text[index])
    after: Any = np.int64(text[index + 1])
    before: Any = np.int64(text[index - 1]) if index > 0 else chars.SPACE
    if byte == chars.BACKSLASH:
        return _escaped(text, index)
    if byte == chars.HYPHEN:
        if after == chars.HYPHEN:
            return _NOTHING, _repeats(text, index), 0
        is_item = after == chars.SPACE and is_bullet(text, index)
        if is_item or (last != MACRO and is_in_word(text, index)) or is_compound(text, index):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == chars.UNDERSCORE:
        if after == chars.UNDERSCORE:
            return _NOTHING, _repeats(text, index), 0
        if is_emphasis(text, index, size):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == chars.FULL_STOP:
        return _full_stop(text, index, before)
    if byte in (chars.LESS, chars.GREATER):
        if after == chars.EQUAL:
            return OPERATOR, 2, byte | chars.EQUAL << 8
        return OPERATOR, 1, byte
    if byte in (chars.SQUARE_LEFT, chars.SQUARE_RIGHT):
        if after == byte and not in_rows:  # As in [[a link]].
            return _NOTHING, 2, 0
        return GROUP, 1, byte
    if byte == chars.SLASH:
        return _NOTHING if is_either(text, index) else OPERATOR, 1, byte
    if byte == chars.STAR:
        if after == chars.STAR:
            power = text[index + 2]
            if is_glued and (is_digit(power) or is_letter(power) or power == chars.ROUND_LEFT):
                return OPERATOR, 2, chars.CARET
            return _NOTHING, 2, 0
        if is_bullet(text, index) or is_emphasis(text, index, size) or is_around_name(text, index):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == chars.COLON:
        if is_ratio(text, index - 1, index + 1, size, True):
            return OPERATOR, 1, byte
        return _ENDS_SENTENCE if after in (chars.SPACE, chars.NEWLINE) else _NOTHING, 1, 0
    if byte == chars.BANG:
        is_factorial = is_glued and (is_digit(before) or before == chars.ROUND_RIGHT)
        if after == chars.EQUAL and takes_mark:
            is_factorial = is_factorial or is_in_formula(text, index)
        if after == chars.EQUAL and not is_factorial and text[index + 2] != chars.EQUAL:
            return OPERATOR, 2, chars.BANG | chars.EQUAL << 8
        follows = last == NUMBER or (last == GROUP and before == chars.ROUND_RIGHT)
        return OPERATOR if takes_mark or (is_glued and follows) else _ENDS_SENTENCE, 1, byte
    if byte == chars.APOSTROPHE:
        return OPERATOR if takes_mark else _NOTHING, 1, byte if takes_mark else 0
    return _ENDS_SENTENCE, 1, 0  # Only ? and ; remain.
