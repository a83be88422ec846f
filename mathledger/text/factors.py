"""Tell where the word by and the letter x are product signs."""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.text import chars, shapes, vocabulary
from mathledger.text.chars import LOWER, is_digit, skip_delimiters
from mathledger.text.hashing import PRIME, SEED, mix, signed
from mathledger.text.tokens import END, GROUP, HASH, KIND, MACRO, NUMBER

LENGTHS = "ft inches yards miles mm cm km meters meter units unit"
_LENGTHS = signed(*LENGTHS.encode().split())


@borrowing
def is_product(state: Any, tables: Any, tokens: Any, text: Any, index: int) -> bool:
    """Return True if the word by is a product sign, as in 8-by-8, 3 ft by 5 ft and m by n."""
    last = state.num_tokens - 1
    if last < 0 or tokens[last, KIND] in (GROUP, MACRO):
        return False
    is_length = last > 0 and tokens[last - 1, KIND] == NUMBER
    is_length = is_length and shapes.is_in(tokens[last, HASH], _LENGTHS)
    if not is_length and not shapes.ends_operand(tokens[last]):
        return False
    if text[index] == chars.HYPHEN:
        index += 1
    index = skip_delimiters(text, index, state.size)
    if is_digit(text[index]):
        while is_digit(text[index]):
            index += 1
        return bool(text[index] != chars.SLASH)  # As in divided by 2/3.
    value, size = SEED, 0
    while LOWER[text[index]] != 0:
        value = (value ^ LOWER[text[index]]) * PRIME
        index, size = index + 1, size + 1
    entry = vocabulary.find(mix(value), tables.slots, tables.entries)
    return size == 1 or tables.entries[entry, vocabulary.ACTION] == vocabulary.NUMERAL


@borrowing
def is_cross(state: Any, tokens: Any, text: Any) -> bool:
    """Return True if the letter x is a product sign, as in 8x8 and 3 x 5."""
    last, index = state.num_tokens - 1, state.index
    if last < 0 or tokens[last, KIND] != NUMBER:
        return False
    before, after = tokens[last, END] == index, text[index + 1] != chars.SPACE
    if before != after or (not before and tokens[last, END] != index - 1):
        return False
    return is_digit(text[index + (1 if after else 2)])
