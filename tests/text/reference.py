"""Implement the rules of `mathledger.text.lexer` in plain, readable Python.

This module shares the vocabulary and the folding of characters with the compiled lexer, and no
other code.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from mathledger.text import drawings, folding, vocabulary
from mathledger.text.hashing import hash_bytes, mix
from mathledger.text.tokens import GROUP, MACRO, NUMBER, OPERATOR, WORD

LETTERS = re.compile(rb"[A-Za-z\x80-\xff]+")  # Every byte of a non-ASCII code point is a letter.
IDEOGRAPH = re.compile(rb"[\xe3-\xed]..", re.DOTALL)  # A word from U+3000 to U+DFFF.
DEGREE = "°".encode()
WORD_LETTERS = re.compile(rb"[A-Za-z\x80-\xc1\xc3-\xe2\xee-\xff]+")  # Neither ideograph nor degree.
IN_WORD = re.compile(rb"[A-Za-z\x80-\xff][a-z\x80-\xff]{2}")
MACRO_NAME = re.compile(rb"(?=\\[A-Za-z\x80-\xff])\\[A-Za-z]*")

DRAWINGS = [
    (drawings.ASY, re.compile(rb"\[asy\](.*?)(?:\[/asy\]|\Z)", re.DOTALL)),
    (drawings.ASY, re.compile(rb"<asy>(.*?)(?:</asy>|\Z)", re.DOTALL)),
    (drawings.ASY, re.compile(rb"\\begin\{asy\}(.*?)(?:\\end\{asy\}|\Z)", re.DOTALL)),
    (
        drawings.TIKZ,
        re.compile(
            rb"\\begin\{tikzpicture\}(?:\[[^\]]*\]?)?(.*?)(?:\\end\{tikzpicture\}|\Z)", re.DOTALL
        ),
    ),
    (drawings.IMAGE, re.compile(rb"!\[(?:[^\])\n]*\]\()?([^)\n]*)(?:[)\n]|\Z)")),  # ![alt](address)
]
LAYOUT = re.compile(
    b"(?:" + "|".join(drawings.LAYOUT).encode() + rb")(?![A-Za-z\x80-\xff]|\Z)[^;]*"
)
_WORDS = (
    rb"(?:[\x00-\x20]+(?!(?:"
    + "|".join(drawings.TYPES).encode()
    + rb")(?:[\x00-\x20]|\Z))[^\x00-\x20(=;{\[\\]*(?=[\x00-\x20]|\Z))*"
)
# A comment ends with its line or, if there is no line break left, before the code.
COMMENT = rb"(?:[^\n]*(?=\n)|[^\x00-\x20]*" + _WORDS + rb")"
LEFT_OUT = {
    drawings.ASY: rb"//" + COMMENT + rb"|/(?=\*).*?(?:\*/|\Z)",
    drawings.TIKZ: rb"(?<!\\)%" + COMMENT,
}
DELIMITERS = rb"|\$|\\[()]|(?<=\\)[dt](?=frac)"
DECIMAL = re.compile(rb"([0-9]*)\.([0-9]+)|([0-9]+)\.?")
TAG = re.compile(rb"</?([A-Za-z\x80-\xff]{1,8})[ /]*>")
LINK = re.compile(rb"http[^\x00-\x20]*")

DIGITS = re.compile(rb"[0-9]+")
POINT = re.compile(rb"(?<![0-9.])\.(?=[0-9])")
THOUSANDS = re.compile(rb"(,\\!|,|\\[,!]|\{\\?,\})([0-9]{3})(?![0-9])")
DECIMALS = re.compile(rb"\.[0-9]+")

ARGUMENT = re.compile(rb" *(?=[\[{])")
MARKERS = (b"a", b"b", b"c", b"d")
MIN_STEM = 6


@dataclass
class Token:
    spelling: bytes
    kind: int
    begin: int
    end: int
    begins_sentence: bool = False
    is_capital: bool = False  # The token is one capital letter.
    is_capitalised: bool = False
    is_argument: bool = False  # The token is a bracket that replaces a brace.
    takes_unit: bool = False
    before_stop: bool = False
    opens_phrase: bool = False


@dataclass
class Reader:
    text: bytes  # The folded text.
    source: list[int]  # Position in the raw text of each byte of the folded text.
    index: int = 0
    tokens: list[Token] = field(default_factory=list)
    drawings: int = 0
    begins_sentence: bool = True
    is_glued: bool = False  # Whether the last token ends right before the index.
    opens_look: bool = False  # Whether the next brace only changes the look.
    capitals: set[bytes] = field(default_factory=set)
    brackets: list[int | None] = field(default_factory=list)  # Tokens of the open braces.
    owed: list[int] = field(default_factory=lambda: [0])  # Per depth, arguments still to read.

    def __post_init__(self) -> None:
        self.size = len(self.text)
        self.text += b" " * 16

    @property
    def last(self) -> bytes:
        return self.tokens[-1].spelling if self.tokens else b""

    def at(self, offset: int) -> bytes:
        place = self.index + offset
        return self.text[place : place + 1] if place >= 0 else b" "

    def read(self) -> None:
        while self.index < self.size:
            byte = self.at(0)
            if byte in b" \n\r\t":
                self.begins_sentence |= self.text.startswith(b"\n\n", self.index)
                self.skip(1)
            elif end := self.left_out():
                self.skip(end - self.index)
            elif macro := MACRO_NAME.match(self.text, self.index):
                self.read_word(macro[0], MACRO)
            elif letter := IDEOGRAPH.match(self.text, self.index):
                self.read_word(letter[0], WORD)
            elif word := WORD_LETTERS.match(self.text, self.index):
                is_letter = self.owed[-1] and byte < b"\x80"  # As in \frac ab.
                self.read_word(byte if is_letter else word[0], WORD)
            elif byte.isdigit() or POINT.match(self.text, self.index):
                self.read_number()
            elif byte == b"{":
                self.open_brace()
            elif byte == b"}":
                self.close_brace()
            else:
                self.read_symbol(byte)
        for opened in reversed(self.brackets):  # An unclosed brace is formatting.
            if opened is not None and opened < len(self.tokens) and self.tokens[opened].is_argument:
                del self.tokens[opened]

    def skip(self, width: int) -> None:
        self.index = min(self.index + width, self.size)
        self.is_glued = False

    def emit(self, spelling: bytes, kind: int, width: int) -> Token:
        end = min(self.index + width, self.size)
        token = Token(spelling, kind, self.index, end)
        token.begins_sentence, self.begins_sentence = self.begins_sentence, False
        self.tokens.append(token)
        self.index, self.is_glued, self.opens_look = end, True, False
        return token

    # --- skipped parts ----------------------------------------------------------------------------

    def left_out(self) -> int:
        for kind, pattern in DRAWINGS:
            if drawing := pattern.match(self.text, self.index, self.size):
                code = hash_bytes(canonical_drawing(drawing[1], kind))
                self.drawings = int(mix(np.uint64(self.drawings ^ code)))
                return drawing.end()
        tag = TAG.match(self.text, self.index)
        if tag and "<" + tag[1].decode("latin-1") in vocabulary.known():
            return tag.end()
        link = LINK.match(self.text, self.index)
        return link.end() if link and not self.is_glued else 0

    def skip_arguments(self) -> None:
        r"""Skip a layout macro's arguments; a second one only if it is layout, as {cc}."""
        for number in range(2):
            space = ARGUMENT.match(self.text, self.index, self.size)
            if not space:
                return
            level, end = 0, space.end()
            while end < self.size:
                level += (self.text[end] in b"{[") - (self.text[end] in b"}]")
                if level == 0:
                    break
                end += 1
            argument = self.text[space.end() : end].strip(b" {|lcr@[htb")
            if number == 0 or not argument:
                self.index = min(end + 1, self.size)

    # --- words and macros -------------------------------------------------------------------------

    def read_word(self, name: bytes, kind: int) -> None:
        spelled = name if kind == MACRO else name.lower()
        action, spelling = vocabulary.known().get(spelled.decode("latin-1"), (0, ""))
        if action in (vocabulary.DROP, vocabulary.LOOK, vocabulary.SKIP_ARGUMENT):
            self.index += len(name)
            self.index += kind == MACRO and self.at(0) == b"*"  # \operatorname*
            if action == vocabulary.LOOK:
                self.opens_look = True
            elif action == vocabulary.SKIP_ARGUMENT:
                self.skip_arguments()
            return
        unit = vocabulary.UNIT_DIGITS.get(spelled.decode("latin-1"))
        if unit and self.tokens and self.tokens[-1].takes_unit:  # twenty-five
            ten = self.tokens[-1]
            self.index += len(name)
            ten.spelling, ten.end, ten.takes_unit = (
                ten.spelling[:-1] + bytes([unit]),
                self.index,
                False,
            )
            self.is_glued = True
            return
        if action:
            spelled, kind = spelling.encode(), vocabulary.kind_of(spelling)
        if action and spelled == DEGREE and self.last == b"^":
            self.tokens.pop()
        if self.owed[-1]:
            self.owed[-1] -= 1
        if action in (vocabulary.TAKES_ONE, vocabulary.TAKES_TWO):
            self.owed[-1] = 1 if action == vocabulary.TAKES_ONE else 2
        token = self.emit(spelled, kind, len(name))
        token.takes_unit = action == vocabulary.TEN
        token.opens_phrase = action == vocabulary.OPENS_PHRASE
        if name[:1].isupper():
            token.is_capital, token.is_capitalised = len(name) == 1, len(name) > 1
            if token.is_capital:
                self.capitals.add(name.lower())

    # --- numbers ----------------------------------------------------------------------------------

    def read_number(self) -> None:
        start, owed = self.index, self.owed[-1]
        if owed:  # \frac12
            self.owed[-1] -= 1
            is_digit = self.at(0).isdigit()
            self.emit(self.at(0) if is_digit else b"0", NUMBER, int(is_digit))
            return
        digits = DIGITS.match(self.text, start)
        spelling, end = (digits[0], digits.end()) if digits else (b"0", start)
        before = self.text[start - 1 : start] if start else b""
        while digits and not spelling.startswith(b"0"):
            group = THOUSANDS.match(self.text, end)
            if not group:
                break
            after = self.text[group.end() : group.end() + 1]
            if group[1] == b"," and before in (b"(", b"[") and after in (b")", b"]"):
                break  # (100,200) is a pair
            spelling, end = spelling + group[2], group.end()
        if decimals := DECIMALS.match(self.text, end):
            spelling = (spelling + decimals[0]).rstrip(b"0").rstrip(b".")
            end = decimals.end()
        self.emit(spelling, NUMBER, end - start)

    # --- braces -----------------------------------------------------------------------------------

    def open_brace(self) -> None:
        is_argument = self.owed[-1] > 0
        if is_argument:
            self.owed[-1] -= 1
        is_argument |= self.last in (b"^", b"_")
        if len(self.brackets) < 63:
            opened = None
            if is_argument and not self.opens_look:
                opened = len(self.tokens)
                self.tokens.append(Token(b"(", GROUP, self.index, self.index + 1, is_argument=True))
            self.brackets.append(opened)
            self.owed.append(0)
        self.index += 1
        self.opens_look = False

    def close_brace(self) -> None:
        if self.brackets:
            self.owed.pop()
            opened = self.brackets.pop()
            if opened is not None and opened < len(self.tokens):
                inside = len(self.tokens) - opened - 1
                if inside > 1:
                    self.tokens.append(Token(b")", GROUP, self.index, self.index + 1))
                else:
                    del self.tokens[opened]
                    is_degree = inside == 1 and self.last == DEGREE
                    if is_degree and opened and self.tokens[opened - 1].spelling == b"^":
                        del self.tokens[opened - 1]
                    elif inside == 0 and self.last in (b"^", b"_"):
                        self.tokens.pop()
        self.index += 1
        self.is_glued = True

    # --- signs, brackets, punctuation -------------------------------------------------------------

    def read_symbol(self, byte: bytes) -> None:
        self.opens_look = False
        before, after = self.at(-1), self.at(1)
        run = len(self.text[self.index :]) - len(self.text[self.index :].lstrip(byte))
        if byte in b"+=%^|":
            self.emit(byte, OPERATOR, 1)
        elif byte in b"()":
            self.group(byte, 1)
        elif byte == DEGREE[:1]:
            if self.last == b"^":
                self.tokens.pop()
            self.emit(byte + after, OPERATOR, 2)
        elif byte == b"\\":
            if after == b"%":
                self.emit(b"%", OPERATOR, 2)
            elif after in b"{}":
                self.group(after, 2, ends_arguments=False)
            elif after == b"|":
                self.emit(b"||", OPERATOR, 2)
            else:
                self.index = min(self.index + (1 if after.isdigit() else 2), self.size)
        elif byte == b"-":
            last_kind = self.tokens[-1].kind if self.tokens else None
            is_bullet = after == b" " and self.is_bullet()
            if run > 1:
                self.skip(run)
            elif is_bullet or (self.touches_word() and last_kind != MACRO):
                self.skip(1)
            else:
                self.emit(byte, OPERATOR, 1)
        elif byte == b"_":
            self.skip(run) if run > 1 else self.emit(byte, OPERATOR, 1)
        elif byte in b"<>":
            self.emit(byte + b"=", OPERATOR, 2) if after == b"=" else self.emit(byte, OPERATOR, 1)
        elif byte in b"[]":
            self.skip(2) if after == byte else self.group(byte, 1)  # [[a link]]
        elif byte == b"/":
            ends_word = all(LETTERS.match(self.at(offset)) for offset in (-2, -1, 1))
            self.skip(1) if ends_word else self.emit(byte, OPERATOR, 1)  # and/or
        elif byte == b"*":
            self.read_star(after)
        elif byte == b"!":
            self.read_bang(before, after)
        elif byte == b"'":
            self.emit(byte, OPERATOR, 1) if self.takes_mark(byte) else self.skip(1)
        elif byte == b"." and run > 1:
            self.emit(b"...", MACRO, run)
        elif byte == b":" and before.isdigit() and after.isdigit():
            self.emit(byte, OPERATOR, 1)
        elif byte == b"$":
            self.index += 1
        else:
            ends = byte in b"?;" or (byte == b":" and after in b" \n")
            if ends or (byte == b"." and not LETTERS.match(after)):
                self.end_sentence(byte)
            self.skip(1)

    def group(self, byte: bytes, width: int, ends_arguments: bool = True) -> None:
        """Append a bracket; the next token still begins the sentence, except after \\lbrace."""
        begins_sentence = self.begins_sentence
        self.emit(byte, GROUP, width).begins_sentence = False
        self.begins_sentence = begins_sentence
        if ends_arguments:
            self.owed[-1] = 0

    def end_sentence(self, byte: bytes) -> None:
        self.begins_sentence = True
        if byte == b"." and self.tokens and self.is_glued:
            self.tokens[-1].before_stop = True

    def read_star(self, after: bytes) -> None:
        power = self.at(2)
        if after == b"*":
            if self.is_glued and (power.isdigit() or power == b"(" or LETTERS.match(power)):
                self.emit(b"^", OPERATOR, 2)
            else:
                self.skip(2)
        elif self.is_bullet():
            self.skip(1)
        else:
            self.emit(b"*", OPERATOR, 1)

    def read_bang(self, before: bytes, after: bytes) -> None:
        kind = self.tokens[-1].kind if self.tokens else None
        is_factorial = kind == NUMBER or (kind == GROUP and before == b")")
        if after == b"=":
            self.emit(b"!=", OPERATOR, 2)
        elif self.takes_mark(b"!") or (self.is_glued and is_factorial):
            self.emit(b"!", OPERATOR, 1)
        else:
            self.end_sentence(b"!")
            self.skip(1)

    def takes_mark(self, byte: bytes) -> bool:
        """Return True if a factorial or prime follows a single letter, or a prime another prime."""
        if not self.tokens or not self.is_glued:
            return False
        token = self.tokens[-1]
        if byte == b"'" and token.spelling == b"'":
            return True
        return token.kind == WORD and self.raw_length(token) == 1

    def raw_length(self, token: Token) -> int:
        return self.source[token.end - 1] + 1 - self.source[token.begin]

    def touches_word(self) -> bool:
        behind, ahead = self.text[max(0, self.index - 3) : self.index], self.index + 1
        return bool(IN_WORD.match(behind) or IN_WORD.match(self.text, ahead))

    def is_bullet(self) -> bool:
        """Return True at the start of a line if the previous line is empty or complete."""
        before = self.text[: self.index]
        if not before or before == b"\n" or before.endswith(b"\n\n"):
            return True
        if not before.endswith(b"\n"):
            return False
        line = before.rstrip(bytes(range(0x21)))
        if not line or line[-1:] in b".:;?!$":
            return True
        word = re.search(rb"[A-Za-z\x80-\xff]*\Z", line)
        assert word
        return len(word[0]) > 2 and line[: word.start()][-1:] != b"\\"


