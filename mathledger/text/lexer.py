r"""When two problems are the same problem: canonical tokens, for deduplication and decontamination.

Formatting is folded away; what carries the meaning stays: numbers with their decimals, signs,
operators, and the order of all of it.

>>> canonical(r"What is $\dfrac{1}{2}\left(1{,}000 - .50\right)$?")
'what is \\frac 1 2 ( 1000 - 0.5 )'
>>> canonical("What is \\frac12 ( 1,000 − 0.5 ) ?")
'what is \\frac 1 2 ( 1000 - 0.5 )'
>>> canonical("$x^{10} - 98x^4$"), canonical("x^10 + 98 x^4")
('x ^ 10 - 98 x ^ 4', 'x ^ 10 + 98 x ^ 4')
>>> canonical(r"$\frac{a+b}{c}$"), canonical(r"$\frac{a}{b+c}$")
('\\frac ( a + b ) c', '\\frac a ( b + c )')
>>> canonical(r"Compute $\tan 22.5^\circ$."), canonical("Compute tan(22.5 degrees)")
('compute tan 22.5 °', 'compute tan ( 22.5 ° )')
>>> canonical("Solve the following problem. Find $x$. Put your final answer within \\boxed{}.")
'find x'
>>> canonical(r"What is the sum of two and 3? $\textbf{(A)}\ 4\quad\textbf{(B)}\ 5\quad"
...           r"\textbf{(C)}\ 6\quad\textbf{(D)}\ 7$")
'what is the sum of 2 and 3'
>>> canonical("Simplify $(26^2\n- 10)^2$:\n- $x$.\n- $y$.")
'simplify ( 26 ^ 2 - 10 ) ^ 2 x y'
>>> canonical("A hen lays 3 eggs. [asy] draw((0,0)--(1,1)); [/asy] Find 5!")
'a hen lays 3 eggs find 5 !'

The rules are in `lex`, one compiled pass over the bytes; docs/filtering.md lists them with their
reasons. It releases the GIL, so that threads scale.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import inlined, kernel

# Kinds of token.
WORD, NUMBER, OPERATOR, MACRO, GROUP = range(5)
# Columns of a token: hash of its spelling, kind, spelling (place in the pool), raw span, flags.
HASH, KIND, FROM, TO, BEGIN, END, FLAGS = range(7)
# What `lex` does at a word or macro that is in the table.
_DROP, _TEXT, _SKIP_ARGUMENT, _REPLACE, _TAKES_ONE, _TAKES_TWO, _TENS, _UNIT, _OPENS, _TAG = range(
    1, 11
)

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

# Macros and words that are formatting: left out.
_FORMATTING = r"""
    \left \right \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr \middle
    \displaystyle \textstyle \scriptstyle \limits \nolimits \quad \qquad \hfill \newline \linebreak
    \noindent \par \hline \smallskip \medskip \bigskip \centering \enspace \thinspace \allowbreak
    \nonumber \notag \item \rm \bf \it \cal \tt \large \Large \small \tiny \normalsize
    \mathstrut \strut \null \protect \ensuremath \boldmath \unboldmath \dollar
"""
# Macros whose argument is left out as well.
_LAYOUT = r"""
    \begin \end \hspace \vspace \label \tag \includegraphics \color \textcolor \phantom \hphantom
    \vphantom \url \href \kern \raisebox \setlength \fontsize \rule
