"""Which rows belong together: those of equal key, and problems that differ in numbers alone."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import kernel
from mathledger.core.strings import text_bytes
from mathledger.text import lexer, state
from mathledger.text.hashing import mix
from mathledger.text.tokens import HASH, KIND, NUMBER

U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


@kernel
def first_of(keys: Any) -> Any:
    """Return the first row with each row's key: hashes, shape (rows, words), fewer than 2**31."""
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
def template(tokens: Any, count: int) -> tuple[Any, Any]:
    """Return a 128-bit hash of the tokens that `lexer.lex` wrote, with the numbers masked."""
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

    Problems of one template are one family: they ask the same with other numbers.
    """
    data, offsets = text_bytes(problems)
    keys: U64 = _templates(data, offsets, state.tables(), state.scratch(state.longest(offsets)))
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
    """Draw a number in [0, 1) from the seed and each key alone: strings or hashes (keys, words)."""
    if isinstance(keys, np.ndarray):
        data = np.ascontiguousarray(keys).view(np.uint8).ravel()
        data.flags.writeable = False  # as those of text_bytes: one kernel is compiled
        offsets = np.arange(len(keys) + 1) * 8 * keys.shape[1]
    else:
        data, offsets = text_bytes(keys)
    drawn: F64 = _coins(data, offsets, seed)
    return drawn
