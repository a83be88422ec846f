"""The tokens of a text as a person reads them, and where two texts share them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mathledger.text import lexer, state
from mathledger.text.tokens import BEGIN, END, FROM, KIND, NUMBER, TO, WORD


@dataclass(frozen=True)
class Token:
    spelling: str
    kind: int
    start: int  # characters in the raw text
    end: int


Tokens = tuple[Token, ...]


@lru_cache(maxsize=4096)  # items, and problems with many solutions, come again and again
def spelled(raw: str) -> Tokens:
    """The canonical tokens of a text with their places, for evidence that a person reads."""
    encoded = raw.encode("utf-8", "replace")
    data = np.frombuffer(encoded, np.uint8)
    memory = state.scratch(len(data))
    count, _ = lexer.lex(data, 0, len(data), state.tables(), memory)
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
    """Where own tokens stand in an n-gram that the other text has too: runs of characters.

    Texts without any such n-gram are marked by their shared words and numbers.
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