"""
# Macros that only change the look of their argument.
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
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
# A sentence that starts so and holds no number says how to write the answer, not what is asked.
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
_UNICODE = {
    "−": "-", "–": "-", "‐": "-", "‑": "-", "—": " ", "×": "*", "·": "*", "⋅": "*", "∙": "*",
    "•": " ", "÷": "/", "∕": "/", "⁄": "/", "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≠": "!=",
    "°": "°", "º": "°", "∘": "°", "√": r" \sqrt ", "∞": r" \infty ", "…": "...", "⋯": "...",
    "‘": "'", "’": "'", "′": "'", "“": " ", "”": " ", "∈": r" \in ", "∉": r" \notin ",
    "∪": r" \cup ", "∩": r" \cap ", "⊂": r" \subset ", "⊆": r" \subseteq ", "∅": r" \emptyset ",
    "∑": r" \sum ", "∏": r" \prod ", "∫": r" \int ", "∠": r" \angle ", "△": r" \triangle ",
    "∆": r" \triangle ", "⊥": r" \perp ", "∥": r" \parallel ", "≡": r" \equiv ",
    "≅": r" \cong ", "≈": r" \approx ", "∼": r" \sim ", "→": r" \rightarrow ", "±": r" \pm ",
    "∀": r" \forall ", "∃": r" \exists ", "∣": "|", "￥": " ", "€": " ", "£": " ",
    "，": ",", "。": ". ", "？": "? ", "！": "! ", "：": ":", "；": ";", "（": "(", "）": ")",
}  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "sigma sigma tau upsilon phi chi psi omega"
)
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_SLOTS = 4096  # of the word table, many times its entries
_LAST_FOLDED = 0x20000  # code points from here on stand for themselves
_GROWTH = 11  # bytes that one byte becomes at most when its code point is folded: U+FDFA

# Columns of what is known of a word or macro: hash of its name, what to do, the token that it
# becomes (hash, kind, place of the spelling in the pool), the digit that it adds to a ten or 0.
_NAME, _ACTION, _NEW_HASH, _NEW_KIND, _NEW_FROM, _NEW_TO, _ADDS = range(7)

# Bytes that the rules speak of.
_NEWLINE, _SPACE, _BANG, _DOLLAR, _PERCENT, _QUOTE = b"\n !$%'"
_LEFT, _RIGHT, _STAR, _COMMA, _HYPHEN, _STOP, _SLASH, _ZERO = b"()*,-./0"
_COLON, _SEMICOLON, _LESS, _EQUAL, _GREATER, _QUESTION, _UPPER_A, _BACKSLASH = b":;<=>?A\\"
_CARET, _UNDERSCORE, _SMALL_A, _BRACE_LEFT, _BAR, _BRACE_RIGHT = b"^_a{|}"
_SQUARE_LEFT, _SQUARE_RIGHT = b"[]"
_NOT_ASCII = 0x80
# Classes of bytes. The first three are letters: of words, of scripts where each is a token (kana,
# ideographs, hangul: U+3000 to U+DFFF), and the degree sign, the only one left below U+0100.
(_LETTER, _IDEOGRAPH, _DEGREE, _DIGIT, _BLANK, _POINT, _ESCAPE, _OPEN, _CLOSE, _SIGN, _BRACKET,
 _SYMBOL, _SILENT) = range(13)  # fmt: skip


def _classes() -> U8:
    """Class of each byte, shape (256,)."""
    classes = np.full(256, _SILENT, np.uint8)
    for name, members in (
        (_LETTER, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        (_DIGIT, b"0123456789"),
        (_BLANK, b" \n\r\t"),
        (_POINT, b"."),
        (_ESCAPE, b"\\"),
        (_OPEN, b"{"),
        (_CLOSE, b"}"),
        (_SIGN, b"+=%^|"),
        (_BRACKET, b"()"),
        (_SYMBOL, b"<>[]*-/_:!'?;"),
        (_LETTER, bytes(range(0x80, 0x100))),
        (_IDEOGRAPH, bytes(range(0xE3, 0xEE))),
        (_DEGREE, b"\xc2"),
    ):
        classes[list(members)] = name
    return classes


_CLASS = _classes()
# A byte as a letter inside a word, in small; 0 where it ends the word.
_SMALL = np.array([ord(chr(b).lower()) if b < 0x80 else b for b in range(256)], np.uint8)
_SMALL[_CLASS != _LETTER] = 0
# The byte that follows where something left out may begin: [asy] \begin{asy} ![alt] http <tag>
_SECOND = np.zeros(256, np.uint8)
_SECOND[list(b"[\\!h")] = list(b"ab[t")
_SEED, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # of FNV-1a


def hash_bytes(data: bytes) -> int:
    """The 64-bit hash of a token's spelling, as `lex` computes it."""
    value = int(_SEED)  # FNV-1a, finished by splitmix64's mixer
    for byte in data:
        value = ((value ^ byte) * int(_PRIME)) % 2**64
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) % 2**64
    return value ^ value >> 31


def _signed(*words: bytes) -> I64:
    """Hashes of words as the HASH column has them."""
    return np.array([hash_bytes(word) for word in words], np.uint64).view(np.int64)


_CARET_HASH, _UNDERSCORE_HASH, _QUOTE_HASH, _DEGREE_HASH, _LEFT_HASH, _RIGHT_HASH = (
    int(value) for value in _signed(b"^", b"_", b"'", "°".encode(), b"(", b")")
)
_OF_THE_FOLLOWING = _signed(b"of", b"the", b"following")
_MARKERS = _signed(b"a", b"b", b"c", b"d")
_PROBLEM_WORDS = _signed(b"problem", b"example", b"question", b"exercise")
_MIN_STEM = 6  # tokens before the options: fewer, and the options are the problem


@inlined
def mix(value: Any) -> Any:
    """splitmix64's finaliser: every input bit reaches every output bit (Vigna 2015)."""
    value = np.uint64(value)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@cache
def _word_table() -> tuple[npt.NDArray[np.uint16], I64, U8]:
    """What is known of words and macros.

    Returns:
        The entry at each slot, by the low bits of the name's hash (open addressing, 0 is free);
        the entries, one row of 7 columns each (the first is not used); the pool of spellings.
    """
    known: dict[str, tuple[int, str]] = {}
    for phrase in BOILERPLATE:
        known[phrase.split()[0]] = (_OPENS, phrase.split()[0])
    for name in _FORMATTING.split():
        known[name] = (_DROP, "")
    for name in _LAYOUT.split():
        known[name] = (_SKIP_ARGUMENT, "")
    for name in _LOOK.split():
        known[name] = (_TEXT, "")
    for name, spelling in _SPELLINGS.items():
        known[name] = (_REPLACE, spelling)
    for name in _ONE_ARGUMENT:
        known[name] = (_TAKES_ONE, name)
    for name in _TWO_ARGUMENTS:
        known[name] = (_TAKES_TWO, _SPELLINGS.get(name, name))
    for name in _TAGS:
        known["<" + name] = (_TAG, "")
    for number, name in enumerate(_NUMBER_WORDS.split()):
        known[name] = (_UNIT, str(number))
    known["one"] = (_UNIT, "one")  # mostly a pronoun: it stays a word
    for number, name in enumerate(_TENS_WORDS.split()):
        known[name] = (_TENS, str(20 + 10 * number))
    digits = dict(zip(_NUMBER_WORDS.split()[1:10], b"123456789", strict=True))
    slots, entries, pool = np.zeros(_SLOTS, np.uint16), [[0] * 7], bytearray()
    for name, (action, spelling) in known.items():
        slot = hash_bytes(name.encode()) % _SLOTS
        while slots[slot]:
            slot = (slot + 1) % _SLOTS
        slots[slot] = len(entries)
        own, new = _signed(name.encode(), spelling.encode())
        place = len(pool), len(pool) + len(spelling.encode())
        adds = digits.get(name, 0)
        entries.append([int(own), action, int(new), _kind(spelling), *place, adds])
        pool += spelling.encode()
    return slots, np.array(entries, np.int64), np.frombuffer(bytes(pool), np.uint8)


