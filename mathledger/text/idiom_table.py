"""List the phrases of words that stand for signs, and the tokens that replace them."""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.text.hashing import signed
from mathledger.text.tokens import FUNCTIONS

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

# A phrase of words and its tokens. N stands for a number, a letter or a closing bracket before the
# phrase, and stays; L stands for a letter.
IDIOMS = {
    "per cent": "%", "log base": "log _", "log _ N of": "log _ N", "square root of": r"\sqrt",
    "cube root of": r"\sqrt [ 3 ]", "N is less than": "N <", "N less than": "N <",
    "N is greater than": "N >", "N greater than": "N >", "< or equal to": "<=",
    "> or equal to": ">=", "less than or equal to": "<=", "greater than or equal to": ">=",
    "more than or equal to": ">=",
    "N is equal to": "N =", "N is not equal to": "N !=", "N equals": "N =",
    "N plus": "N +", "N minus": "N -", "N squared": "N ^ 2", "N not equal to": "N !=",
    "L at least": "L >=", "L is at least": "L >=", "L at most": "L <=", "L is at most": "L <=",
    "is congruent to": r"\cong", "N is congruent to": r"N \equiv",
    "N cubed": "N ^ 3", "is parallel to": r"\parallel",
    "is perpendicular to": r"\perp", "is similar to": r"\sim", "km per hour": "km / h",
    "miles per hour": "mph", "miles / hour": "mph", "km / hour": "km / h",
    "meters per second": "m / s", "° celsius": "° c", "° fahrenheit": "° f", "N meters": "N m",
    "N meter": "N m", "N grams": "N g", "N gram": "N g", "N liters": "N l", "N liter": "N l",
    "one liter": "one l",
    "1 th": "first", "2 th": "second", "cbrt": r"\sqrt [ 3 ]", "N min": "N minutes",
    "greatest common divisor": "gcd", "greatest common factor": "gcd",
    "highest common factor": "gcd", "least common multiple": "lcm", "lowest common multiple": "lcm",
    "N factorial": "N !", "N to the power of": "N ^", "N raised to the power of": "N ^",
    r"\centi m": "cm", r"\milli m": "mm", r"\kilo m": "km", r"\kilo g": "kg", r"\milli g": "mg",
    r"\milli l": "ml",
    "non 0": "nonzero", "N - in": "N inches", "N deg": "N °", "N mi": "N miles", "N rds": "N",
    "N ths": "N",
    "L approaches": r"L \rightarrow", "L tends to": r"L \rightarrow",
}  # fmt: skip
for _ten in range(20, 100, 10):
    IDIOMS[f"{_ten} first"] = f"{_ten + 1} th"
    IDIOMS[f"the {_ten} second"] = f"the {_ten + 2} th"
for _unit in ("cm", "mm", "km", "ft", "inches", "meters", "meter", "miles", "yards"):
    IDIOMS[f"square {_unit}"] = f"{_unit} ^ 2".replace("meters", "m").replace("meter", "m")
    IDIOMS[f"cubic {_unit}"] = f"{_unit} ^ 3".replace("meters", "m").replace("meter", "m")


@cache
def _idioms() -> list[tuple[str, str]]:
    """Return the idioms, sorted by their last word and, for one word, the longest first."""
    return sorted(IDIOMS.items(), key=lambda pair: (pair[0].split()[-1], -len(pair[0].split())))


def idioms_of(name: str) -> tuple[int, int]:
    """Return the range of the idioms that end with a word."""
    own = [at for at, (phrase, _) in enumerate(_idioms()) if phrase.split()[-1] == name]
    return (own[0], own[-1] + 1) if own else (0, 0)


class Idioms(NamedTuple):
    words: I64  # Token hashes of all phrases; 0 stands for N, 1 for L.
    ends: I32  # Where each phrase ends in words.
    kept: I32  # How many first words its replacement has as well.
    pool: U8  # Spellings of the other tokens of all replacements, separated by blanks.
    pool_ends: I32  # Where each replacement ends in the pool.
    is_function: npt.NDArray[np.bool_]  # Whether the first of these tokens is a function.


@cache
def idiom_table() -> Idioms:
    words, ends, kept, pool, pool_ends = list[int](), [0], list[int](), bytearray(), [0]
    is_function = list[bool]()
    for phrase, replacement in _idioms():
        old, new = phrase.split(), replacement.split()
        words += [
            "NL".index(word) if word in "NL" else int(signed(word.encode())[0]) for word in old
        ]
        ends.append(len(words))
        kept.append(next((at for at, word in enumerate(old) if new[at : at + 1] != [word]), 0))
        pool += " ".join(new[kept[-1] :]).encode()
        pool_ends.append(len(pool))
        is_function.append(any(word in (r"\sqrt", *FUNCTIONS) for word in new[kept[-1] :][:1]))
    return Idioms(
        np.array(words, np.int64),
        np.array(ends, np.int32),
        np.array(kept, np.int32),
        np.frombuffer(bytes(pool), np.uint8),
        np.array(pool_ends, np.int32),
        np.array(is_function),
    )
