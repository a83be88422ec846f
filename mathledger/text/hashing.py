"""Hash a token's spelling to 64 bits: FNV-1a followed by the mixer of splitmix64."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import inlined

I64 = npt.NDArray[np.int64]

SEED, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # The constants of FNV-1a.


def hash_bytes(data: bytes) -> int:
    """Return the 64-bit hash of a token's spelling, as `lex` computes it."""
    value = int(SEED)
    for byte in data:
        value = ((value ^ byte) * int(PRIME)) % 2**64
    return mixed(value)


def mixed(value: int) -> int:
    """Return `mix` of a value; this runs outside of kernels."""
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) % 2**64
    return value ^ value >> 31


def signed(*words: bytes) -> I64:
    """Return the hashes of words as signed integers, as in the HASH column."""
    return np.array([hash_bytes(word) for word in words], np.uint64).view(np.int64)


@inlined
def mix(value: Any) -> Any:
    """Mix a value so that every input bit affects every output bit (splitmix64, Vigna 2015)."""
    value = np.uint64(value)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@inlined
def hash_small(letter: Any) -> Any:
    """Hash a Latin letter as its small form."""
    return mix((SEED ^ np.uint64(letter | np.uint8(32))) * PRIME)


@inlined
def hash_span(data: Any, start: int, end: int) -> Any:
    value = SEED
    for index in range(start, end):
        value = (value ^ data[index]) * PRIME
    return mix(value)
