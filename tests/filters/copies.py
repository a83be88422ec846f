"""Find the copies among a few problems as the stage deduplicate does, without its files."""

import numba
import numpy as np
import pyarrow as pa

from mathledger.core.strings import text_bytes
from mathledger.filters import deduplicate, minhash, near_copies, wording
from mathledger.run import params
from mathledger.text import canonical, groups, lexer, state

SETTINGS = params.load("deduplicate", deduplicate.Params)


@numba.njit
def _read_content(tokens, count, spellings, said):  # type: ignore[no-untyped-def]
    return wording.read_content(tokens, count, spellings, said)


def content(problem: str) -> list[int]:
    """Return a hash of each thing that the problem says."""
    data = np.frombuffer(problem.encode(), np.uint8)
    memory = state.scratch(len(data))
    count, _ = lexer.lex_text(data, memory)
    said = wording.content_memory(count)
    size = _read_content(memory.tokens, count, memory.spellings, said)
    return [int(value) for value in said.values[:size]]


def near(*problems: str) -> dict[int, tuple[int, float]]:
    """Map the number of each near copy to the kept problem and their similarity."""
    array = pa.array(problems)
    sketched = minhash.sketches(array, SETTINGS.bands())
    pairs, _ = minhash.propose(sketched)
    similarity = near_copies.similarities(*text_bytes(array), pairs, SETTINGS.ngram_size)
    limit, has_drawing = SETTINGS.jaccard, sketched["drawing"] != 0
    kept, likeness = near_copies.stars(pairs, similarity, limit, has_drawing)
    return {
        number: (int(kept[number]), float(likeness[number]))
        for number in np.flatnonzero(kept >= 0).tolist()
    }


def num_exact(*problems: str) -> int:
    """Return how many problems are exact copies of an earlier one."""
    first = groups.first_of(canonical.keys(pa.array(problems)))
    return int((first != np.arange(len(problems))).sum())


def are_copies(one: str, other: str) -> bool:
    """Return True if deduplicate keeps only one of two problems with equal solutions."""
    return bool(num_exact(one, other) or near(one, other))