def _kind(spelling: str) -> int:
    """Kind of the token that a word or macro becomes."""
    if spelling.isdigit():
        return NUMBER
    if spelling.isalpha():
        return WORD
    if spelling == "..." or (spelling.startswith("\\") and len(spelling) > 1):
        return MACRO
    return GROUP if spelling and spelling in "()[]{}" else OPERATOR


@cache
def _fold_table() -> tuple[I32, U8]:
    """offsets (code points + 1,), pool: what each code point is read as, in UTF-8."""
    pool, offsets = bytearray(), np.zeros(_LAST_FOLDED + 1, np.int32)
    for point in range(_LAST_FOLDED):
        pool += _folded(chr(point)).encode("utf-8", "ignore")
        offsets[point + 1] = len(pool)
    return offsets, np.frombuffer(bytes(pool), np.uint8)


def _folded(character: str) -> str:
    if character < "\x80":
        return character
    if character in _UNICODE:
        return _UNICODE[character]
    if character in _SUPERSCRIPTS:
        return "^" + _SUPERSCRIPTS[character]
    if character in _SUBSCRIPTS:
        return "_" + _SUBSCRIPTS[character]
    if "α" <= character <= "ω":
        return " \\" + _GREEK.split()[ord(character) - ord("α")] + " "
    if "Α" <= character <= "Ω":
        index = ord(character) - ord("Α")
        return " \\" + _GREEK.split()[index].capitalize() + " "
    plain = unicodedata.normalize("NFKD", character)
    plain = "".join(part for part in plain if not unicodedata.combining(part)).casefold()
    if len(plain) == 1 and plain >= "\x80" and not plain.isalnum():
        return " "
    return "".join(_UNICODE.get(part, part) for part in plain)


@cache
def _phrases() -> tuple[I64, I32]:
    """Token hashes of the boilerplate, flat, and their offsets."""
    words, offsets = list[bytes](), [0]
    for phrase in BOILERPLATE:
        words += phrase.encode().split()
        offsets.append(len(words))
    return _signed(*words), np.array(offsets, np.int32)


# Flags of a token: it begins a sentence; a single capital; the bracket of an argument; a number
# that a digit may follow (twenty); followed by a full stop; a capitalised word; a word that opens
# a boilerplate phrase.
_SENTENCE, _UPPER, _BRACE, _TENS_FLAG, _MARK, _CAPITAL, _OPENS_FLAG = 1, 2, 4, 8, 16, 32, 64
Scratch = tuple[Any, ...]
Tables = tuple[Any, ...]


def tables() -> Tables:
    """What `lex` looks words up in; made once."""
    return (*_word_table(), *_fold_table(), *_phrases())


def scratch(max_bytes: int) -> Scratch:
    """Working memory for texts of up to max_bytes; one per thread."""
    room = 4 * max_bytes + 64
    return (
        np.empty((room, 7), np.int64),  # the tokens: HASH, KIND, FROM, TO, BEGIN, END, FLAGS
        np.empty(4 * room, np.uint8),  # their spellings, FROM:TO
        np.empty(_GROWTH * max_bytes + 64, np.uint8),  # the text with its code points folded
        np.empty(_GROWTH * max_bytes + 64, np.int32),  # raw byte that each byte of it came from
        np.empty(64, np.int64),  # of an open brace: its token, or -1 where it has none
        np.empty(65, np.int64),  # arguments still owed to a macro, by depth of braces
    )


@kernel
def _hash(data: Any, start: int, end: int) -> Any:
    value = _SEED
    for index in range(start, end):
        value = (value ^ data[index]) * _PRIME
    return mix(value)


@kernel
def _find(value: Any, slots: Any, entries: Any) -> int:
    """The entry of a name's hash, 0 where it has none."""
    slot = value & np.uint64(_SLOTS - 1)
    while slots[slot] != 0 and entries[slots[slot], _NAME] != np.int64(value):
        slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
    return int(slots[slot])


@kernel
def _expand(data: Any, text: Any, source: Any, points: Any, folds: Any) -> tuple[int, bool]:
    """Write every code point of data (UTF-8) as the fold table has it, and 16 spaces behind.

    Returns:
        The number of bytes written, and whether all was ASCII; where it was not, source is the
        byte of data that each came from.
    """
    size, all_bits = len(data), np.uint8(0)
    for at in range(size):
        text[at] = data[at]
        all_bits |= data[at]
    plain = bool(all_bits < _NOT_ASCII)
    if not plain:
        size = _fold(data, text, source, points, folds)
    for at in range(16):
        text[size + at] = _SPACE
    return size, plain


@kernel
def _fold(data: Any, text: Any, source: Any, points: Any, folds: Any) -> int:
    size, index = 0, 0
    while index < len(data):
        lead = data[index]
        if lead < _NOT_ASCII:
            text[size] = lead
            source[size] = index
            size += 1
            index += 1
            continue
        width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        point = np.int64(lead) & (0x7F >> width)
        for step in range(1, width):
            point = (point << 6) | (np.int64(data[min(index + step, len(data) - 1)]) & 0x3F)
        if point < len(points) - 1:
            for at in range(points[point], points[point + 1]):
                text[size] = folds[at]
                source[size] = index
                size += 1
        else:
            for step in range(width):
                text[size] = data[min(index + step, len(data) - 1)]
                source[size] = index
                size += 1
        index += width
    return size


@kernel
def _is_letter(byte: Any) -> bool:
    return bool(_CLASS[byte] <= _DEGREE)


@kernel
def _is_digit(byte: Any) -> bool:
    return bool(_CLASS[byte] == _DIGIT)


