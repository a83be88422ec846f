"""List the words and macros that the lexer knows, and its action for each."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing
from mathledger.text.hashing import hash_bytes, signed
from mathledger.text.idiom_table import IDIOMS, idioms_of
from mathledger.text.tokens import (
    CROSS,
    FUNCTION,
    FUNCTIONS,
    GROUP,
    MACRO,
    NUMBER,
    OPERAND,
    OPERATOR,
    WORD,
)

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

# The lexer's actions at a word or macro. The first five leave it out.
DROP = 1  # Drop it.
LOOK = 2  # Drop it and treat the brace that follows as formatting.
SKIP_ONE = 3  # Drop it together with its first argument.
SKIP_TWO = 4  # Drop it together with its first two arguments.
ENVIRONMENT = 5  # Drop it together with its layout arguments; a matrix becomes brackets.
REPLACE = 6  # Replace it by another token, perhaps with more tokens after it.
TAKES_ONE = 7  # Read the next token or brace as its argument.
TAKES_TWO = 8  # Read the next two tokens or braces as its arguments.
FRACTION = 9  # Write a bar between the two tokens or braces that follow.
BAR = 10  # Write a bar between what its group holds before and after it, or \binom before.
OVERLINE = 11  # Drop it over the two ends of a segment; otherwise read its argument.
NUMERAL = 12  # Read a number below 100, or add it to the number word before it.
OPENS_PHRASE = 13  # Look for a boilerplate phrase here.
TAG = 14  # Drop the tag with this name.
BY = 15  # Between two numbers or letters, replace it by a product sign.
NTH = 16  # Split it into a letter and "th".
COLON = 17  # Read it as a colon.
MODULO = 18  # Drop the bracket before it, as in (mod 5).
ORDINAL_ENDING = 19  # After a number or letter, read it as "th".
ROOT = 20  # Read a bracket that follows as its argument.
MID = 21  # Read it as a bar, or as a colon in a set.
ARC = 22  # Read it as the word arc, unless it is another accent.
CHOICE = 23  # Note that it may stand in a binomial coefficient, as in 9 choose 4.
# If the following actions do not apply, the word stays.
SCALE = 24  # Multiply the number before it.
EXPAND = 25  # Read it as several tokens.
PART = 26  # After a number, read it as the denominator of a fraction, otherwise as an ordinal.
QUARTER = 27  # After a number and before "of", read it as the denominator of a fraction.
HALF = 28  # Read it as 1/2.
NOT = 29  # Negate the equals sign that follows.
DIVIDED = 30  # Between two operands and before "by", read it as a slash.
TIMES = 31  # Between two numbers, read it as a product sign.
BASE = 32  # Between two numbers, read it as an index.

# Formatting macros are dropped.
_FORMATTING = r"""
    \left \right \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr \middle
    \displaystyle \textstyle \scriptstyle \limits \nolimits \quad \qquad \hfill \newline \linebreak
    \noindent \par \hline \smallskip \medskip \bigskip \centering \enspace \thinspace \allowbreak
    \nonumber \notag \item \rm \bf \it \cal \tt \large \Large \small \tiny \normalsize
    \mathstrut \strut \null \protect \ensuremath \boldmath \unboldmath \dollar \textdollar
    \SI \si \qty \unit \num \ang
"""
# Layout macros are dropped together with their arguments.
_SKIP_ONE = r"""
    \hspace \vspace \label \tag \includegraphics \color \textcolor \colorbox \phantom \hphantom
    \vphantom \url \href \kern \raisebox
"""
_SKIP_TWO = r"\setlength \fontsize \rule \fcolorbox"
# These macros only change the look of their argument.
_LOOK = r"""
    \text \textbf \textit \textrm \texttt \textsf \textsc \textnormal \textup \textsl \emph
    \mathrm \mathbf \mathit \mathsf \mathtt \mathnormal \mbox \hbox \fbox \boxed \operatorname
    \underline \bm \boldsymbol \mathop \mathrel \mathbin \mathord \mathopen \mathclose \uline
    \mathbb \Bbb \mathcal \mathscr \mathfrak \bold \pmb \vec \overrightarrow \overleftrightarrow
    \underbrace \overbrace \substack \smash \framebox
