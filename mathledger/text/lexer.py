"""The lexer: canonical tokens of UTF-8 text in one compiled pass, which releases the GIL."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import kernel
from mathledger.text.boilerplate import cut, options
from mathledger.text.braces import bracket, close
from mathledger.text.characters import (
    APOSTROPHE,
    BACKSLASH,
    BANG,
    BLANK,
    BRACKET,
    CLASS,
    CLOSE,
    DEGREE,
    DIGIT,
    DOLLAR,
    ESCAPE,
    FULL_STOP,
    IDEOGRAPH,
    LESS,
    LETTER,
    NEWLINE,
    NOT_ASCII,
    OPEN,
    POINT,
    ROUND_LEFT,
    ROUND_RIGHT,
    SIGN,
    SILENT,
    SMALL,
    SMALL_A,
    SPACE,
    SQUARE_LEFT,
    SQUARE_RIGHT,
    STAR,
    UPPER_A,
    ZERO,
    is_digit,
    is_letter,
    matches,
)
from mathledger.text.folding import GROWTH, expand, fold_table
from mathledger.text.hashing import PRIME, SEED, hash_span, mix
from mathledger.text.markup import HTTP, SECOND, drawing_end, layout_end, tag_end
from mathledger.text.numbers import thousands_mark
from mathledger.text.symbols import ENDS_SENTENCE, NOTHING, symbol, takes_mark
from mathledger.text.tokens import (
    ARGUMENT_BRACKET,
    BEFORE_STOP,
    BEGIN,
    BEGINS_SENTENCE,
    CAPITALISED,
    CARET_HASH,
    END,
    FLAGS,
    FROM,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    OPENS_PHRASE,
    OPERATOR,
    SINGLE_CAPITAL,
    TENS_FLAG,
    TO,
    UNDERSCORE_HASH,
    WORD,
    emit,
    move,
)
from mathledger.text.vocabulary import (
    ACTION,
    ADDS,
    NEW_FROM,
    NEW_HASH,
    NEW_KIND,
    NEW_TO,
    OPENS,
    SKIP_ARGUMENT,
    TAKES_ONE,
    TAKES_TWO,
    TENS,
    TEXT,
    find_entry,
    phrases,
    word_table,
)

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]

LEFTS, RIGHTS = (ROUND_LEFT, SQUARE_LEFT), (ROUND_RIGHT, SQUARE_RIGHT)
Scratch = tuple[Any, ...]
Tables = tuple[Any, ...]


def tables() -> Tables:
    """What `lex` looks words up in; made once."""
    return (*word_table(), *fold_table(), *phrases())


def scratch(max_bytes: int) -> Scratch:
    """Working memory for texts of up to max_bytes; one per thread."""
    room = 4 * max_bytes + 64
    return (
        np.empty((room, 7), np.int64),  # the tokens: HASH, KIND, FROM, TO, BEGIN, END, FLAGS
        np.empty(4 * room, np.uint8),  # their spellings, FROM:TO
        np.empty(GROWTH * max_bytes + 64, np.uint8),  # the text with its code points folded
        np.empty(GROWTH * max_bytes + 64, np.int32),  # raw byte that each byte of it came from
        np.empty(64, np.int64),  # of an open brace: its token, or -1 where it has none
        np.empty(65, np.int64),  # arguments still owed to a macro, by depth of braces
    )


def longest(offsets: I64) -> int:
    """Bytes of the longest text: the size that `scratch` is made for."""
    return int(np.diff(offsets).max(initial=0))


@kernel
def lex(data: Any, first: int, last: int, tables: Any, scratch: Any) -> tuple[int, Any]:
    """Canonical tokens of data[first:last] (UTF-8), into the scratch arrays.

    Returns:
        The number of tokens, and a hash of the drawings (asy code) left out, 0 without any.
    """
    tok, spell, text, source, braces, pending = scratch
    slots, entries, pool, points, folds, words, word_ends = tables
    size, plain = expand(data[first:last], text, source, points, folds)
    pending[0] = 0
    zero: Any = np.int64(0)  # a literal is of another type: helpers would be compiled twice
    index = used = count = depth = zero
    sentence: Any = zero + BEGINS_SENTENCE
    glued: Any = np.bool_(False)
    opener = opens = False  # opens: whether a boilerplate phrase may be there
    capitals = 0  # the single ones seen
    figure: Any = np.uint64(0)
    while index < size:
        byte = text[index]
        place = CLASS[byte]
        if place == BLANK:
            if byte == NEWLINE and text[index + 1] == NEWLINE:
                sentence = BEGINS_SENTENCE
            index += 1
            glued = False
            continue

        # --- what is left out -------------------------------------------------------------------
        if byte == LESS or SECOND[byte] == text[index + 1]:
            stop, past = drawing_end(text, index, size)
            if past > 0:
                figure = mix(figure ^ hash_span(text, index, stop))
            elif byte == LESS:
                past = tag_end(text, index, size, slots, entries)
            elif byte == HTTP[0] and not glued and matches(text, index, HTTP):
                past = index
                while text[past] > SPACE:
                    past += 1
            if past > 0:
                index = min(past, size)
                glued = False
                continue

        start, spelled, flag, value = index, used, sentence, SEED
        # --- words and macros -------------------------------------------------------------------
        if place <= IDEOGRAPH or (place == ESCAPE and is_letter(text[index + 1])):
            entry = 0
            kind = WORD
            if place == ESCAPE:
                kind = MACRO
                letter = byte
                while True:
                    spell[used] = letter
                    used += 1
                    value = (value ^ letter) * PRIME
                    index += 1
                    letter = text[index]
                    if letter >= NOT_ASCII or SMALL[letter] == 0:
                        break
                value = mix(value)
                entry = find_entry(value, slots, entries)
            elif place == LETTER and (pending[depth] == 0 or byte >= NOT_ASCII):
                letter = SMALL[byte]
                while letter != 0:
                    spell[used] = letter
                    used += 1
                    value = (value ^ letter) * PRIME
                    index += 1
                    letter = SMALL[text[index]]
                value = mix(value)
                entry = find_entry(value, slots, entries)
            elif place == LETTER:  # a single letter as the argument of \frac
                spell[used] = SMALL[byte]
                used += 1
                index += 1
                value = hash_span(spell, spelled, used)
            else:
                for step in range(3):
                    spell[used + step] = text[index + step]
                used += 3
                index = min(index + 3, size)
                value = hash_span(spell, spelled, used)
            action = 0
            if entry > 0:
                action = entries[entry, ACTION]
                if action <= SKIP_ARGUMENT:
                    if place == ESCAPE and text[index] == STAR:  # \operatorname*
                        index += 1
                    used = spelled
                    if action == TEXT:
                        opener = True
                    elif action == SKIP_ARGUMENT:
                        index = layout_end(text, index, size)
                    continue
                if entries[entry, ADDS] > 0 and count > 0 and tok[count - 1, FLAGS] & TENS_FLAG:
                    used = spelled  # twenty-five: the last digit of the token before is replaced
                    at = tok[count - 1, TO] - 1
                    spell[at] = entries[entry, ADDS]
                    tok[count - 1, HASH] = np.int64(hash_span(spell, tok[count - 1, FROM], at + 1))
                    tok[count - 1, FLAGS] &= ~TENS_FLAG
                    tok[count - 1, END] = index
                    glued = True
                    continue
                used = spelled
                for at in range(entries[entry, NEW_FROM], entries[entry, NEW_TO]):
                    spell[used] = pool[at]
                    used += 1
                value = np.uint64(entries[entry, NEW_HASH])
                kind = entries[entry, NEW_KIND]
                if action == TENS:
                    flag |= TENS_FLAG
                elif action == OPENS:
                    flag |= OPENS_PHRASE
                    opens = True
                elif spell[spelled] == 0xC2 and count > 0 and tok[count - 1, HASH] == CARET_HASH:
                    count -= 1  # ^\circ is the degree sign alone
            if pending[depth] > 0:
                pending[depth] -= 1
            if action == TAKES_ONE:
                pending[depth] = 1
            elif action == TAKES_TWO:
                pending[depth] = 2
            if byte < SMALL_A and place == LETTER:
                if index - start == 1:
                    flag |= SINGLE_CAPITAL
                    capitals |= 1 << (zero + byte - UPPER_A)
                else:
                    flag |= CAPITALISED
            sentence = 0

        # --- numbers ----------------------------------------------------------------------------
        elif place == DIGIT or (
            place == POINT
            and is_digit(text[index + 1])
            and not (index > 0 and (is_digit(text[index - 1]) or text[index - 1] == FULL_STOP))
        ):
            kind = NUMBER
            if place == POINT:
                spell[used] = ZERO
                used += 1
            elif pending[depth] > 0:  # \frac12
                spell[used] = byte
                used += 1
                index += 1
            else:
                while is_digit(text[index]):
                    spell[used] = text[index]
                    used += 1
                    index += 1
                while byte != ZERO:
                    width = thousands_mark(text, index)
                    if width == 0:
                        break
                    if width == 1 and start > 0:  # (100,200) is a pair
                        before, after = text[start - 1], text[index + 4]
                        if before in (ROUND_LEFT, SQUARE_LEFT) and (
                            after in (ROUND_RIGHT, SQUARE_RIGHT)
                        ):
                            break
                    for step in range(width, width + 3):
                        spell[used] = text[index + step]
                        used += 1
                    index += width + 3
            if text[index] == FULL_STOP and is_digit(text[index + 1]) and pending[depth] == 0:
                spell[used] = FULL_STOP
                used += 1
                index += 1
                while is_digit(text[index]):
                    spell[used] = text[index]
                    used += 1
                    index += 1
                while spell[used - 1] == ZERO:
                    used -= 1
                if spell[used - 1] == FULL_STOP:
                    used -= 1
            if pending[depth] > 0:
                pending[depth] -= 1
            value = hash_span(spell, spelled, used)
            sentence = 0

        # --- braces -----------------------------------------------------------------------------
        elif place == OPEN:
            argument = pending[depth] > 0
            if argument:
                pending[depth] -= 1
            elif count > 0:
                before_it = tok[count - 1, HASH]
                argument = before_it in (CARET_HASH, UNDERSCORE_HASH)
            index += 1
            if depth < 63:
                braces[depth] = -1
                if argument and not opener:
                    braces[depth] = count
                    bracket(tok, spell, count, used, start, byte)
                    used += 1
                    count += 1
                depth += 1
                pending[depth] = 0
            opener = False
            continue
        elif place == CLOSE:
            index += 1
            if depth > 0:
                depth -= 1
                if 0 <= braces[depth] < count:
                    closed = close(tok, braces[depth], count)
                    if closed < 0:
                        bracket(tok, spell, count, used, start, byte)
                        used += 1
                        closed = count + 1
                    count = closed
            glued = True
            continue

        # --- operators and brackets -------------------------------------------------------------
        else:
            opener = False
            kind, width, letters = NOTHING, 1, zero + byte
            if place == SIGN:
                kind = OPERATOR
            elif place == BRACKET:
                kind = GROUP
            elif place == DEGREE:
                kind, width, letters = OPERATOR, 2, letters | (zero + text[index + 1]) << 8
                if count > 0 and tok[count - 1, HASH] == CARET_HASH:
                    count -= 1
            elif place != SILENT:
                before_kind = tok[count - 1, KIND] if count > 0 else -1
                takes = False
                if glued and byte in (BANG, APOSTROPHE):
                    takes = takes_mark(tok, count, byte, plain, source)
                kind, width, letters = symbol(text, index, glued, before_kind, takes)
            index = min(index + width, size)
            if kind >= ENDS_SENTENCE:
                if kind == ENDS_SENTENCE:
                    sentence = BEGINS_SENTENCE
                    if byte == FULL_STOP and count > 0 and glued:
                        tok[count - 1, FLAGS] |= BEFORE_STOP
                if byte != DOLLAR and byte != BACKSLASH:
                    glued = False
                continue
            while letters > 0:
                letter = np.uint8(letters & 0xFF)
                spell[used] = letter
                used += 1
                value = (value ^ letter) * PRIME
                letters >>= 8
            value = mix(value)
            if kind == GROUP:
                flag = 0
                if byte != BACKSLASH:
                    pending[depth] = 0
            else:
                sentence = 0

        emit(tok, count, value, kind, spelled, used, start, index, flag)
        count += 1
        opener = False
        glued = text[index] != SPACE
        if not glued:
            index += 1
    # An argument's brace that was never closed is formatting gone wrong.
    while depth > 0:
        depth -= 1
        opened = braces[depth]
        if 0 <= opened < count and tok[opened, FLAGS] & ARGUMENT_BRACKET:
            for at in range(opened, count - 1):
                move(tok, at + 1, at)
            count -= 1
    if capitals & 0b1111 == 0b1111:
        count = options(count, tok)
    count = cut(count, opens, words, word_ends, tok)
    if not plain:
        for at in range(count):
            tok[at, BEGIN], tok[at, END] = source[tok[at, BEGIN]], source[tok[at, END] - 1] + 1
    return count, figure