@kernel
def _matches(text: Any, at: int, word: Any) -> bool:
    index = 0
    while index < len(word) and text[at + index] == word[index]:
        index += 1
    return index == len(word)


_ASY_OPEN, _ASY_CLOSE = (np.frombuffer(word, np.uint8) for word in (b"[asy]", b"[/asy]"))
_ASY_BEGIN, _ASY_END = (np.frombuffer(word, np.uint8) for word in (b"\\begin{asy}", b"\\end{asy}"))
_TAG_OPEN, _TAG_CLOSE = (np.frombuffer(word, np.uint8) for word in (b"<asy>", b"</asy>"))
_HTTP = np.frombuffer(b"http", np.uint8)


@kernel
def _until(text: Any, at: int, size: int, word: Any) -> int:
    """Where the word stands next, size where it does not."""
    while at < size and not _matches(text, at, word):
        at += 1
    return at


@kernel
def _drawing(text: Any, index: int, size: int) -> tuple[int, int]:
    """End of a drawing or image that begins here, without and with its closing; 0, 0 where none."""
    if _matches(text, index, _ASY_OPEN):
        stop = _until(text, index + len(_ASY_OPEN), size, _ASY_CLOSE)
        return stop, stop + len(_ASY_CLOSE)
    if _matches(text, index, _TAG_OPEN):
        stop = _until(text, index + len(_TAG_OPEN), size, _TAG_CLOSE)
        return stop, stop + len(_TAG_CLOSE)
    if _matches(text, index, _ASY_BEGIN):
        stop = _until(text, index + len(_ASY_BEGIN), size, _ASY_END)
        return stop, stop + len(_ASY_END)
    if text[index] == _BANG and text[index + 1] == _SQUARE_LEFT:  # ![alt](address)
        stop = index + 2
        while stop < size and text[stop] != _RIGHT and text[stop] != _NEWLINE:
            stop += 1
        return stop, stop + 1
    return 0, 0


@kernel
def _tag_end(text: Any, index: int, size: int, slots: Any, entries: Any) -> int:
    """End of the known mark-up tag that begins here; 0 where none does."""
    begin = index + 2 if text[index + 1] == _SLASH else index + 1
    stop, value = begin, (_SEED ^ np.uint64(_LESS)) * _PRIME
    while _is_letter(text[stop]) and stop - begin < 8:
        value = (value ^ text[stop]) * _PRIME
        stop += 1
    end = stop
    while end < size and (text[end] == _SPACE or text[end] == _SLASH):
        end += 1
    if stop > begin and text[end] == _GREATER and _find(mix(value), slots, entries) > 0:
        return end + 1
    return 0


# What the second group after a layout macro may hold, if it is to be left out.
_LAYOUT_LETTER = np.zeros(256, np.bool_)
_LAYOUT_LETTER[list(b" {|lcr@[htb")] = True


@kernel
def _layout_end(text: Any, index: int, size: int) -> int:
    r"""Behind the arguments of a layout macro: \begin{tabular}{cc}, \color{red}."""
    for group in range(2):
        at = index
        while at < size and text[at] == _SPACE:
            at += 1
        if text[at] != _BRACE_LEFT and text[at] != _SQUARE_LEFT:
            break
        level = 0
        plain = True  # no more than | l c r and places
        while at < size:
            byte = text[at]
            if byte in (_BRACE_LEFT, _SQUARE_LEFT):
                level += 1
            elif byte in (_BRACE_RIGHT, _SQUARE_RIGHT):
                level -= 1
                if level == 0:
                    break
            if not _LAYOUT_LETTER[byte]:
                plain = False
            at += 1
        if group == 1 and not plain:
            break
        index = min(at + 1, size)
    return index


@kernel
def _thousands(text: Any, at: int) -> int:
    r"""Length of a thousands separator at `at` when three digits, and no more, follow it; else 0.

    Separators: , {,} \, \! ,\! {\,}
    """
    one, two, three = text[at], text[at + 1], text[at + 2]
    width = 0
    if one == _COMMA:
        width = 3 if two == _BACKSLASH and three == _BANG else 1
    elif one == _BACKSLASH and two in (_COMMA, _BANG):
        width = 2
    elif one == _BRACE_LEFT:
        if two == _COMMA and three == _BRACE_RIGHT:
            width = 3
        elif two == _BACKSLASH and three == _COMMA and text[at + 3] == _BRACE_RIGHT:
            width = 4
    if width == 0:
        return 0
    for step in range(3):
        if not _is_digit(text[at + width + step]):
            return 0
    return 0 if _is_digit(text[at + width + 3]) else width


@kernel
def _is_small_word(text: Any, at: int, step: int) -> bool:
    """Whether three letters stand there, one after the other, the last two of them small."""
    if at + 2 * step < 0:
        return False
    for letters in range(3):
        byte = text[at + step * letters]
        if not _is_letter(byte) or (letters != (0 if step > 0 else 2) and byte < _SMALL_A):
            return False
    return True


@kernel
def _is_bullet(text: Any, index: int) -> bool:
    """Whether the sign at index begins a line of a list, and not a wrapped line of a formula."""
    at = index - 1
    if at < 0 or text[at] != _NEWLINE:
        return at < 0
    if at == 0 or text[at - 1] == _NEWLINE:
        return True
    while at > 0 and text[at] <= _SPACE:
        at -= 1
    if text[at] <= _SPACE or text[at] in (_STOP, _COLON, _SEMICOLON, _QUESTION, _BANG, _DOLLAR):
        return True
    end = at
    while at >= 0 and _is_letter(text[at]):
        at -= 1
    return end - at > 2 and (at < 0 or text[at] != _BACKSLASH)


@kernel
def _run(text: Any, index: int) -> int:
    """How often the byte at index stands there in a row."""
    end = index + 1
    while text[end] == text[index]:
        end += 1
    return end - index


