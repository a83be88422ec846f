"""Group rows with equal keys, and problems that differ only in their numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import borrowing, kernel
from mathledger.core.strings import text_bytes
from mathledger.text import lexer, state
from mathledger.text.hashing import mix
from mathledger.text.tokens import HASH, KIND, NUMBER

U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


@kernel
def first_of(keys: Any) -> Any:
    """Return, for each row, the first row with the same key.

    Args:
        keys: Hashes, shape (rows, words), with fewer than 2**31 rows.
    """
    num_slots = 16
    while num_slots < 2 * len(keys):
        num_slots *= 2
    slots = np.full(num_slots, -1, np.int32)
    first = np.empty(len(keys), np.int64)
    for row in range(len(keys)):
        slot = mix(keys[row, 0]) & np.uint64(num_slots - 1)
        while slots[slot] >= 0:
            same = True
            for word in range(keys.shape[1]):
                same &= keys[slots[slot], word] == keys[row, word]
            if same:
                break
            slot = (slot + np.uint64(1)) & np.uint64(num_slots - 1)
        if slots[slot] < 0:
            slots[slot] = row
        first[row] = slots[slot]
    return first


@kernel
def _spelling_keys(data: Any, offsets: Any) -> Any:
    """Hash eight bytes at a time; the size tells a text from one with zero bytes at its end."""
    keys = np.empty((len(offsets) - 1, 2), np.uint64)
    for row in range(len(keys)):
        at, last = offsets[row], offsets[row + 1]
        low = mix(np.uint64(last - at))
        high = mix(low + np.uint64(1))
        while at < last:
            word = np.uint64(0)
            for place in range(at, min(at + 8, last)):
                word = word << np.uint64(8) | np.uint64(data[place])
            low = mix(low + word)
            high = mix(high ^ (word * np.uint64(0x9E3779B97F4A7C15)))
            at += 8
        keys[row, 0], keys[row, 1] = low, high
    return keys


def spelling_keys(texts: pa.Array) -> U64:
    """Return a 128-bit hash of every text as it is written, shape (texts, 2)."""
    keys: U64 = _spelling_keys(*text_bytes(texts))
    return keys


@borrowing
def template(tokens: Any, count: int) -> tuple[Any, Any]:
    """Return a 128-bit hash of the tokens from `lexer.lex`, with all numbers masked."""
    low, high = np.uint64(0), np.uint64(1)
    for at in range(count):
        token = np.uint64(tokens[at, HASH])
        if tokens[at, KIND] == NUMBER:
            token = np.uint64(NUMBER)
        low = mix(low + token)
        high = mix(high ^ (token * np.uint64(0x9E3779B97F4A7C15)))
    return low, high


@kernel
def _templates(data: Any, offsets: Any, tables: Any, scratch: Any) -> Any:
    keys = np.zeros((len(offsets) - 1, 2), np.uint64)
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        keys[row, 0], keys[row, 1] = template(scratch.tokens, count)
    return keys


def templates(problems: pa.Array) -> U64:
    """Return a 128-bit hash of every problem with its numbers masked, shape (problems, 2).

    Problems with the same template form a family: they ask the same with different numbers.
    """
    data, offsets = text_bytes(problems)
    keys: U64 = _templates(data, offsets, lexer.tables(), state.scratch(state.longest(offsets)))
    return keys


@kernel
def _coins(data: Any, offsets: Any, seed: int) -> Any:
    coins = np.empty(len(offsets) - 1)
    for row in range(len(coins)):
        value = mix(np.uint64(seed))
        for at in range(offsets[row], offsets[row + 1]):
            value = mix(value + np.uint64(data[at]))
        coins[row] = (value >> np.uint64(11)) * 2.0**-53
    return coins


def coins(keys: pa.Array | U64, seed: int) -> F64:
    """Return for each key a number in [0, 1) that depends only on the key and the seed.

    Args:
        keys: Strings, or hashes with shape (keys, words).
    """
    if isinstance(keys, np.ndarray):
        data = np.ascontiguousarray(keys).view(np.uint8).ravel()
        data.flags.writeable = False  # Like text_bytes, so that one kernel serves both.
        offsets = np.arange(len(keys) + 1) * 8 * keys.shape[1]
    else:
        data, offsets = text_bytes(keys)
    drawn: F64 = _coins(data, offsets, seed)
    return drawn
