"""List the words and macros that the lexer knows, and its action for each."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing
from mathledger.text.hashing import hash_bytes, signed
from mathledger.text.tokens import GROUP, MACRO, NUMBER, OPERATOR, WORD

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

# The lexer's actions at a word or macro.
DROP = 1  # Drop it.
LOOK = 2  # Drop it and treat the brace that follows as formatting.
SKIP_ARGUMENT = 3  # Drop it together with its arguments.
REPLACE = 4  # Replace it by another token.
TAKES_ONE = 5  # Read the next token or brace as its argument.
TAKES_TWO = 6  # Read the next two tokens or braces as its arguments.
TEN = 7  # Read a number to which the next word may add a unit.
UNIT = 8  # Read a number.
OPENS_PHRASE = 9  # Look for a boilerplate phrase here.
TAG = 10  # Drop the tag with this name.

# Formatting macros are dropped.
_FORMATTING = r"""
    \left \right \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr \middle
    \displaystyle \textstyle \scriptstyle \limits \nolimits \quad \qquad \hfill \newline \linebreak
    \noindent \par \hline \smallskip \medskip \bigskip \centering \enspace \thinspace \allowbreak
    \nonumber \notag \item \rm \bf \it \cal \tt \large \Large \small \tiny \normalsize
    \mathstrut \strut \null \protect \ensuremath \boldmath \unboldmath \dollar
"""
# Layout macros are dropped together with their arguments.
_LAYOUT = r"""
    \begin \end \hspace \vspace \label \tag \includegraphics \color \textcolor \phantom \hphantom
    \vphantom \url \href \kern \raisebox \setlength \fontsize \rule
"""
# These macros only change the look of their argument.
_LOOK = r"""
    \text \textbf \textit \textrm \texttt \textsf \textsc \textnormal \textup \textsl \emph
    \mathrm \mathbf \mathit \mathsf \mathtt \mathnormal \mbox \hbox \fbox \boxed \operatorname
    \underline \bm \boldsymbol \mathop \mathrel \mathbin \mathord \mathopen \mathclose \uline
"""
_SPELLINGS = {
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\dbinom": r"\binom",
    r"\tbinom": r"\binom", r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\leqq": "<=",
    r"\ge": ">=", r"\geq": ">=", r"\geqslant": ">=", r"\geqq": ">=", r"\ne": "!=", r"\neq": "!=",
    r"\lt": "<", r"\gt": ">", r"\cdot": "*", r"\times": "*", r"\ast": "*", r"\div": "/",
    r"\colon": ":", r"\mid": "|", r"\vert": "|", r"\lvert": "|", r"\rvert": "|", r"\Vert": "||",
    r"\lVert": "||", r"\rVert": "||", r"\circ": "°", r"\degree": "°", r"\degrees": "°",
    r"\ldots": "...", r"\dots": "...", r"\cdots": "...", r"\dotsc": "...", r"\dotsb": "...",
    r"\vdots": "...", r"\ddots": "...", r"\prime": "'", r"\lbrace": "{", r"\rbrace": "}",
    r"\lbrack": "[", r"\rbrack": "]", r"\lparen": "(", r"\rparen": ")", r"\to": r"\rightarrow",
    r"\longrightarrow": r"\rightarrow", r"\implies": r"\Rightarrow", r"\iff": r"\Leftrightarrow",
    r"\varphi": r"\phi", r"\varepsilon": r"\epsilon", r"\vartheta": r"\theta",
    r"\varnothing": r"\emptyset", r"\land": r"\wedge", r"\lor": r"\vee", r"\backslash": "\\",
    r"\setminus": "\\", r"\bmod": "mod", r"\pmod": "mod", r"\mod": "mod", r"\percent": "%",
    r"\sin": "sin", r"\cos": "cos", r"\tan": "tan", r"\cot": "cot", r"\sec": "sec",
    r"\csc": "csc", r"\log": "log", r"\ln": "ln", r"\exp": "exp", r"\lim": "lim", r"\max": "max",
    r"\min": "min", r"\gcd": "gcd", r"\lcm": "lcm", r"\det": "det", r"\arcsin": "arcsin",
    r"\arccos": "arccos", r"\arctan": "arctan", r"\deg": "deg", r"\sup": "sup", r"\inf": "inf",
    "sqrt": r"\sqrt", "percent": "%", "degree": "°", "degrees": "°", "pi": r"\pi",
}  # fmt: skip
_ONE_ARGUMENT = (r"\sqrt",)
_TWO_ARGUMENTS = (r"\frac", r"\binom", r"\dfrac", r"\tfrac", r"\cfrac", r"\dbinom", r"\tbinom")
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
UNIT_DIGITS = dict(zip(_NUMBER_WORDS.split()[1:10], b"123456789", strict=True))
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
# A sentence that starts like this and has no number is about the form of the answer, not about
# the problem.
BOILERPLATE = (
    "express your answer", "express your final answer", "express the answer", "express each answer",
    "express all answers", "express answers", "give your answer", "give the answer",
    "give your final answer", "write your answer", "write the answer", "write your final answer",
    "enter your answer", "enter your final answer", "enter all", "provide your answer",
    "provide the answer", "put your answer", "put your final answer", "put the final answer",
    "put the answer", "simplify your answer", "leave your answer", "round your answer",
    "state your answer", "report your answer", "your answer should", "return your final answer",
    "please reason", "please solve", "please answer", "solve the following problem",
    "solve the following math problem", "solve this problem", "answer the following question",
    "think step by step", "work step by step", "let us think step by step", "show your work",
    "show all your work", "if necessary express", "box your answer", "box your final answer",
)  # fmt: skip
_TAGS = ("math", "cmath", "imath", "br", "p", "i", "b", "u", "em", "strong", "center", "asy")


_SLOTS = 4096  # Slots of the word table, many times the number of its entries.


# The columns of an entry are the hash of its name, the lexer's action, the token that it becomes
# (hash, kind, start and end of the spelling in the pool) and the digit that it adds to a ten, or 0.
NAME, ACTION, NEW_HASH, NEW_KIND, NEW_FROM, NEW_TO, UNIT_DIGIT = range(7)


@cache
def known() -> dict[str, tuple[int, str]]:
    """Return the lexer's action for each word and macro, and the spelling that it becomes."""
    words: dict[str, tuple[int, str]] = {}
    for phrase in BOILERPLATE:
        words[phrase.split()[0]] = (OPENS_PHRASE, phrase.split()[0])
    for name in _FORMATTING.split():
        words[name] = (DROP, "")
    for name in _LAYOUT.split():
        words[name] = (SKIP_ARGUMENT, "")
    for name in _LOOK.split():
        words[name] = (LOOK, "")
    for name, spelling in _SPELLINGS.items():
        words[name] = (REPLACE, spelling)
    for name in _ONE_ARGUMENT:
        words[name] = (TAKES_ONE, name)
    for name in _TWO_ARGUMENTS:
        words[name] = (TAKES_TWO, _SPELLINGS.get(name, name))
    for name in _TAGS:
        words["<" + name] = (TAG, "")
    for number, name in enumerate(_NUMBER_WORDS.split()):
        words[name] = (UNIT, str(number))
    words["one"] = (UNIT, "one")  # It is mostly a pronoun and stays a word.
    for number, name in enumerate(_TENS_WORDS.split()):
        words[name] = (TEN, str(20 + 10 * number))
    return words