_ENDS_SENTENCE, _NOTHING = 5, 6  # beside the kinds of token


@kernel
def _symbol(text: Any, index: int, glued: bool, last: int, takes: bool) -> tuple[int, int, int]:
    """The rules of punctuation.

    Args:
        glued: Whether the last token stands right before.
        last: Its kind, -1 where there is none.
        takes: Whether a factorial or prime may follow it.

    Returns:
        The kind of token, how many bytes were read, the bytes of the token (the first one lowest).
    """
    byte: Any = np.int64(text[index])
    after: Any = np.int64(text[index + 1])
    before: Any = np.int64(text[index - 1]) if index > 0 else _SPACE
    if byte == _BACKSLASH:
        if after == _PERCENT:
            return OPERATOR, 2, after
        if after in (_BRACE_LEFT, _BRACE_RIGHT):
            return GROUP, 2, after
        if after == _BAR:
            return OPERATOR, 2, _BAR | _BAR << 8
        return _NOTHING, 1 if _is_digit(after) else 2, 0
    if byte == _HYPHEN:
        if after == _HYPHEN:
            return _NOTHING, _run(text, index), 0
        # A hyphen touches a word of three letters or more.
        word = _is_small_word(text, index + 1, 1) or _is_small_word(text, index - 1, -1)
        if (word and last != MACRO) or (after == _SPACE and _is_bullet(text, index)):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == _UNDERSCORE:
        if after == _UNDERSCORE:
            return _NOTHING, _run(text, index), 0
        return OPERATOR, 1, byte
    if byte == _STOP:
        if after == _STOP:
            return MACRO, _run(text, index), _STOP | _STOP << 8 | _STOP << 16
        return _NOTHING if _is_letter(after) else _ENDS_SENTENCE, 1, 0
    if byte in (_LESS, _GREATER):
        if after == _EQUAL:
            return OPERATOR, 2, byte | _EQUAL << 8
        return OPERATOR, 1, byte
    if byte in (_SQUARE_LEFT, _SQUARE_RIGHT):
        if after == byte:  # [[a link]]
            return _NOTHING, 2, 0
        return GROUP, 1, byte
    if byte == _SLASH:
        if _is_letter(before) and _is_letter(after) and index > 1 and _is_letter(text[index - 2]):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == _STAR:
        if after == _STAR:
            power = text[index + 2]
            if glued and (_is_digit(power) or _is_letter(power) or power == _LEFT):
                return OPERATOR, 2, _CARET
            return _NOTHING, 2, 0
        if _is_bullet(text, index):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == _COLON:
        if _is_digit(after) and _is_digit(before):
            return OPERATOR, 1, byte
        return _ENDS_SENTENCE if after in (_SPACE, _NEWLINE) else _NOTHING, 1, 0
    if byte == _BANG:
        if after == _EQUAL:
            return OPERATOR, 2, _BANG | _EQUAL << 8
        if takes or (glued and (last == NUMBER or (last == GROUP and before == _RIGHT))):
            return OPERATOR, 1, byte
        return _ENDS_SENTENCE, 1, 0
    if byte == _QUOTE:
        return OPERATOR if takes else _NOTHING, 1, byte if takes else 0
    return _ENDS_SENTENCE, 1, 0  # ? and ;


@kernel
def _move(tok: Any, at: int, to: int) -> None:
    for column in range(7):
        tok[to, column] = tok[at, column]


@kernel
def _close(tok: Any, opened: int, count: int) -> int:
    """Close an argument's brace; returns the new count of tokens, -1 where a bracket is due."""
    inside = count - opened - 1
    if inside > 1:
        return -1
    if inside == 1:
        _move(tok, opened + 1, opened)
        count -= 1
        if (
            opened > 0
            and tok[opened, HASH] == _DEGREE_HASH
            and tok[opened - 1, HASH] == _CARET_HASH
        ):
            _move(tok, opened, opened - 1)  # ^{\circ}
            count -= 1
        return count
    count -= 1
    last = tok[count - 1, HASH] if count > 0 else 0
    return count - 1 if last in (_CARET_HASH, _UNDERSCORE_HASH) else count  # ^{} is nothing