"""
_SPELLINGS = {
    r"\dbinom": r"\binom",
    r"\tbinom": r"\binom", r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\leqq": "<=",
    r"\ge": ">=", r"\geq": ">=", r"\geqslant": ">=", r"\geqq": ">=", r"\ne": "!=", r"\neq": "!=",
    r"\lt": "<", r"\gt": ">", r"\cdot": "*", r"\times": "*", r"\ast": "*", r"\cdotp": "*",
    r"\centerdot": "*", r"\div": "/",
    r"\lvert": "|", r"\rvert": "|", r"\langle": "<", r"\rangle": ">",
    r"\circ": "°", r"\degree": "°", r"\degrees": "°",
    r"\minus": "-", r"\plus": "+", r"\equal": "=",
    r"\ldots": "...", r"\dots": "...", r"\cdots": "...", r"\dotsc": "...", r"\dotsb": "...",
    r"\dotsm": "...", r"\vdots": "...", r"\ddots": "...", r"\prime": "'", r"\lbrace": "{",
    r"\rbrace": "}", r"\lbrack": "[", r"\rbrack": "]", r"\lparen": "(", r"\rparen": ")",
    r"\to": r"\rightarrow", r"\longrightarrow": r"\rightarrow", r"\gets": r"\leftarrow",
    r"\longleftarrow": r"\leftarrow", r"\longmapsto": r"\mapsto", r"\implies": r"\Rightarrow",
    r"\Longrightarrow": r"\Rightarrow", r"\impliedby": r"\Leftarrow",
    r"\Longleftarrow": r"\Leftarrow", r"\iff": r"\Leftrightarrow",
    r"\Longleftrightarrow": r"\Leftrightarrow", r"\varphi": r"\phi", r"\varepsilon": r"\epsilon",
    r"\vartheta": r"\theta", r"\varrho": r"\rho", r"\varnothing": r"\emptyset",
    r"\land": r"\wedge", r"\lor": r"\vee", r"\lnot": r"\neg", r"\Box": r"\square",
    r"\Diamond": r"\diamond", r"\lozenge": r"\diamond", r"\bigstar": r"\star",
    r"\owns": r"\ni", r"\dag": r"\dagger", r"\ddag": r"\ddagger",
    r"\backslash": "\\", r"\setminus": "\\",
    r"\percent": "%", r"\triangle": "triangle", r"\bigtriangleup": "triangle",
    r"\angle": "angle", r"\measuredangle": "angle", r"\deg": "deg",
    "percent": "%", "degree": "°", "degrees": "°", "triangles": "triangles",
    r"\metre": "m", r"\meter": "m", r"\second": "s", r"\gram": "g", r"\litre": "l",
    r"\liter": "l", r"\hour": "hours", r"\minute": "minutes",
    r"\kilogram": "kg", r"\per": "/",
    "centimeter": "cm", "centimeters": "cm", "centimetre": "cm", "centimetres": "cm",
    "millimeter": "mm", "millimeters": "mm", "millimetre": "mm", "millimetres": "mm",
    "kilometer": "km", "kilometers": "km", "kilometre": "km", "kilometres": "km",
    "kilogram": "kg", "kilograms": "kg", "milligram": "mg", "milligrams": "mg",
    "milliliter": "ml", "milliliters": "ml", "millilitre": "ml", "millilitres": "ml",
    "sq": "square", "foot": "ft", "feet": "ft", "inch": "inches", "pound": "lb", "pounds": "lb",
    "lbs": "lb", "yd": "yards", "yds": "yards", "gal": "gallons", "gals": "gallons",
    "ounce": "oz", "ounces": "oz", "hr": "hour", "hrs": "hours", "mins": "minutes",
    "secs": "seconds", "metre": "meter", "metres": "meters", "litre": "liter",
    "litres": "liters", "colour": "color", "colours": "colors", "coloured": "colored",
    "centre": "center", "centres": "centers", "grey": "gray", "travelled": "traveled",
    "travelling": "traveling", "labelled": "labeled",
}  # fmt: skip
_ARCS = r"\overset \stackrel \widehat \overarc \wideparen \arc"
_ONE_ARGUMENT = {r"\sqrt": r"\sqrt"}
_TWO_ARGUMENTS = (r"\binom", r"\dbinom", r"\tbinom")
_FRACTIONS = r"\frac \dfrac \tfrac \cfrac"
# Other names of functions, and the tokens that they become.
_OTHER_FUNCTIONS = {
    "exp": "e ^", "lg": "log _ 10", "arcsin": "sin ^ - 1", "arccos": "cos ^ - 1",
    "arctan": "tan ^ - 1", "arctg": "tan ^ - 1", "arccot": "cot ^ - 1", "arcctg": "cot ^ - 1",
    "tg": "tan", "ctg": "cot", "cotg": "cot", "cosec": "csc", "gcf": "gcd", "hcf": "gcd",
}  # fmt: skip
# Names of quantities, which are factors in a product.
_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
    "tau upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega "
    "infty ell hbar imath jmath emptyset"
)
# Greek letters that are no other words, unlike psi and eta.
_GREEK_WORDS = "pi alpha beta gamma delta epsilon theta lambda sigma omega phi"
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "dozen": 12}
# Words for several tokens.
_EXPANSIONS = {
    "twice": "2 times", "thrice": "3 times", r"\Vert": "| |", r"\lVert": "| |", r"\rVert": "| |",
}  # fmt: skip
_PARTS = (
    "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_NTH = "nth kth mth jth ith rth pth qth"
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
# A sentence that starts like this and has no number is about the form of the answer, not about
# the problem.
BOILERPLATE = (
    "express your answer", "express your final answer", "express the answer", "express each answer",
    "express all answers", "express answers", "give your answer", "give the answer",
    "give the final answer", "provide only", "your final answer", "answer in",
    "answer with", "answer as",
    "give your final answer", "write your answer", "write the answer", "write your final answer",
    "enter your answer", "enter your final answer", "enter all", "provide your answer",
    "provide the answer", "put your answer", "put your final answer", "put the final answer",
    "put the answer", "simplify your answer", "leave your answer", "round your answer",
    "state your answer", "report your answer", "your answer should", "return your final answer",
    "please reason", "please solve", "please answer", "solve the following problem",
    "solve the following math problem", "solve this problem", "answer the following question",
    "think step by step", "let s think step by step",
    "work step by step", "let us think step by step", "show your work",
    "show all your work", "if necessary express", "box your answer", "box your final answer",
)  # fmt: skip
_TAGS = (
    "math", "cmath", "imath", "br", "p", "i", "b", "u", "em", "strong", "center", "asy", "div",
    "span", "li", "ul", "ol", "hr", "table", "tr", "td", "th", "code", "pre", "tex", "latex",
    "quote", "hide", "mi", "mn", "mo", "mrow", "mtext", "var", "small", "big", "tt", "kbd", "samp",
    "a", "img", "dl", "dt", "dd", "tbody", "thead",
)  # fmt: skip


_SLOTS = 4096  # Slots of the word table, many times the number of its entries.


# The columns of an entry are the hash of its name, the lexer's action, the token that it becomes
# (hash, kind, start and end of the spelling in the pool, flags), the value of a number in words or
# the end in the pool of several tokens, and the idioms of which it is the last word.
NAME, ACTION, NEW_HASH, NEW_KIND, NEW_FROM, NEW_TO, NEW_FLAGS, VALUE, FIRST_IDIOM, END_IDIOM = (
    range(10)
)


@cache
def known() -> dict[str, tuple[int, str]]:
    """Return the lexer's action for each word and macro, and the spelling that it becomes."""
    words: dict[str, tuple[int, str]] = {}
    for phrase in BOILERPLATE:
        words[phrase.split()[0]] = (OPENS_PHRASE, phrase.split()[0])
    for names, action in (
        (_FORMATTING, DROP),
        (_LOOK, LOOK),
        (_SKIP_ONE, SKIP_ONE),
        (_SKIP_TWO, SKIP_TWO),
        (r"\begin \end", ENVIRONMENT),
        (_FRACTIONS, FRACTION),
    ):
        for name in names.split():
            words[name] = (action, "")
    for name, spelling in _SPELLINGS.items():
        words[name] = (REPLACE, spelling)
    for name in FUNCTIONS:
        words[name] = words["\\" + name] = (REPLACE, name)
    for name, spelling in _OTHER_FUNCTIONS.items():
        words[name] = words["\\" + name] = (REPLACE, spelling)
    for name in _NAMES.split():
        words["\\" + name] = (REPLACE, _SPELLINGS.get("\\" + name, "\\" + name))
    words["sqrt"] = (ROOT, r"\sqrt")
    words["infinity"] = (REPLACE, r"\infty")
    for name in _GREEK_WORDS.split():
        words[name] = (REPLACE, "\\" + name)
    for name, spelling in _ONE_ARGUMENT.items():
        words[name] = (TAKES_ONE, spelling)
    for name in _TWO_ARGUMENTS:
        words[name] = (TAKES_TWO, _SPELLINGS.get(name, name))
    words[r"\over"] = (BAR, "/")
    words[r"\choose"] = (BAR, r"\binom")
    words["choose"] = (CHOICE, "choose")
    words[r"\overline"] = words[r"\bar"] = (OVERLINE, r"\overline")
    words["by"] = (BY, "*")
    words[r"\colon"] = (COLON, ":")
    words[r"\mid"] = words[r"\vert"] = (MID, "|")
    for name in _ARCS.split():
        words[name] = (ARC, name)
    for name, scale in _SCALES.items():
        words[name] = (SCALE, str(scale))
    for name, spelling in _EXPANSIONS.items():
        words[name] = (EXPAND, spelling)
    for number, name in enumerate(_PARTS.split()):
        words[name] = words[name + "s"] = (PART, str(number + 3))
    for number, name in enumerate(_TENS_WORDS.split()):
        words[name.replace("y", "ieth")] = (PART, str(20 + 10 * number))
    words["divided"] = (DIVIDED, "/")
    words["times"] = (TIMES, "times")
    words["base"] = (BASE, "base")
    words["quarter"] = words["quarters"] = (QUARTER, "4")
    words["half"] = (HALF, "1 / 2")
    for name in ("st", "nd", "rd", "th"):
        words[name] = (ORDINAL_ENDING, "th")
    for name in ("mod", "modulo", r"\mod", r"\bmod", r"\pmod"):
        words[name] = (MODULO, "mod")
    words[r"\not"] = (NOT, "!=")
    for name in _NTH.split():
        words[name] = (NTH, name[0])
    for name in _TAGS:
        words["<" + name] = (TAG, "")
    for number, name in enumerate(_NUMBER_WORDS.split()):
        words[name] = (NUMERAL, str(number))
    for phrase in IDIOMS:
        last = phrase.split()[-1]
        if last.isalpha() and len(last) > 1:
            words.setdefault(last, (REPLACE, last))
    words["one"] = (NUMERAL, "one")  # It is mostly a pronoun and stays a word.
    for number, name in enumerate(_TENS_WORDS.split()):
        words[name] = (NUMERAL, str(20 + 10 * number))
    return words