def canonical_drawing(code: bytes, kind: int) -> bytes:
    """Return a drawing's code without what only changes its layout."""
    if kind == drawings.IMAGE:
        return re.sub(rb"[\x00-\x20]", b"", code)
    left_out = re.compile(LEFT_OUT[kind] + DELIMITERS, re.DOTALL)
    kept, at, begins = b"", 0, True
    while at < len(code):
        byte = code[at : at + 1]
        if byte <= b" " or byte == b";":
            begins = begins or byte == b";"
            at += 1
        elif skipped := left_out.match(code, at) or (begins and LAYOUT.match(code, at)):
            at = skipped.end()
        elif number := DECIMAL.match(code, at):
            whole, decimals = number[3] or number[1], (number[2] or b"").rstrip(b"0")
            if decimals:
                whole, decimals = b"" if whole == b"0" else whole, b"." + decimals
            kept += whole + decimals
            at, begins = number.end(), False
        else:
            kept += byte
            at, begins = at + 1, byte in b"{}"
    return kept


def lex(raw: str) -> tuple[list[Token], int]:
    """Return the canonical tokens, with positions in raw's UTF-8, and a hash of the drawings."""
    text, source, place = bytearray(), list[int](), 0
    for character in raw:
        is_folded = ord(character) < folding.FOLDED_BELOW
        written = folding.folded(character) if is_folded else character
        encoded = written.encode("utf-8", "ignore")
        text += encoded
        source += [place] * len(encoded)
        place += len(character.encode())
    reader = Reader(bytes(text), source)
    reader.read()
    tokens = reader.tokens
    if reader.capitals >= set(MARKERS):
        tokens = tokens[: options_start(tokens)]
    tokens = without_boilerplate(tokens[number_end(tokens) :]) or tokens
    for token in tokens:
        token.begin, token.end = source[token.begin], source[token.end - 1] + 1
    return tokens, reader.drawings


