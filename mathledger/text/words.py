r"""Read words, macros and ideographs, and apply the vocabulary to them."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars, counting, idioms, shapes, vocabulary
from mathledger.text.bars import bar
from mathledger.text.braces import (
    drop_exponent,
    drop_open_bracket,
    end_argument,
    expect_bracket,
    open_fraction,
)
from mathledger.text.chars import LOWER, is_letter, matches, skip_blanks
from mathledger.text.factors import is_cross, is_product
from mathledger.text.hashing import PRIME, SEED, hash_span, mix
from mathledger.text.markup import environment_end, skip_groups
from mathledger.text.matrices import matrix_end, read_environment
from mathledger.text.products import join_letters
from mathledger.text.ratios import is_ratio
from mathledger.text.segments import num_points, read_arc, read_points
from mathledger.text.sets import divide_set
from mathledger.text.state import emit
from mathledger.text.times import read_time
from mathledger.text.tokens import (
    ARTICLE,
    BLACKBOARD,
    CAPITALISED,
    CARET_HASH,
    END,
    HASH,
    MACRO,
    NUMBER,
    NUMBER_WORD,
    OPENS_PHRASE,
    POINTS,
    ROUND_LEFT_HASH,
    SINGLE_CAPITAL,
    STAR_HASH,
    UNDERSCORE_HASH,
    WORD,
    write_pieces,
)

_DEGREE_LEAD = "°".encode()[0]
_X, _C, _P = b"xcp"
_STAR = np.frombuffer(b"*", np.uint8)
_SQRT = np.frombuffer(b"sqrt", np.uint8)
_MATHBB, _BBB = (np.frombuffer(word, np.uint8) for word in (b"\\mathbb", b"\\Bbb"))
_ENDINGS = np.array([list(b"th"), list(b"st"), list(b"nd"), list(b"rd")], np.uint8)


@inlined
def read_word(state: Any, scratch: Any, tables: Any, byte: Any, byte_class: Any) -> None:
    r"""Read the word, macro or ideograph that begins with this byte.

    The vocabulary decides whether it is dropped (\left), adds a unit to a ten (twenty-five),
    becomes another token (\leq, twelve), takes arguments (\sqrt) or stays unchanged.
    """
    tokens, text, spellings = scratch.tokens, scratch.text, scratch.spellings
    entries = tables.entries
    start, first, owed = state.index, state.num_spelled, state.owed[state.depth]
    if byte_class == chars.ESCAPE:
        index, end, value = _spell_macro(text, start, spellings, first)
    elif byte_class == chars.IDEOGRAPH or (byte < chars.NOT_ASCII and _is_letter(state, scratch)):
        index, end, value = _spell_letter(text, start, spellings, first)
        index = min(index, state.size)
    else:
        index, end, value = _spell_word(text, start, spellings, first)
    kind = MACRO if byte_class == chars.ESCAPE else WORD
    flags = state.sentence
    entry = vocabulary.find(value, tables.slots, entries)
    action = entries[entry, vocabulary.ACTION]
    if action == vocabulary.NTH:  # The next word is th.
        index, end, value = _spell_letter(text, start, spellings, first)
        entry, action = 0, 0
    elif (action == vocabulary.BY and not is_product(state, tables, tokens, text, index)) or (
        action == vocabulary.ORDINAL_ENDING and not _ends_ordinal(state, tokens, text)
    ):
        entry, action = 0, 0
    elif index == start + 1 and byte | 0x20 == _X and is_cross(state, tokens, text):
        write_pieces(state, scratch, _STAR, 0, 1, (start, index))
        return
    elif index == start + 1 and text[index] == chars.FULL_STOP and read_time(state, scratch):
        return
    if entry > 0:
        if action <= vocabulary.ENVIRONMENT:
            _leave_out(state, scratch, action, index)
            return
        if action >= vocabulary.FRACTION and _read_specially(
            state, scratch, tables, entries[entry], index
        ):
            return
        last = state.num_tokens - 1
        if action < vocabulary.SCALE:
            value = np.uint64(entries[entry, vocabulary.NEW_HASH])
            kind = entries[entry, vocabulary.NEW_KIND]
            end = _replace(entries[entry], tables.replacements, spellings, first)
        flags |= entries[entry, vocabulary.NEW_FLAGS]
        if action == vocabulary.NUMERAL and kind == NUMBER:
            flags |= NUMBER_WORD
        elif action == vocabulary.OPENS_PHRASE:
            flags |= OPENS_PHRASE
            state.has_phrase = True
        elif action == vocabulary.CHOICE:
            state.has_choice = True
        elif (
            spellings[first] in (_DEGREE_LEAD, chars.APOSTROPHE)
            and last >= 0
            and tokens[last, HASH] == CARET_HASH
        ):
            state.num_tokens -= 1  # ^\circ and ^\prime become just the sign.
    is_name = False
    if byte_class == chars.LETTER and byte < chars.NOT_ASCII:
        case, is_name = _case(state, text, index, byte, action)
        flags |= case
    if action == vocabulary.REPLACE and end == first + 1 and is_letter(spellings[first]):
        state.smalls |= np.int64(1) << np.int64(spellings[first] - chars.SMALL_A)  # As in exp(x).
        is_name = True
    emit(state, scratch, value, kind, end, index, flags)
    state.sentence = 0
    if is_name:
        join_letters(state, scratch)
    elif flags & POINTS:
        read_points(state, scratch, index == start + 3)
    if value == np.uint64(STAR_HASH):
        state.star = state.num_tokens - 1
    if entry > 0 or owed > 0:
        _finish(state, scratch, tables, entries[entry], owed, start)


@inlined
def _finish(state: Any, scratch: Any, tables: Any, entry: Any, owed: int, begin: int) -> None:
    """Apply the idioms that end with the word just read, and count arguments.

    A word may have become several tokens, of which only the first one has been written.
    """
    action = entry[vocabulary.ACTION]
    if action == vocabulary.MODULO and state.is_congruence:
        idioms.read_congruence(state, scratch)
    if action == vocabulary.REPLACE and entry[vocabulary.VALUE] > 0:  # As in lg x.
        first, end = entry[vocabulary.NEW_TO], entry[vocabulary.VALUE]
        place = scratch.tokens[state.num_tokens - 1, END]
        write_pieces(state, scratch, tables.replacements, first, end, (begin, place))
    elif entry[vocabulary.END_IDIOM] > 0:
        first, end = entry[vocabulary.FIRST_IDIOM], entry[vocabulary.END_IDIOM]
        idioms.apply(state, scratch, tables, first, end)
    if action == vocabulary.TAKES_ONE:
        state.owed[state.depth] = max(owed, 1)
    elif action == vocabulary.TAKES_TWO:
        state.owed[state.depth] = 2
    elif action == vocabulary.ROOT and owed == 0:
        expect_bracket(state, scratch.text, state.index)
    elif owed > 0:
        state.owed[state.depth] = owed - 1
        end_argument(state, scratch)


@inlined
def _case(state: Any, text: Any, index: Any, byte: Any, action: Any) -> tuple[Any, Any]:
    """Note capitals and names; return the flags of the word, and whether it is a small letter."""
    start = state.index
    flags, is_name = np.int64(0), False
    if byte < chars.SMALL_A:
        flags = np.int64(BLACKBOARD * state.is_set)
        if index - start > 1:
            flags |= np.int64(CAPITALISED)
            if text[start + 1] < chars.SMALL_A and text[index - 1] < chars.SMALL_A:
                flags |= np.int64(POINTS)
        elif (
            byte != chars.UPPER_A or not state.sentence or not _is_article(text, index, state.size)
        ):
            flags |= np.int64(SINGLE_CAPITAL)
            state.capitals |= np.int64(1) << np.int64(byte - chars.UPPER_A)
        else:
            flags |= np.int64(ARTICLE)
    elif index - start == 1 and action == 0:
        if byte == chars.SMALL_A and _is_article(text, index, state.size):
            flags = np.int64(ARTICLE)
        else:
            state.smalls |= np.int64(1) << np.int64(byte - chars.SMALL_A)
            is_name = True
    state.is_set = False
    return flags, is_name


@borrowing
def _is_article(text: Any, index: int, size: int) -> bool:
    """Return True if blanks and a word of several letters follow the letter a."""
    at = index
    while at < size and text[at] <= chars.SPACE:
        at += 1
    return bool(at > index and is_letter(text[at]) and is_letter(text[at + 1]))


@borrowing
def _is_letter(state: Any, scratch: Any) -> bool:
    r"""Return True if only the next letter is an argument, as in \frac ab, x^ab and a_ij."""
    if state.owed[state.depth] > 0:
        return not matches(scratch.text, state.index, _SQRT)
    if not state.is_glued or state.num_tokens == 0:
        return False
    last, text = scratch.tokens[state.num_tokens - 1, HASH], scratch.text
    if last == CARET_HASH:
        return not _is_ordinal_ending(text, state.index)
    return bool(last == UNDERSCORE_HASH and not is_letter(text[state.index + 2]))


@borrowing
def _is_ordinal_ending(text: Any, index: int) -> bool:
    """Return True at the word th, st, nd or rd."""
    if is_letter(text[index + 2]):
        return False
    one, two = LOWER[text[index]], LOWER[text[index + 1]]
    for ending in _ENDINGS:  # noqa: SIM110  (numba compiles no generator)
        if one == ending[0] and two == ending[1]:
            return True
    return False


@inlined
def _read_specially(state: Any, scratch: Any, tables: Any, entry: Any, index: int) -> bool:
    """Read a macro or word for which no token is written here; return False if one is."""
    action, value = entry[vocabulary.ACTION], entry[vocabulary.VALUE]
    if action == vocabulary.NUMERAL:
        return counting.add(state, scratch, value, index)
    if action == vocabulary.SCALE:
        return counting.multiply(state, scratch, value, index)
    if action == vocabulary.PART or action == vocabulary.QUARTER:
        return counting.part(state, scratch, value, index, action == vocabulary.QUARTER)
    if action == vocabulary.HALF:
        return counting.half(state, scratch, index)
    if action == vocabulary.EXPAND:
        first, end = entry[vocabulary.NEW_FROM], entry[vocabulary.NEW_TO]
        write_pieces(state, scratch, tables.replacements, first, end, (state.index, index))
        idioms.multiply_next(state, scratch, tables)
        return True
    if action == vocabulary.TIMES:
        return idioms.read_times(state, scratch, tables, index)
    if action == vocabulary.DIVIDED:
        return idioms.divide(state, scratch, tables, index)
    if action == vocabulary.BASE:
        return idioms.read_base(state, scratch, tables, index)
    if action == vocabulary.NOT:
        at = skip_blanks(scratch.text, index, state.size)
        if scratch.text[at] != chars.EQUAL:
            return False
        first, end = entry[vocabulary.NEW_FROM], entry[vocabulary.NEW_TO]
        write_pieces(state, scratch, tables.replacements, first, end, (state.index, at + 1))
        return True
    if action == vocabulary.MODULO:
        is_macro = scratch.text[state.index + 1] == _P  # As in \\pmod.
        state.is_congruence = drop_open_bracket(state) or is_macro
        return False
    if action == vocabulary.MID or action == vocabulary.COLON:
        if divide_set(state, scratch, index):
            return True
        if action == vocabulary.MID:
            return False
    if action == vocabulary.ARC:
        return read_arc(state, scratch, index)
    if action == vocabulary.FRACTION:
        open_fraction(state, scratch)
    elif action == vocabulary.BAR:
        bar(state, scratch, scratch.text[state.index + 1] == _C)
    elif action == vocabulary.OVERLINE:
        if num_points(scratch.text, index) < 2:
            return False
        state.opens_look = True
    elif action != vocabulary.COLON or is_ratio(
        scratch.text, state.index - 1, index, state.size, False
    ):
        return False
    state.index = index
    return True


@borrowing
def _ends_ordinal(state: Any, tokens: Any, text: Any) -> bool:
    """Return True if th, st, nd or rd ends an ordinal such as n-th, 3rd or n^th."""
    last = state.num_tokens - 1
    if last > 0 and tokens[last, HASH] == ROUND_LEFT_HASH and drop_exponent(state, tokens):
        last -= 2
    elif last >= 0 and tokens[last, HASH] == CARET_HASH:
        state.num_tokens -= 1
        last -= 1
    if last < 0 or not shapes.ends_operand(tokens[last]):
        return False
    if tokens[last, HASH] in (CARET_HASH, UNDERSCORE_HASH):
        return False
    return bool(text[state.index - 1] > chars.SPACE or state.is_glued)


@borrowing
def _spell_word(text: Any, index: Any, spellings: Any, end: Any) -> tuple[Any, Any, Any]:
    """Copy a word in lower case; return where it ends in text and in spellings, and its hash.

    _spell_macro and _spell_letter return the same. A macro keeps its case and ends before the first
    byte that is not ASCII.
    """
    value = SEED
    letter = LOWER[text[index]]
    while letter != 0:
        spellings[end] = letter
        end += 1
        value = (value ^ letter) * PRIME
        index += 1
        letter = LOWER[text[index]]
    return index, end, mix(value)


@borrowing
def _spell_macro(text: Any, index: Any, spellings: Any, end: Any) -> tuple[Any, Any, Any]:
    value = SEED
    letter = text[index]
    while True:
        spellings[end] = letter
        end += 1
        value = (value ^ letter) * PRIME
        index += 1
        letter = text[index]
        if letter >= chars.NOT_ASCII or LOWER[letter] == 0:
            break
    return index, end, mix(value)


@borrowing
def _spell_letter(text: Any, index: int, spellings: Any, end: int) -> tuple[int, int, Any]:
    size = 1 if text[index] < chars.NOT_ASCII else 3
    for step in range(size):
        letter = text[index + step]
        spellings[end + step] = LOWER[letter] if size == 1 else letter
    return index + size, end + size, hash_span(spellings, end, end + size)


@inlined
def _leave_out(state: Any, scratch: Any, action: int, index: int) -> None:
    """Skip a formatting macro, or a layout macro with its arguments."""
    text = scratch.text
    if text[state.index] == chars.BACKSLASH and text[index] == chars.STAR:  # E.g. \\operatorname*.
        index += 1
    if action == vocabulary.LOOK:
        state.opens_look = True
        state.is_set = matches(text, state.index, _MATHBB) or matches(text, state.index, _BBB)
    elif action == vocabulary.ENVIRONMENT:
        read_environment(state, scratch, index)
        index = matrix_end(state, text, environment_end(text, index, state.size))
    elif action >= vocabulary.SKIP_ONE:
        index = skip_groups(text, index, state.size, action - vocabulary.SKIP_ONE + 1)
    state.index = index


@borrowing
def _replace(entry: Any, replacements: Any, spellings: Any, end: int) -> int:
    """Write the vocabulary's replacement of a word to spellings; return where it ends."""
    for at in range(entry[vocabulary.NEW_FROM], entry[vocabulary.NEW_TO]):
        spellings[end] = replacements[at]
        end += 1
    return end