@kernel
def lex(data: Any, first: int, last: int, tables: Any, scratch: Any) -> tuple[int, Any]:
    """Canonical tokens of data[first:last] (UTF-8), into the scratch arrays.

    Returns:
        The number of tokens, and a hash of the drawings (asy code) left out, 0 without any.
    """
    tok, spell, text, source, braces, pending = scratch
    slots, entries, pool, points, folds, words, word_ends = tables
    size, plain = _expand(data[first:last], text, source, points, folds)
    pending[0] = 0
    zero: Any = np.int64(0)  # a literal is of another type: helpers would be compiled twice
    index = used = count = depth = zero
    sentence: Any = zero + _SENTENCE
    glued: Any = np.bool_(False)
    opener = opens = False  # opens: whether a boilerplate phrase may be there
    capitals = 0  # the single ones seen
    figure: Any = np.uint64(0)
    while index < size:
        byte = text[index]
        place = _CLASS[byte]
        if place == _BLANK:
            if byte == _NEWLINE and text[index + 1] == _NEWLINE:
                sentence = _SENTENCE
            index += 1
            glued = False
            continue

        # --- what is left out -------------------------------------------------------------------
        if byte == _LESS or _SECOND[byte] == text[index + 1]:
            stop, past = _drawing(text, index, size)
            if past > 0:
                figure = mix(figure ^ _hash(text, index, stop))
            elif byte == _LESS:
                past = _tag_end(text, index, size, slots, entries)
            elif byte == _HTTP[0] and not glued and _matches(text, index, _HTTP):
                past = index
                while text[past] > _SPACE:
                    past += 1
            if past > 0:
                index = min(past, size)
                glued = False
                continue

        start, spelled, flag, value = index, used, sentence, _SEED
        # --- words and macros -------------------------------------------------------------------
        if place <= _IDEOGRAPH or (place == _ESCAPE and _is_letter(text[index + 1])):
            entry = 0
            kind = WORD
            if place == _ESCAPE:
                kind = MACRO
                letter = byte
                while True:
                    spell[used] = letter
                    used += 1
                    value = (value ^ letter) * _PRIME
                    index += 1
                    letter = text[index]
                    if letter >= _NOT_ASCII or _SMALL[letter] == 0:
                        break
                value = mix(value)
                entry = _find(value, slots, entries)
            elif place == _LETTER and (pending[depth] == 0 or byte >= _NOT_ASCII):
                letter = _SMALL[byte]
                while letter != 0:
                    spell[used] = letter
                    used += 1
                    value = (value ^ letter) * _PRIME
                    index += 1
                    letter = _SMALL[text[index]]
                value = mix(value)
                entry = _find(value, slots, entries)
            elif place == _LETTER:  # a single letter as the argument of \frac
                spell[used] = _SMALL[byte]
                used += 1
                index += 1
                value = _hash(spell, spelled, used)
            else:
                for step in range(3):
                    spell[used + step] = text[index + step]
                used += 3
                index = min(index + 3, size)
                value = _hash(spell, spelled, used)
            action = 0
            if entry > 0:
                action = entries[entry, _ACTION]
                if action <= _SKIP_ARGUMENT:
                    if place == _ESCAPE and text[index] == _STAR:  # \operatorname*
                        index += 1
                    used = spelled
                    if action == _TEXT:
                        opener = True
                    elif action == _SKIP_ARGUMENT:
                        index = _layout_end(text, index, size)
                    continue
                if entries[entry, _ADDS] > 0 and count > 0 and tok[count - 1, FLAGS] & _TENS_FLAG:
                    used = spelled  # twenty-five: the last digit of the token before is replaced
                    at = tok[count - 1, TO] - 1
                    spell[at] = entries[entry, _ADDS]
                    tok[count - 1, HASH] = np.int64(_hash(spell, tok[count - 1, FROM], at + 1))
                    tok[count - 1, FLAGS] &= ~_TENS_FLAG
                    tok[count - 1, END] = index
                    glued = True
                    continue
                used = spelled
                for at in range(entries[entry, _NEW_FROM], entries[entry, _NEW_TO]):
                    spell[used] = pool[at]
                    used += 1
                value = np.uint64(entries[entry, _NEW_HASH])
                kind = entries[entry, _NEW_KIND]
                if action == _TENS:
                    flag |= _TENS_FLAG
                elif action == _OPENS:
                    flag |= _OPENS_FLAG
                    opens = True
                elif spell[spelled] == 0xC2 and count > 0 and tok[count - 1, HASH] == _CARET_HASH:
                    count -= 1  # ^\circ is the degree sign alone
            if pending[depth] > 0:
                pending[depth] -= 1
            if action == _TAKES_ONE:
                pending[depth] = 1
            elif action == _TAKES_TWO:
                pending[depth] = 2
            if byte < _SMALL_A and place == _LETTER:
                if index - start == 1:
                    flag |= _UPPER
                    capitals |= 1 << (zero + byte - _UPPER_A)
                else:
                    flag |= _CAPITAL
            sentence = 0

        # --- numbers ----------------------------------------------------------------------------
        elif place == _DIGIT or (
            place == _POINT
            and _is_digit(text[index + 1])
            and not (index > 0 and (_is_digit(text[index - 1]) or text[index - 1] == _STOP))
        ):
            kind = NUMBER
            if place == _POINT:
                spell[used] = _ZERO
                used += 1
            elif pending[depth] > 0:  # \frac12
                spell[used] = byte
                used += 1
                index += 1
            else:
                while _is_digit(text[index]):
                    spell[used] = text[index]
                    used += 1
                    index += 1
                while byte != _ZERO:
                    width = _thousands(text, index)
                    if width == 0:
                        break
                    if width == 1 and start > 0:  # (100,200) is a pair
                        before, after = text[start - 1], text[index + 4]
                        if before in (_LEFT, _SQUARE_LEFT) and (after in (_RIGHT, _SQUARE_RIGHT)):
                            break
                    for step in range(width, width + 3):
                        spell[used] = text[index + step]
                        used += 1
                    index += width + 3
            if text[index] == _STOP and _is_digit(text[index + 1]) and pending[depth] == 0:
                spell[used] = _STOP
                used += 1
                index += 1
                while _is_digit(text[index]):
                    spell[used] = text[index]
                    used += 1
                    index += 1
                while spell[used - 1] == _ZERO:
                    used -= 1
                if spell[used - 1] == _STOP:
                    used -= 1
            if pending[depth] > 0:
                pending[depth] -= 1
            value = _hash(spell, spelled, used)
            sentence = 0

        # --- braces -----------------------------------------------------------------------------
        elif place == _OPEN:
            argument = pending[depth] > 0
            if argument:
                pending[depth] -= 1
            elif count > 0:
                before_it = tok[count - 1, HASH]
                argument = before_it in (_CARET_HASH, _UNDERSCORE_HASH)
            index += 1
            if depth < 63:
                braces[depth] = -1
                if argument and not opener:
                    braces[depth] = count
                    _bracket(tok, spell, count, used, start, byte)
                    used += 1
                    count += 1
                depth += 1
                pending[depth] = 0
            opener = False
            continue
        elif place == _CLOSE:
            index += 1
            if depth > 0:
                depth -= 1
                if 0 <= braces[depth] < count:
                    closed = _close(tok, braces[depth], count)
                    if closed < 0:
                        _bracket(tok, spell, count, used, start, byte)
                        used += 1
                        closed = count + 1
                    count = closed
            glued = True
            continue

        # --- operators and brackets -------------------------------------------------------------
        else:
            opener = False
            kind, width, letters = _NOTHING, 1, zero + byte
            if place == _SIGN:
                kind = OPERATOR
            elif place == _BRACKET:
                kind = GROUP
            elif place == _DEGREE:
                kind, width, letters = OPERATOR, 2, letters | (zero + text[index + 1]) << 8
                if count > 0 and tok[count - 1, HASH] == _CARET_HASH:
                    count -= 1
            elif place != _SILENT:
                before_kind = tok[count - 1, KIND] if count > 0 else -1
                takes = False
                if glued and byte in (_BANG, _QUOTE):
                    takes = _takes(tok, count, byte, plain, source)
                kind, width, letters = _symbol(text, index, glued, before_kind, takes)
            index = min(index + width, size)
            if kind >= _ENDS_SENTENCE:
                if kind == _ENDS_SENTENCE:
                    sentence = _SENTENCE
                    if byte == _STOP and count > 0 and glued:
                        tok[count - 1, FLAGS] |= _MARK
                if byte != _DOLLAR and byte != _BACKSLASH:
                    glued = False
                continue
            while letters > 0:
                letter = np.uint8(letters & 0xFF)
                spell[used] = letter
                used += 1
                value = (value ^ letter) * _PRIME
                letters >>= 8
            value = mix(value)
            if kind == GROUP:
                flag = 0
                if byte != _BACKSLASH:
                    pending[depth] = 0
            else:
                sentence = 0

        _emit(tok, count, value, kind, spelled, used, start, index, flag)
        count += 1
        opener = False
        glued = text[index] != _SPACE
        if not glued:
            index += 1
    # An argument's brace that was never closed is formatting gone wrong.
    while depth > 0:
        depth -= 1
        opened = braces[depth]
        if 0 <= opened < count and tok[opened, FLAGS] & _BRACE:
            for at in range(opened, count - 1):
                _move(tok, at + 1, at)
            count -= 1
    if capitals & 0b1111 == 0b1111:
        count = _options(count, tok)
    count = _cut(count, opens, words, word_ends, tok)
    if not plain:
        for at in range(count):
            tok[at, BEGIN], tok[at, END] = source[tok[at, BEGIN]], source[tok[at, END] - 1] + 1
    return count, figure