def options_start(tokens: list[Token]) -> int:
    """Return where multiple-choice options begin, unless they are part of the question."""

    def is_marker(at: int, letter: bytes) -> bool:
        around = [token.spelling for token in tokens[max(0, at - 1) : at + 2]]
        in_bracket = (at > 0 and around[0] == b"(") or (at + 1 < len(tokens) and around[-1] == b")")
        token = tokens[at]
        return token.spelling == letter and token.is_capital and (token.before_stop or in_bracket)

    starts = [at for at in range(MIN_STEM, len(tokens)) if is_marker(at, MARKERS[0])]
    if not starts:
        return len(tokens)
    start, waiting = starts[0], list(MARKERS)
    for at in range(start, len(tokens)):
        if waiting and is_marker(at, waiting[0]):
            waiting.pop(0)
    stem = [token.spelling for token in tokens[:start]]
    asks = any(stem[at : at + 3] == [b"of", b"the", b"following"] for at in range(len(stem)))
    if waiting or asks:
        return len(tokens)
    return start - 1 if tokens[start - 1].kind == GROUP else start


def number_end(tokens: list[Token]) -> int:
    """Return how many tokens number the problem, as in "12." or "Problem 12"."""
    if len(tokens) > 3 and tokens[0].kind == NUMBER and tokens[0].before_stop:
        return 1
    if len(tokens) > 4 and tokens[0].spelling in (b"problem", b"example", b"question", b"exercise"):
        return 1 if tokens[1].begins_sentence else 2 if tokens[1].kind == NUMBER else 0
    return 0


def without_boilerplate(tokens: list[Token]) -> list[Token]:
    """Remove sentences that begin with a boilerplate phrase and have no number."""
    kept: list[Token] = []
    start = 0
    while start < len(tokens):
        end = start + 1
        while end < len(tokens) and not tokens[end].begins_sentence:
            if tokens[end].is_capitalised and is_boilerplate(tokens[end:]):
                break
            end += 1
        sentence = tokens[start:end]
        if any(token.kind == NUMBER for token in sentence) or not is_boilerplate(sentence):
            kept += sentence
        start = end
    return kept


def is_boilerplate(tokens: list[Token]) -> bool:
    words = [token.spelling.decode("latin-1") for token in tokens[:8]]
    phrases = (phrase.split() for phrase in vocabulary.BOILERPLATE)
    return tokens[0].opens_phrase and any(words[: len(each)] == each for each in phrases)