@cache
def word_table() -> tuple[npt.NDArray[np.uint16], I64, U8]:
    """Return the vocabulary as a hash table.

    Returns:
        The entry number in each slot, found by the low bits of a name's hash (open addressing, 0
        means free); the entries, shape (entries, 7), of which the first is unused; and the pool of
        spellings.
    """
    slots, entries, pool = np.zeros(_SLOTS, np.uint16), [[0] * 7], bytearray()
    for name, (action, spelling) in known().items():
        slot = hash_bytes(name.encode()) % _SLOTS
        while slots[slot]:
            slot = (slot + 1) % _SLOTS
        slots[slot] = len(entries)
        own, new = signed(name.encode(), spelling.encode())
        place = len(pool), len(pool) + len(spelling.encode())
        unit = UNIT_DIGITS.get(name, 0)
        entries.append([int(own), action, int(new), kind_of(spelling), *place, unit])
        pool += spelling.encode()
    return slots, np.array(entries, np.int64), np.frombuffer(bytes(pool), np.uint8)


def kind_of(spelling: str) -> int:
    """Return the kind of the token that a word or macro becomes."""
    if spelling.isdigit():
        return NUMBER
    if spelling.isalpha():
        return WORD
    if spelling == "..." or (spelling.startswith("\\") and len(spelling) > 1):
        return MACRO
    return GROUP if spelling and spelling in "()[]{}" else OPERATOR


@cache
def phrases() -> tuple[I64, I32]:
    """Return the token hashes of all boilerplate phrases in one array, and each phrase's end."""
    words, offsets = list[bytes](), [0]
    for phrase in BOILERPLATE:
        words += phrase.encode().split()
        offsets.append(len(words))
    return signed(*words), np.array(offsets, np.int32)


@borrowing
def find(value: Any, slots: Any, entries: Any) -> int:
    """Return the number of the entry for a name's hash, or 0 if there is none."""
    slot = value & np.uint64(_SLOTS - 1)
    while slots[slot] != 0 and entries[slots[slot], NAME] != np.int64(value):
        slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
    return int(slots[slot])