@kernel
def _emit(
    tok: Any, at: int, value: Any, kind: int, start: int, end: int, begin: int, stop: int, flag: int
) -> None:
    tok[at, HASH] = np.int64(value)
    tok[at, KIND] = kind
    tok[at, FROM] = start
    tok[at, TO] = end
    tok[at, BEGIN] = begin
    tok[at, END] = stop
    tok[at, FLAGS] = flag


@kernel
def _bracket(tok: Any, spell: Any, at: int, used: int, begin: int, brace: int) -> None:
    """The round bracket that an argument's brace is read as."""
    left = brace == _BRACE_LEFT
    spell[used] = _LEFT if left else _RIGHT
    value = _LEFT_HASH if left else _RIGHT_HASH
    _emit(tok, at, value, GROUP, used, used + 1, begin, begin + 1, _BRACE if left else 0)


@kernel
def _takes(tok: Any, count: int, byte: int, plain: bool, source: Any) -> bool:
    """Whether the last token is a single letter, or a prime before a prime."""
    if count == 0:
        return False
    begin, end = tok[count - 1, BEGIN], tok[count - 1, END]
    if not plain:
        begin, end = np.int64(source[begin]), np.int64(source[end - 1]) + 1
    if byte == _QUOTE and tok[count - 1, HASH] == _QUOTE_HASH:
        return True
    return bool(tok[count - 1, KIND] == WORD and end - begin == 1)


@kernel
def _is_marker(at: int, count: int, letter: Any, tok: Any) -> bool:
    """Whether token `at` is that capital letter, written (A) or A) or A."""
    if tok[at, HASH] != letter or not tok[at, FLAGS] & _UPPER:
        return False
    if tok[at, FLAGS] & _MARK or (at + 1 < count and tok[at + 1, HASH] == _RIGHT_HASH):
        return True
    return bool(at > 0 and tok[at - 1, HASH] == _LEFT_HASH)


@kernel
def _options(count: int, tok: Any) -> int:
    """Where the options of a multiple choice begin; count where there are none.

    Options stay where they are the question: after a very short stem, or "of the following".
    """
    for start in range(_MIN_STEM, count):
        if not _is_marker(start, count, _MARKERS[0], tok):
            continue
        at, found = start, 1
        while at < count and found < 4:
            if _is_marker(at, count, _MARKERS[found], tok):
                found += 1
            at += 1
        if found < 4:
            return count
        for at in range(2, start):
            if (
                tok[at, HASH] == _OF_THE_FOLLOWING[2]
                and tok[at - 1, HASH] == _OF_THE_FOLLOWING[1]
                and tok[at - 2, HASH] == _OF_THE_FOLLOWING[0]
            ):
                return count
        return start - 1 if tok[start - 1, KIND] == GROUP else start
    return count


@kernel
def _is_boilerplate(start: int, end: int, words: Any, offsets: Any, tok: Any) -> bool:
    """Whether the tokens from start on begin with one of the BOILERPLATE phrases."""
    if not tok[start, FLAGS] & _OPENS_FLAG:
        return False
    for phrase in range(len(offsets) - 1):
        low, high = offsets[phrase], offsets[phrase + 1]
        if high - low <= end - start:
            step = 0
            while low + step < high and tok[start + step, HASH] == words[low + step]:
                step += 1
            if low + step == high:
                return True
    return False