def flags_of(name: str, spelling: str) -> int:
    """Return the flags of the token that a word or macro becomes."""
    if spelling == r"\sqrt" or spelling.partition(" ")[0] in FUNCTIONS:
        return FUNCTION
    if spelling.startswith("\\") and spelling[1:] in _NAMES.split():
        return OPERAND
    return CROSS if name == r"\times" else 0


@cache
def word_table() -> tuple[npt.NDArray[np.uint16], I64, U8]:
    """Return the vocabulary as a hash table.

    Returns:
        The entry number in each slot, found by the low bits of a name's hash (open addressing, 0
        means free); the entries, shape (entries, 10), of which the first is unused; and the pool of
        spellings.
    """
    slots, entries, pool = np.zeros(_SLOTS, np.uint16), [[0] * 10], bytearray()
    for name, (action, spelling) in known().items():
        slot = hash_bytes(name.encode()) % _SLOTS
        while slots[slot]:
            slot = (slot + 1) % _SLOTS
        slots[slot] = len(entries)
        first = spelling.split(" ")[0] if action == REPLACE else spelling
        own, new = signed(name.encode(), first.encode())
        place = len(pool), len(pool) + len(first.encode())
        value = 1 if name == "one" else int(spelling) if spelling.isdigit() else 0
        if first != spelling:
            value = len(pool) + len(spelling)
        flags = flags_of(name, spelling)
        entries.append(
            [
                int(own),
                action,
                int(new),
                kind_of(first),
                *place,
                flags,
                value,
                *idioms_of(spelling),
            ]
        )
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
