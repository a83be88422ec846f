"""Spell out the tokens of a text for evidence, and locate the tokens that two texts share."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mathledger.text import lexer, state
from mathledger.text.tokens import BEGIN, END, FROM, KIND, NUMBER, TO, WORD


@dataclass(frozen=True)
class Token:
    spelling: str
    kind: int
    start: int  # Offset in characters of the raw text.
    end: int


Tokens = tuple[Token, ...]


@lru_cache(maxsize=4096)  # Items, and problems with many solutions, occur repeatedly.
def spelled(raw: str) -> Tokens:
    """Return the canonical tokens of a text with their positions, for human-readable evidence."""
    encoded = raw.encode("utf-8", "replace")
    data = np.frombuffer(encoded, np.uint8)
    memory = state.scratch(len(data))
    count, _ = lexer.lex_text(data, memory)
    ascii_only = len(encoded) == len(raw)

    def place(byte: int) -> int:
        return byte if ascii_only else len(encoded[:byte].decode("utf-8", "ignore"))

    rows = memory[0][:count].tolist()
    pool = memory[1].tobytes()
    return tuple(
        Token(
            pool[row[FROM] : row[TO]].decode("utf-8", "replace"),
            row[KIND],
            place(row[BEGIN]),
            place(row[END]),
        )
        for row in rows
    )


def spans(own: Tokens, other: Tokens, ngram_size: int) -> list[dict[str, int]]:
    """Return the character ranges of the own tokens in n-grams that the other text shares.

    If the texts share no n-gram, the ranges cover their shared words and numbers.
    """
    size = max(1, min(ngram_size, len(own), len(other)))

    def grams(tokens: Tokens) -> list[tuple[str, ...]]:
        words = [token.spelling for token in tokens]
        return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]

    theirs = set(grams(other))
    covered = {
        at + step for at, gram in enumerate(grams(own)) if gram in theirs for step in range(size)
    }
    if not covered:
        words = {token.spelling for token in other if token.kind in (WORD, NUMBER)}
        covered = {at for at, token in enumerate(own) if token.spelling in words}
    runs: list[dict[str, int]] = []
    for at in sorted(covered):
        if at - 1 in covered and runs:
            runs[-1]["end"] = max(runs[-1]["end"], own[at].end)
        else:
            runs.append({"start": own[at].start, "end": own[at].end})
    return runs