@kernel
def _cut(count: int, opens: bool, words: Any, offsets: Any, tok: Any) -> int:
    """Leave out sentences of boilerplate and a leading enumerator; returns the count.

    opens is False where no token has _OPENS_FLAG.
    """
    start = 0
    if count > 3 and tok[0, KIND] == NUMBER and tok[0, FLAGS] & _MARK:
        start = 1
    elif count > 4:
        for word in _PROBLEM_WORDS:
            if tok[0, HASH] == word:
                if tok[1, FLAGS] & _SENTENCE:
                    start = 1
                elif tok[1, KIND] == NUMBER:
                    start = 2
    if start == 0 and not opens:
        return count
    kept = 0
    while start < count:
        end, numbers = start + 1, int(tok[start, KIND] == NUMBER)
        while end < count and not tok[end, FLAGS] & _SENTENCE:
            if tok[end, FLAGS] & _CAPITAL and _is_boilerplate(end, count, words, offsets, tok):
                break
            numbers += int(tok[end, KIND] == NUMBER)
            end += 1
        if numbers > 0 or not _is_boilerplate(start, end, words, offsets, tok):
            if kept == start:
                kept = end
            else:
                for at in range(start, end):
                    _move(tok, at, kept)
                    kept += 1
        start = end
    return kept if kept > 0 else count


@dataclass(frozen=True)
class Tokens:
    """The canonical tokens of a batch of texts, flat: those of text i are offsets[i]:offsets[i+1].

    Shapes: offsets (texts + 1,), figures (texts,), the rest (tokens,). spans are byte offsets.
    """

    offsets: I64
    hashes: U64
    kinds: U8
    begins: I32
    ends: I32
    figures: U64


def buffers(texts: pa.Array) -> tuple[U8, I64]:
    """The UTF-8 bytes of a string array without nulls, and its offsets (texts + 1,), no copy."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count:
        raise ValueError("texts must have no nulls")
    wide = pa.types.is_large_string(texts.type)
    offsets = np.frombuffer(texts.buffers()[1], np.int64 if wide else np.int32)
    used = offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    values = texts.buffers()[2]
    data = np.frombuffer(values, np.uint8) if values else np.empty(0, np.uint8)
    data.flags.writeable = False  # or the kernels would be compiled for both
    return data, used


def longest(offsets: I64) -> int:
    """Bytes of the longest text: the size that `scratch` is made for."""
    return int(np.diff(offsets).max(initial=0))


@kernel
def _tokenize(
    data: Any, offsets: Any, row: int, ends_at: Any, figures: Any, columns: Any, tables: Any,
    scratch: Any,
) -> int:  # fmt: skip
    """Fill the columns from a row on; returns the row at which their room ran out, or the end."""
    hashes, kinds, begins, ends = columns
    tok, used = scratch[0], ends_at[row]
    while row < len(figures):
        count, figure = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        if used + count > len(hashes):
            break
        for at in range(count):
            hashes[used + at] = tok[at, HASH]
            kinds[used + at] = tok[at, KIND]
            begins[used + at] = tok[at, BEGIN]
            ends[used + at] = tok[at, END]
        used += count
        figures[row] = figure
        row += 1
        ends_at[row] = used
    return row


def tokenize(texts: pa.Array) -> Tokens:
    """Canonical tokens of every text (a string array without nulls)."""
    data, offsets = buffers(texts)
    num_texts = len(offsets) - 1
    ends_at, figures = np.zeros(num_texts + 1, np.int64), np.zeros(num_texts, np.uint64)
    types = (np.uint64, np.uint8, np.int32, np.int32)  # hashes, kinds, begins, ends
    room = max(1024, int(offsets[-1] - offsets[0]) // 2)
    columns: tuple[Any, ...] = tuple(np.empty(room, dtype) for dtype in types)
    memory, row = scratch(longest(offsets)), 0
    while True:
        row = _tokenize(data, offsets, row, ends_at, figures, columns, tables(), memory)
        if row == num_texts:
            break
        columns = tuple(np.concatenate([column, np.empty_like(column)]) for column in columns)
    hashes, kinds, begins, ends = (column[: ends_at[-1]] for column in columns)
    return Tokens(ends_at, hashes, kinds, begins, ends, figures)


def tokens(text: str) -> list[str]:
    """The canonical tokens of one text, spelled out."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    memory = scratch(len(data))
    count, _ = lex(data, 0, len(data), tables(), memory)
    spans, spell = memory[0][:count, FROM : TO + 1], memory[1]
    return [spell[start:end].tobytes().decode("utf-8", "replace") for start, end in spans]


def canonical(text: str) -> str:
    """The canonical tokens of one text, joined by spaces."""
    return " ".join(tokens(text))


@kernel
def _keys(data: Any, offsets: Any, tables: Any, scratch: Any) -> Any:
    keys = np.zeros((len(offsets) - 1, 2), np.uint64)
    for row in range(len(offsets) - 1):
        count, figure = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        low, high = figure, mix(figure + np.uint64(1))
        for at in range(count):
            token = np.uint64(scratch[0][at, HASH])
            low = mix(low + token)
            high = mix(high ^ (token * np.uint64(0x9E3779B97F4A7C15)))
        keys[row, 0], keys[row, 1] = low, high
    return keys


def keys(texts: pa.Array) -> U64:
    """128-bit hash of the canonical tokens (and drawings) of every text, shape (texts, 2)."""
    data, offsets = buffers(texts)
    found: U64 = _keys(data, offsets, tables(), scratch(longest(offsets)))
    return found
