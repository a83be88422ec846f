"""Implement the rules of `mathledger.text.lexer` in plain, readable Python.

This module shares the vocabulary and the folding of characters with the compiled lexer, and no
other code.
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction

from mathledger.text import (
    abbreviations,
    braces,
    choices,
    commas,
    counting,
    divided_words,
    drawings,
    factors,
    folding,
    idiom_table,
    idioms,
    matrices,
    numbers,
    prose,
    segments,
    sets,
    shapes,
    surroundings,
    symbols,
    vocabulary,
)
from mathledger.text.hashing import hash_bytes, mixed
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

LETTERS = re.compile(rb"[A-Za-z\x80-\xff]+")  # Every byte of a non-ASCII code point is a letter.
IDEOGRAPH = re.compile(rb"[\xe3-\xed]..", re.DOTALL)  # A word from U+3000 to U+DFFF.
DEGREE = "°".encode()
WORD_LETTERS = re.compile(rb"[A-Za-z\x80-\xc1\xc3-\xe2\xee-\xff]+")  # Neither ideograph nor degree.
LETTER = rb"(?:[A-Za-z]|[\xc0-\xff][\x80-\xbf]*)"
SMALL = LETTER.replace(b"A-Z", b"")
WORD_AHEAD = re.compile(rb"%s%s{2}" % (LETTER, SMALL))
WORD_BEHIND = re.compile(rb"%s%s{2}\Z" % (LETTER, SMALL))
ENDINGS = (b"th", b"st", b"nd", b"rd")
SEGMENT = re.compile(rb" *\{[A-Za-z](?:[ ']?[A-Za-z])+[ ']*\}")
MACRO_NAME = re.compile(rb"(?=\\[A-Za-z\x80-\xff])\\[A-Za-z]*")


def until(close: bytes) -> bytes:
    """Return the pattern of a drawing's code, which ends here or with its last statement."""
    return rb"(?:(?P<closed>.*?)%s|(?P<open>(?:(?!\n\n).)*;|))" % close


DRAWINGS = [
    (drawings.ASY, re.compile(rb"\[asy\]%s" % until(rb"\[/asy\]"), re.DOTALL)),
    (drawings.ASY, re.compile(rb"<asy>%s" % until(rb"</asy>"), re.DOTALL)),
    (drawings.ASY, re.compile(rb"\\begin\{asy\}%s" % until(rb"\\end\{asy\}"), re.DOTALL)),
    (
        drawings.TIKZ,
        re.compile(
            rb"\\begin\{tikzpicture\}(?:\[[^\]]*\]?)?%s" % until(rb"\\end\{tikzpicture\}"),
            re.DOTALL,
        ),
    ),
    (drawings.IMAGE, re.compile(rb"!\[[^\]\n]*\]\(([^)\n]*)(?:[)\n]|\Z)")),  # ![alt](address)
    (drawings.IMAGE, re.compile(rb"!\[\[([^\]\n]*)\]\]")),  # ![[name]]
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
# The escapes of JSON are left out as well.
ESCAPES = rb'|\\(?=[\\"])|(?:\A|(?<=[;{}\]>]))(?:\\n)+|(?<!\\)\\n(?![a-z\x80-\xff])(?:\\n)*'
DELIMITERS = ESCAPES + rb"|\$|\\[()]|(?<=\\)[dt](?=frac)"
DECIMAL = re.compile(rb"([0-9]*)\.([0-9]+)|([0-9]+)\.?")
ATTRIBUTE = rb""" +[A-Za-z\x80-\xff-]+=(?:"[^"\n]*"|'[^'\n]*')"""
TAG = re.compile(
    rb"</?([A-Za-z\x80-\xff]{1,8})(?:%s)*[ /]*>|\[/?([A-Za-z\x80-\xff]{1,8})[ /]*\]" % ATTRIBUTE
)
HEIGHT = re.compile(rb"\[-?[0-9.]+ ?(?:%s)\]" % "|".join(matrices.HEIGHTS).encode())
LINK = re.compile(rb"https?://[^\x00-\x20]*")

DIGITS = re.compile(rb"[0-9]+")
POINT = re.compile(rb"(?<![0-9.])\.(?=[0-9])")
THOUSANDS = re.compile(rb"(,\\{1,2}!|[,']|\\[,!]|\{\\?,\})([0-9]{3})(?![0-9])")
BLANK = re.compile(rb"(?:\\_){2,}+(?![0-9])")  # A blank to fill.
POWER_OF_TEN = re.compile(rb"[eE]\+?(?=-?[0-9]{1,3}(?![0-9A-Za-z\x80-\xff]))")  # As in 3.2e5.
REPEATING = re.compile(rb"\.\(([0-9]+)\)")  # As in 0.(36).
DELIMITERS_AHEAD = rb"(?:[ $]|\\[()])*"
DECIMALS = re.compile(rb"\.[0-9]+")

GROUP_AHEAD = re.compile(rb" *(?=[\[{])")
SCRIPTS = (b"^", b"_")
POSTFIXES = (b"!", DEGREE, b"'", b"%")
VECTORS = re.compile(
    rb"vector|= *\((?=[ .-]*[0-9])[ .0-9-]*,|\\vec|\\overrightarrow|\\mathbf\{[A-Za-z\x80-\xff]\}"
)
LAYOUT_AHEAD = re.compile(rb"(?:[ \n]|\\right|\\[!,;: ])*")
MATRIX = re.compile(rb" *\{([pbBvV]|small)?matrix\}")
SINGLE = re.compile(rb"(?<!\\)\\(?!n)[A-Za-z\x80-\xff]")
DOUBLE = re.compile(rb"(?<=\\)\\[A-Za-z\x80-\xff()\[\]]")
BREAK = re.compile(  # The line break of JSON.
    rb"\\n(?![a-z\x80-\xff])(?!%s)" % "|".join(matrices.NEGATED).encode()
)
ROWS = re.compile(rb"\[\[ *(?:-?[0-9]|[^\]\n]*\] *, *\[)")
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
    is_operand: bool = False
    is_function: bool = False
    is_cross: bool = False
    is_number_word: bool = False
    is_article: bool = False
    is_joined: bool = False
    after_question: bool = False
    before_stop: bool = False
    before_colon: bool = False
    opens_phrase: bool = False

    def is_atom(self) -> bool:
        """Return True for a number, and for a letter that is no article."""
        is_letter = self.kind == WORD and len(self.spelling) == 1 and not self.is_article
        return self.kind == NUMBER or is_letter

    def flagged(self) -> bool:
        return self.is_operand or self.is_function

    def is_opener(self) -> bool:
        return self.kind == GROUP and self.spelling in (b"(", b"[", b"{")

    def ends_operand(self) -> bool:
        """Return True if a factor may follow this token."""
        if self.kind == WORD:
            return len(self.spelling) == 1 or self.is_function
        if self.kind == GROUP:
            return not self.is_opener()
        if self.kind == MACRO:
            return self.is_operand or self.is_function
        return self.kind == NUMBER or self.spelling in POSTFIXES + SCRIPTS


def kind_of(piece: bytes) -> int:
    if piece[:1].isdigit():
        return NUMBER
    if re.match(rb"\\[A-Za-z\x80-\xff]", piece):
        return MACRO
    if piece[:1] in (b"(", b")", b"[", b"]", b"{", b"}"):
        return GROUP
    return WORD if piece[:1].isalpha() else OPERATOR


ATOM, FACTOR, PRODUCT, OTHER = range(4)
FUNCTION_LETTERS = [letter.encode() for letter in shapes.FUNCTION_LETTERS]


def shape(tokens: list[Token]) -> int:
    """Return how much the tokens bind: as an atom, a factor, a product or less."""
    top: list[Token] = []  # The tokens outside of brackets, with one bracket for each group.
    level = 0
    for token in tokens:
        if token.kind == GROUP and not token.is_opener():
            if level == 0:
                top.append(token)
            level -= level > 0
            continue
        if level == 0:
            top.append(token)
        level += token.is_opener()
    operands, is_product, joins, num_chosen = 0, False, False, 0
    for at, token in enumerate(top):
        is_sign = token.spelling in (b"+", b"-")
        if token.kind == GROUP and not token.is_opener():
            joins = False
        elif token.kind == OPERATOR and token.spelling in SCRIPTS:
            joins = True
        elif token.kind == OPERATOR and is_sign and (joins or token is tokens[0]):
            is_product |= token is tokens[0] and len(tokens) > 2
        elif token.kind == OPERATOR and token.spelling == b"*":
            is_product = True
        elif token.kind == OPERATOR and token.spelling in POSTFIXES:
            continue
        elif token.spelling == b"\\binom":
            operands += not joins
            joins, num_chosen = False, 2
        elif token.kind == OPERATOR or (token.kind == MACRO and not token.flagged()):
            return OTHER
        else:
            operands += not joins and not num_chosen
            num_chosen -= num_chosen > 0
            is_call = top[at + 1 : at + 2] and top[at + 1].spelling == b"("
            is_call = is_call and token.kind == WORD and token.spelling in FUNCTION_LETTERS
            joins = token.kind != GROUP and bool(token.is_function or is_call)
    if operands > 1 or is_product:
        return PRODUCT
    if len(top) == 1 and top[0].spelling == b"(" and tokens[-1].spelling == b")":
        return ATOM
    is_signed = len(tokens) == 2 and tokens[0].spelling in (b"+", b"-")
    is_signed = is_signed and tokens[1].kind not in (GROUP, OPERATOR)
    return ATOM if is_signed or len(tokens) == 1 else FACTOR


def is_call(tokens: list[Token]) -> bool:
    """Return True for an argument that a function takes without brackets: 2x, 40 degrees, e^3."""
    powers = [at > 0 and tokens[at - 1].spelling == b"^" for at in range(len(tokens))]
    return bool(tokens) and all(
        (token.kind == NUMBER and (at == 0 or powers[at]))
        or (token.spelling == b"^" and 0 < at < len(tokens) - 1 and not powers[at])
        or (token.kind == WORD and len(token.spelling) <= 2)
        or (token.kind == MACRO and token.is_operand)
        or (token.kind == OPERATOR and at > 0 and token.spelling in POSTFIXES)
        for at, token in enumerate(tokens)
    )


PLAIN, LOOK, ARGUMENT, SET, AUTOMATIC, ROUND, ROUND_ARGUMENT, CALL, SILENT = range(9)


@dataclass
class Group:
    kind: int
    first: int  # Its bracket, or its first token if it has no bracket.
    close: bytes = b""  # What stands for the closing bracket.
    limit: int = 0  # What the tokens after the bar may be without brackets.
    bar: int = -1  # The token after \\over.
    owed: int = 0  # Arguments still to read.
    is_fraction: bool = False  # Whether they belong to \\frac.


@dataclass
class Reader:
    text: bytes  # The folded text.
    index: int = 0
    tokens: list[Token] = field(default_factory=list)
    drawings: int = 0
    begins_sentence: bool = True
    is_glued: bool = False  # Whether the last token ends right before the index.
    opens_look: bool = False  # Whether the next brace only changes the look.
    after_question: bool = False
    capitals: set[bytes] = field(default_factory=set)
    smalls: set[bytes] = field(default_factory=set)
    num_matrices: int = 0
    enclosed: set[int] = field(default_factory=set)  # Matrices whose brackets are left out.
    in_rows: bool = False
    rows_end: int = -1  # End of a matrix such as [2 1; 0 3].
    has_choice: bool = False
    star: int = -1  # The last token if it may be a product sign.
    in_root: bool = False
    list_end: int = 0
    groups: list[Group] = field(default_factory=lambda: [Group(PLAIN, 0)])  # The outermost first.

    def __post_init__(self) -> None:
        self.size = len(self.text)
        self.text += b" " * 16

    @property
    def last(self) -> bytes:
        return self.tokens[-1].spelling if self.tokens else b""

    @property
    def group(self) -> Group:
        return self.groups[-1]

    def at(self, offset: int) -> bytes:
        place = self.index + offset
        return self.text[place : place + 1] if place >= 0 else b" "

    def read(self) -> None:
        while self.index < self.size:
            byte = self.at(0)
            if byte in b" \n\r\t":
                self.begins_sentence |= self.text.startswith(b"\n\n", self.index)
                self.skip(1)
            elif byte == b"<" and self.read_script():
                continue
            elif end := self.left_out():
                self.skip(end - self.index)
            elif self.text.startswith(b"\\n", self.index) and self.breaks_line():
                self.begins_sentence |= self.text.startswith(b"\\n\\n", self.index)
                self.skip(2)
            elif macro := MACRO_NAME.match(self.text, self.index):
                self.read_word(macro[0], MACRO)
            elif letter := IDEOGRAPH.match(self.text, self.index):
                self.read_word(letter[0], WORD)
            elif word := WORD_LETTERS.match(self.text, self.index):
                is_letter = byte < b"\x80" and self.takes_letter()
                self.read_word(byte if is_letter else word[0], WORD)
            elif byte.isdigit() or POINT.match(self.text, self.index):
                self.read_number()
            elif byte == b"{":
                self.open_brace()
            elif byte == b"}":
                self.close_brace()
            else:
                self.read_symbol(byte)
        for group in reversed(self.groups[1:]):  # An unclosed brace is formatting.
            if group.kind in (ARGUMENT, AUTOMATIC) and group.first < len(self.tokens):
                del self.tokens[group.first]

    def takes_letter(self) -> bool:
        """Return True if only the next letter is an argument, as in \\frac ab, x^ab and a_ij."""
        if self.group.owed:
            return not self.text.startswith(b"sqrt", self.index)
        if not self.is_glued or not self.tokens:
            return False
        ending = self.text[self.index : self.index + 2].lower() in ENDINGS
        is_third = LETTERS.match(self.at(2)) is not None
        if self.last == b"^":
            return not ending or is_third
        return self.last == b"_" and not is_third

    def skip(self, width: int) -> None:
        self.index = min(self.index + width, self.size)
        self.is_glued = False

    def emit(self, spelling: bytes, kind: int, width: int) -> Token:
        end = min(self.index + width, self.size)
        token = Token(spelling, kind, self.index, end)
        token.begins_sentence, self.begins_sentence = self.begins_sentence, False
        token.after_question, self.after_question = self.after_question, False
        self.add(token, end)
        return token

    def write(self, pieces: bytes, begin: int, end: int) -> None:
        """Append tokens that blanks separate; the text goes on at `end`."""
        for piece in pieces.split():
            token = Token(piece, kind_of(piece), begin, end)
            token.begins_sentence, self.begins_sentence = self.begins_sentence, False
            token.after_question, self.after_question = self.after_question, False
            self.tokens.append(token)
        self.star, self.opens_look = -1, False
        self.index, self.is_glued = end, True

    def add(self, token: Token, end: int) -> None:
        self.tokens.append(token)
        self.index, self.is_glued, self.opens_look = end, True, False
        if self.star >= 0:
            self.settle_star()

    # --- skipped parts ----------------------------------------------------------------------------

    def left_out(self) -> int:
        for kind, pattern in DRAWINGS:
            if drawing := pattern.match(self.text, self.index, self.size):
                code = next(part for part in drawing.groups() if part is not None)
                digest = hash_bytes(canonical_drawing(code, kind))
                self.drawings = mixed(self.drawings ^ digest)
                return drawing.end()
        tag = TAG.match(self.text, self.index)
        name = (tag[1] or tag[2]) if tag else b""
        if tag and "<" + name.decode("latin-1") in vocabulary.known():
            before = self.text[: self.index].rstrip(b" ")
            is_square = self.at(0) == b"["
            is_long = len(name) > 1 + is_square or self.at(1) == b"/"
            is_first = not is_square and (not before or before.endswith((b"\n", b">")))
            closing = self.at(0) + b"/" + name[:1]
            if is_long or is_first or closing in self.text[self.index + 3 : self.size + 2]:
                return tag.end()
        link = LINK.match(self.text, self.index)
        return link.end() if link and not self.is_glued else 0

    def read_script(self) -> bool:
        """Read the HTML tag of an exponent or index; return False if none is here."""
        tag = re.compile(rb"<(/?)(sup|sub)>").match(self.text, self.index)
        if not tag:
            return False
        if tag[1]:
            self.index = tag.end() - 1
            self.close_brace()
            return True
        mark = b"^" if tag[2] == b"sup" else b"_"
        self.tokens.append(Token(mark, OPERATOR, self.index, self.index + 1))
        self.opens_look = False
        self.index = tag.end() - 1
        self.open_brace()
        return True

    def group_end(self, start: int) -> int:
        level = 0
        for end in range(start, self.size):
            level += (self.text[end] in b"{[") - (self.text[end] in b"}]")
            if level == 0:
                return end + 1
        return self.size

    def skip_groups(self, count: int) -> None:
        """Skip a layout macro's arguments, and optional ones before them."""
        while count and (space := GROUP_AHEAD.match(self.text, self.index, self.size)):
            count -= self.text[space.end()] in b"{"
            self.index = self.group_end(space.end())

    def skip_environment(self) -> None:
        r"""Skip the name of an environment, and column types and positions after it."""
        self.skip_groups(1)
        while space := GROUP_AHEAD.match(self.text, self.index, self.size):
            end = self.group_end(space.end())
            if self.text[space.end() : end].strip(b" {}[]|lcr@htb*"):
                return
            self.index = end

    # --- words and macros -------------------------------------------------------------------------

    def read_word(self, name: bytes, kind: int) -> None:
        spelled, start = name if kind == MACRO else name.lower(), self.index
        action, spelling = vocabulary.known().get(spelled.decode("latin-1"), (0, ""))
        end = min(start + len(name), self.size)
        if action == vocabulary.NTH:
            name, action, end = name[:1], 0, start + 1
            spelled = name.lower()
        elif (action == vocabulary.BY and not self.is_product(end)) or (
            action == vocabulary.ORDINAL_ENDING and not self.ends_ordinal()
        ):
            action = 0
        elif spelled == b"x" and self.is_cross():
            self.write(b"*", start, end)
            return
        time = re.compile(rb"(?i:([ap])\.m)(?![A-Za-z\x80-\xff])(?:\.(?= [a-z]))?")
        is_after_number = len(name) == 1 and self.tokens and self.tokens[-1].kind == NUMBER
        if is_after_number and (half := time.match(self.text, start)):
            self.write(half[1].lower() + b"m", start, half.end())
            return
        if 0 < action <= vocabulary.ENVIRONMENT:
            self.leave_out(action, kind, end)
            return
        if self.read_specially(action, spelling, spelled, end):
            return
        is_argument, flags = self.group.owed > 0, 0
        rest = b""
        if 0 < action < vocabulary.SCALE:
            flags = vocabulary.flags_of(spelled.decode("latin-1"), spelling)
            own, *others = spelling.split() or [""]
            rest = " ".join(others).encode()
            spelled, kind = own.encode(), vocabulary.kind_of(own)
            if spelled in (DEGREE, b"'") and self.last == b"^":
                self.tokens.pop()
        token = Token(spelled, kind, start, end, self.begins_sentence)
        token.after_question, self.after_question = self.after_question, False
        token.is_operand, token.is_function = bool(flags & OPERAND), bool(flags & FUNCTION)
        token.is_cross = bool(flags & CROSS)
        token.is_number_word = action == vocabulary.NUMERAL and kind == NUMBER
        token.opens_phrase = action == vocabulary.OPENS_PHRASE
        self.has_choice |= action == vocabulary.CHOICE
        is_name = self.mark_case(token, name, end, action)
        if rest and len(spelled) == 1:  # As in exp(x).
            self.smalls.add(spelled)
            is_name = True
        self.begins_sentence = False
        self.add(token, end)
        if is_name:
            self.join_letters()
        elif re.fullmatch(rb"[A-Z]{3}", name) and token.spelling == name.lower():
            delta = self.tokens[-2] if len(self.tokens) > 1 else token
            if delta.spelling == b"\\Delta":
                delta.spelling, delta.kind, delta.is_operand = b"triangle", WORD, False
        if spelled == b"*":
            self.star = len(self.tokens) - 1
        if rest:
            self.write(rest, start, end)
        elif action:
            self.apply_idioms(spelling)
        if action == vocabulary.TAKES_ONE:
            self.group.owed = max(self.group.owed, 1)
        elif action == vocabulary.TAKES_TWO:
            self.group.owed = 2
        elif action == vocabulary.ROOT and not is_argument:
            self.expect_bracket()
        elif is_argument:
            self.group.owed -= 1
            self.end_argument()

    def mark_case(self, token: Token, name: bytes, end: int, action: int) -> bool:
        """Note capitals and articles; return True for a small letter that is a name."""
        is_letter = len(name) == 1
        is_article = re.match(rb"[\x00-\x20]+[A-Za-z\x80-\xff]{2}", self.text[end:])
        if name[:1].isupper() and not is_letter:
            token.is_capitalised = True
        elif name[:1].isupper():
            token.is_article = name == b"A" and token.begins_sentence and bool(is_article)
            token.is_capital = not token.is_article
            if token.is_capital:
                self.capitals.add(name.lower())
        elif is_letter and name.isalpha() and not action:
            token.is_article = name == b"a" and bool(is_article)
            if not token.is_article:
                self.smalls.add(name)
                return True
        return False

    def leave_out(self, action: int, kind: int, end: int) -> None:
        start, self.index = self.index, end
        self.index += kind == MACRO and self.at(0) == b"*"  # \operatorname*
        if action == vocabulary.LOOK:
            self.opens_look = True
        elif action == vocabulary.ENVIRONMENT:
            self.read_matrix(start)
            self.skip_environment()
            if self.text[start + 1 : start + 2] == b"e" and self.num_matrices in self.enclosed:
                self.enclosed.remove(self.num_matrices)
                layout = LAYOUT_AHEAD.match(self.text, self.index, self.size)
                assert layout
                self.index = min(layout.end() + 1, self.size)
        elif action >= vocabulary.SKIP_ONE:
            self.skip_groups(action - vocabulary.SKIP_ONE + 1)

    def read_matrix(self, start: int) -> None:
        """Write the brackets of a matrix whose macro begins at `start`."""
        name = MATRIX.match(self.text, self.index)
        index = self.index
        is_begin = self.text[start + 1 : start + 2] == b"b"
        array = re.compile(rb" *\{(?:[pbBvV]|small)?array\}").match(self.text, self.index)
        if not name and not array:
            if is_begin and self.last == b"{" and re.compile(rb" *\{").match(self.text, index):
                self.tokens.pop()
            return
        is_determinant = bool(name) and name[1] in (b"v", b"V")
        if is_begin:
            named = name or array
            is_bare = b"small" in named[0] or not re.match(rb" *\{[pbBvV](?!matrix)", named[0])
            is_bare = is_bare or named[0].strip(b" {").startswith((b"matrix", b"array"))
            if is_bare and self.is_enclosed(start):
                is_determinant = self.last == b"|"
                if self.last == b"(":
                    self.groups.pop()
                self.tokens.pop()
                self.enclosed.add(self.num_matrices)
            elif array and self.last not in (b"(", b"["):
                if self.last == b"{":
                    self.tokens.pop()
                return
            has_name = self.last == b"det"
            self.write(b"det [ [" if is_determinant and not has_name else b"[ [", start, start + 1)
            self.num_matrices += 1
        elif self.num_matrices:
            if [token.spelling for token in self.tokens[-2:]] == [b"]", b"["]:
                del self.tokens[-2:]
            self.write(b"] ]", start, start + 1)
            self.num_matrices -= 1
        self.index = index

    def is_enclosed(self, start: int) -> bool:
        """Return True if the brackets or bars before and after an environment are beside it."""
        closing = {b"(": b")", b"[": b"]", b"|": b"|"}.get(self.last)
        if closing is None or self.num_matrices >= matrices.MAX_ENCLOSED:
            return False
        if self.last == b"(":
            is_first = len(self.groups) > 1 and self.group.first == len(self.tokens) - 1
            if not is_first or self.group.kind not in (ROUND, CALL):
                return False
        end = self.text.find(b"\\end", start, self.size + 4)
        brace = self.text.find(b"}", end, self.size) if 0 <= end < self.size else -1
        if brace < 0:
            return False
        layout = LAYOUT_AHEAD.match(self.text, brace + 1, self.size)
        assert layout
        return layout.end() < self.size and self.text.startswith(closing, layout.end())

    def read_specially(self, action: int, spelling: str, spelled: bytes, end: int) -> bool:
        """Read a macro or word for which no token is written here."""
        start = self.index
        if action == vocabulary.NUMERAL:
            return self.add_number(1 if spelling == "one" else int(spelling), end)
        if action == vocabulary.SCALE:
            return self.multiply(int(spelling), end)
        if action in (vocabulary.PART, vocabulary.QUARTER):
            return self.read_part(int(spelling), spelled, end, action == vocabulary.QUARTER)
        if action == vocabulary.HALF:
            return self.read_half(end)
        is_before_number = action in (vocabulary.EXPAND, vocabulary.TIMES)
        is_before_number = is_before_number and self.begins_number(end)
        if action == vocabulary.EXPAND:
            pieces = spelling.encode()
            if is_before_number:
                pieces = pieces.replace(b"times", b"*")
            self.write(pieces, start, end)
            return True
        if action == vocabulary.TIMES:
            if not is_before_number or not self.tokens or self.tokens[-1].kind != NUMBER:
                return False
            self.write(b"*", start, end)
            return True
        if action == vocabulary.BASE:
            ahead = re.compile(DELIMITERS_AHEAD)
            before = self.tokens[:-1] if self.last == b"(" else self.tokens
            begin = self.tokens[-1].begin if self.last == b"(" else start
            is_next = bool(before) and before[-1].kind == NUMBER
            if not is_next or not ahead.fullmatch(self.text, before[-1].end, begin):
                return False
            if not self.begins_number(end) or (self.last == b"(" and not self.drop_open_bracket()):
                return False
            self.write(b"_", start, end)
            return True
        if action == vocabulary.DIVIDED:
            by = re.compile(rb" *by(?= )").match(self.text, end)
            last = self.tokens[-1] if self.tokens else None
            if not by or not last or not (last.spelling == b"one" or last.ends_operand()):
                return False
            letter = re.compile(DELIMITERS_AHEAD + rb"[A-Za-z\x80-\xff](?![A-Za-z\x80-\xff])")
            if not letter.match(self.text, by.end()) and not self.begins_number(by.end()):
                return False
            self.write(b"/", start, by.end())
            return True
        if action == vocabulary.NOT:
            equals = re.compile(rb" *=").match(self.text, end)
            if equals:
                self.write(b"!=", start, equals.end())
            return bool(equals)
        if action == vocabulary.MODULO:
            if self.drop_open_bracket() or spelled == b"\\pmod":
                self.read_congruence()
            return False
        if action in (vocabulary.MID, vocabulary.COLON):
            if self.divide_set(end):
                return True
            if action == vocabulary.MID:
                return False
        if action == vocabulary.ARC:
            return self.read_arc(spelled, end)
        if action == vocabulary.FRACTION:
            if (self.takes_argument() or self.follows_function(self.tokens)) and len(
                self.groups
            ) < 64:
                self.tokens.append(self.bracket(b"("))
                self.groups.append(Group(AUTOMATIC, len(self.tokens) - 1))
            self.group.owed, self.group.is_fraction = 2, True
        elif action == vocabulary.BAR:
            self.read_bar(spelling.encode())
        elif action == vocabulary.OVERLINE and SEGMENT.match(self.text, end):
            self.opens_look = True
        elif action != vocabulary.COLON or self.is_ratio(start, end, False):
            return False
        self.index = end
        return True

    def drop_open_bracket(self) -> bool:
        """Leave out the round bracket that was just opened, and its partner; or return False."""
        at, last = len(self.groups) - 1, len(self.tokens) - 1
        while at > 0 and self.groups[at].kind == PLAIN and self.groups[at].first > last:
            at -= 1
        if not at or last < 0 or self.groups[at].kind != ROUND or self.groups[at].first != last:
            return False
        self.groups[at].kind = SILENT
        self.tokens.pop()
        for group in self.groups[at + 1 :]:
            group.first = last
        return True

    def read_congruence(self) -> None:
        """Write the equals sign before (mod 7) as the sign of a congruence."""
        for token in reversed(self.tokens[-idioms.MAX_CONGRUENCE :]):
            is_long = token.kind == WORD and len(token.spelling) > 1
            if (is_long and not token.is_function) or token.spelling == b"\\equiv":
                return
            if token.spelling == b"=":
                token.spelling, token.kind = b"\\equiv", MACRO
                return

    def begins_number(self, index: int) -> bool:
        """Return True if a number follows, in digits or in words."""
        ahead = re.compile(DELIMITERS_AHEAD).match(self.text, index, self.size)
        assert ahead
        word = WORD_LETTERS.match(self.text, ahead.end())
        if not word:
            return self.text[ahead.end() : ahead.end() + 1].isdigit()
        name = word[0].lower().decode("latin-1")
        return vocabulary.known().get(name, (0, ""))[0] == vocabulary.NUMERAL

    def divide_set(self, end: int) -> bool:
        """Write a colon if a bar or colon, which ends at `end`, divides a set."""
        before = [token.spelling for token in self.tokens[-1 - sets.MAX_ELEMENT :]]
        start = max((at for at, own in enumerate(before) if own == b"{"), default=-1)
        element = before[start + 1 :]
        if start < 0 or not element or element[-1] in (b"(", b"[") or {b"}", b":"} & {*element}:
            return False
        if element.count(b"|") % 2:
            return False
        self.write(b":", self.index, end)
        return True

    def read_arc(self, macro: bytes, end: int) -> bool:
        """Read the macro of an arc as the word arc."""
        start = self.index
        if macro == b"\\widehat":
            points = SEGMENT.match(self.text, end)
            if not points or len(re.findall(rb"[A-Za-z]", points[0])) != 2:
                return False
        elif macro in (b"\\overset", b"\\stackrel"):
            frown = re.compile(rb" *\{?\\*frown *\}?").match(self.text, end)
            if not frown:
                return False
            end = min(frown.end(), self.size)
        if self.last != b"arc":
            self.write(b"arc", start, end)
        self.index, self.opens_look = end, True
        return True

    def expect_bracket(self) -> None:
        if re.compile(rb" *[({]").match(self.text, self.index):
            self.group.owed = 1

    def is_product(self, end: int) -> bool:
        """Return True if the word by, which ends at `end`, is a product sign."""
        if not self.tokens or self.tokens[-1].kind in (GROUP, MACRO):
            return False
        is_length = self.last.decode("latin-1") in factors.LENGTHS.split()
        is_length = is_length and len(self.tokens) > 1 and self.tokens[-2].kind == NUMBER
        if not is_length and not self.tokens[-1].ends_operand():
            return False
        after = re.sub(rb"\A-?" + DELIMITERS_AHEAD, b"", self.text[end : self.size])
        factor = WORD_LETTERS.match(after)
        if not factor:
            return bool(re.match(rb"[0-9]++(?!/)", after))
        word = factor[0].lower().decode("latin-1")
        action, _ = vocabulary.known().get(word, (0, ""))
        return len(word) == 1 or action == vocabulary.NUMERAL

    def is_cross(self) -> bool:
        """Return True if the letter x is a product sign, as in 8x8 and 3 x 5."""
        if not self.tokens or self.tokens[-1].kind != NUMBER:
            return False
        is_glued, is_near = (self.tokens[-1].end == self.index - gap for gap in range(2))
        return bool(
            (is_glued and self.at(1).isdigit())
            or (is_near and re.match(rb" [0-9]", self.text[self.index + 1 :]))
        )

    def ends_ordinal(self) -> bool:
        r"""Return True if th, st, nd or rd ends an ordinal such as n-th, 3rd or n^{\text{th}}."""
        if len(self.tokens) > 1 and self.last == b"(" and self.drop_exponent():
            pass
        elif self.last == b"^":
            self.tokens.pop()
        if not self.tokens or not self.tokens[-1].ends_operand() or self.last in SCRIPTS:
            return False
        return self.at(-1) > b" " or self.is_glued

    def drop_exponent(self) -> bool:
        place = len(self.tokens) - 1
        at = len(self.groups) - 1
        while at > 0 and self.groups[at].first > place:
            at -= 1
        if at == 0 or self.groups[at].first != place or self.groups[at].kind != ARGUMENT:
            return False
        if self.tokens[place - 1].spelling != b"^":
            return False
        del self.tokens[-2:]
        for group in self.groups[at:]:
            group.kind, group.first = PLAIN, len(self.tokens)
        return True

    def apply_idioms(self, last: str) -> None:
        """Replace the last tokens if they are an idiom that ends with this word."""
        own = [phrase for phrase in idiom_table.IDIOMS if phrase.split()[-1] == last]
        for phrase in sorted(own, key=lambda phrase: -len(phrase.split())):
            words, new = phrase.encode().split(), idiom_table.IDIOMS[phrase].encode().split()
            tail = self.tokens[-len(words) :]
            if len(tail) < len(words):
                continue
            if not all(
                token.ends_operand() and (word == b"N" or token.kind == WORD)
                if word in (b"N", b"L")
                else token.spelling == word
                for token, word in zip(tail, words, strict=True)
            ):
                continue
            kept = next((at for at, word in enumerate(words) if new[at : at + 1] != [word]), 0)
            begin, end = tail[kept].begin, tail[-1].end
            del self.tokens[len(self.tokens) - len(words) + kept :]
            self.write(b" ".join(new[kept:]), begin, end)
            head = b"".join(new[kept : kept + 1])
            if head.decode() in ("\\sqrt", *FUNCTIONS):
                self.tokens[len(self.tokens) - len(new) + kept].is_function = True
                if head == b"\\sqrt":
                    self.expect_bracket()
            return

    # --- numbers in words -------------------------------------------------------------------------

    def is_joined(self, at: int, begin: int) -> bool:
        return not self.text[self.tokens[at].end : begin].strip(b" -")

    def respell(self, at: int, value: int, end: int) -> None:
        token = self.tokens[at]
        token.spelling, token.kind, token.end = str(value).encode(), NUMBER, end
        token.is_number_word, token.is_article = True, False
        del self.tokens[at + 1 :]
        self.index, self.is_glued = end, True

    @staticmethod
    def value(token: Token) -> int:
        is_whole = token.spelling.isdigit() and len(token.spelling) <= 15
        return int(token.spelling) if is_whole else -1

    def add_number(self, value: int, end: int) -> bool:
        """Add a number below 100 to the number word before it, as in two hundred and five."""
        at = len(self.tokens) - 1
        if at < 0 or not self.is_joined(at, self.index):
            return False
        is_after_and = at > 0 and self.last == b"and"
        if is_after_and:
            at -= 1
            hundred = re.compile(rb" *hundred").match(self.text, end)
            if hundred or not self.is_joined(at, self.tokens[at + 1].begin):
                return False
        old = self.value(self.tokens[at])
        if not self.tokens[at].is_number_word or old < 0:
            return False
        is_ten = not is_after_and and value < 10 < old % 100 and old % 10 == 0
        if not is_ten and (old < 100 or old % 100):
            return False
        self.respell(at, old + value, end)
        return True

    def multiply(self, scale: int, end: int) -> bool:
        """Multiply the number before a scale, as in 3.5 million, two dozen and a hundred."""
        at = len(self.tokens) - 1
        if at < 0 or not self.is_joined(at, self.index):
            return False
        token = self.tokens[at]
        if token.spelling == b"one" or token.is_article:
            self.respell(at, scale, end)
            return True
        if token.kind != NUMBER:
            return False
        if not token.is_number_word:
            number = Fraction(token.spelling.decode()) * scale
            if len(token.spelling) > 8 or number == 0 or number.denominator > 1:
                return False
            self.respell(at, int(number), end)
            token.is_number_word = False
            return True
        old = self.value(token)
        part = old if scale == 12 else old % scale
        if part <= 0 or old > 10**15 // scale:
            return False
        self.respell(at, old - part + part * scale, end)
        return True

    def read_half(self, end: int) -> bool:
        begin = self.index
        dozen = re.compile(rb"-? *(?:a +)?dozen(?![A-Za-z\x80-\xff])").match(self.text, end)
        if dozen:
            self.write(b"6", begin, dozen.end())
            return True
        if re.match(rb"-[A-Za-z\x80-\xff]", self.text[end:]):
            return False
        if self.tokens and self.is_joined(-1, begin):
            last = self.tokens[-1]
            if last.spelling == b"one" or last.is_article:
                self.tokens.pop()
                begin = last.begin
                is_sum = len(self.tokens) > 1 and self.last == b"and"
                if last.is_article and is_sum and self.tokens[-2].kind == NUMBER:
                    self.tokens.pop()
                elif last.is_article and is_sum and self.tokens[-2].spelling == b"one":
                    self.respell(len(self.tokens) - 2, 1, end)
        self.write(b"1 / 2", begin, end)
        return True

    def read_part(self, value: int, word: bytes, end: int, is_quarter: bool) -> bool:
        """Read a third as 1/3, two thirds as 2/3, twenty-third as 23 th and third as 3 th."""
        begin, at = self.index, len(self.tokens) - 1
        is_plural = word.endswith(b"s")
        after = "|".join(counting.AFTER_PART.split()).encode()
        of_follows = bool(re.compile(rb" +(?:%s) " % after).match(self.text, end))
        is_hyphened = begin > 0 and self.text[begin - 1 : begin] == b"-"
        of_follows = of_follows or (is_quarter and is_hyphened)
        number = b"%d" % value
        if not of_follows and not is_plural and at > 1 and self.tokens[at].is_article:
            is_mixed = self.tokens[at - 1].spelling == b"and" and self.is_joined(at, begin)
            is_mixed = is_mixed and self.is_joined(at - 2, self.tokens[at - 1].begin)
            if is_mixed and self.tokens[at - 2].kind == NUMBER:
                self.respell(at, 1, end)
                self.tokens[at].is_number_word = False
                del self.tokens[at - 1]
                self.write(b"/ " + number, begin, end)
                return True
        if at >= 0 and self.is_joined(at, begin) and (of_follows or not is_quarter):
            token = self.tokens[at]
            is_one = token.spelling == b"one" or (token.is_article and of_follows)
            count = self.value(token) if token.kind == NUMBER else -1
            if is_one and not is_plural:
                self.respell(at, 1, end)
                count = 1
            if count == 1 or (count > 0 and is_plural):
                self.write(b"/ " + number, begin, end)
                return True
            is_ten = count % 100 > 10 and count % 10 == 0 and token.is_number_word
            if is_ten and value < 10:
                self.respell(at, count + value, end)
                self.write(b"th", begin, end)
                return True
        if is_quarter:
            return False
        self.write(number + b" th", begin, end)
        return True

    # --- products ---------------------------------------------------------------------------------

    def settle_star(self) -> None:
        """Drop a product sign between factors; join two letters."""
        star, self.star = self.star, -1
        between = [token.spelling for token in self.tokens[star + 1 : -1]]
        if star < 1 or self.tokens[star].begins_sentence or set(between) - {b"("}:
            return
        before, sign, after = self.tokens[star - 1], self.tokens[star], self.tokens[-1]
        begins_factor = after.kind == WORD or after.is_operand or after.is_function
        begins_factor |= after.kind == GROUP and after.spelling == b"("
        if not (before.ends_operand() or before.kind == WORD) or not begins_factor:
            return
        if sign.is_cross and before.kind != NUMBER and VECTORS.search(self.text, 0, self.size + 16):
            sign.spelling, sign.kind = b"\\times", MACRO
            return
        if before.kind == WORD and after.kind == WORD and not before.is_function:
            is_script = star > 1 and self.tokens[star - 2].spelling in SCRIPTS
            names = [not (each.is_capital or each.is_capitalised) for each in (before, after)]
            total = len(before.spelling) + len(after.spelling)
            is_short = len(after.spelling) <= 3 and total <= 6 and not after.is_function
            if not between and not is_script and all(names) and is_short:
                before.spelling += after.spelling
                before.end, before.is_joined = after.end, True
                del self.tokens[star:]
                return
            if len(before.spelling) > 1 < len(after.spelling) and not after.is_function:
                return
        del self.tokens[star]
        for group in reversed(self.groups):
            if group.first <= star:
                break
            group.first -= 1

    def join_letters(self) -> None:
        """Join the letter that was just read to a letter before it, as in 2 x y."""
        if len(self.tokens) < 2 or len(self.last) != 1:
            return
        before, after = self.tokens[-2:]
        between = self.text[before.end : after.begin]
        is_name = before.kind == WORD and re.match(rb"[a-z]", before.spelling)
        is_name = is_name and (len(before.spelling) == 1 or before.is_joined)
        is_other = before.is_capital or before.is_capitalised or before.is_article
        is_script = len(self.tokens) > 2 and self.tokens[-3].spelling in SCRIPTS
        if not is_name or is_other or is_script or len(before.spelling) >= 6:
            return
        is_differential = before.spelling.startswith(b"d")  # As in \mathrm{d}x.
        is_macro = not between and self.text[after.begin : after.begin + 1] == b"\\"  # x\\exp(x)
        if is_macro or re.fullmatch(
            rb"(?: |\\[,;:! ]%s%s)+"
            % (
                rb"|\}" if is_differential else b"",
                b"" if after.spelling == b"d" else rb"|\\mathrm\{",
            ),
            between,
        ):
            before.spelling += after.spelling
            before.end, before.is_joined = after.end, True
            self.tokens.pop()

    # --- numbers ----------------------------------------------------------------------------------

    def follows_name(self) -> bool:
        """Return True right after a name, as in x1 + x2, but not in x^n2, 9C4 and 3e5."""
        name, *before = reversed(self.tokens[-2:] or [Token(b"", OPERATOR, 0, 0)])
        if name.kind != WORD or len(name.spelling) != 1 or name.end != self.index:
            return False
        if name.end - name.begin != 1 or not before:
            return name.end - name.begin == 1
        is_between = before[0].kind == NUMBER and name.spelling.decode() in numbers.AFTER_NUMBERS
        return before[0].spelling not in (b"^", b"_") and not is_between

    def read_number(self) -> None:
        if self.is_glued and self.last == b"!":
            self.tokens.append(Token(b"*", OPERATOR, self.index - 1, self.index))
        start, is_argument = self.index, self.group.owed > 0
        if not is_argument and self.is_glued and self.follows_name():
            self.tokens.append(Token(b"_", OPERATOR, self.index - 1, self.index))
        is_digit = self.at(0).isdigit()
        spelling, end, is_list = b"0", start, False
        is_one_digit = is_digit and (is_argument or self.is_one_digit())
        if is_one_digit:  # \frac12, \log_264
            spelling, end = self.at(0), start + 1
        elif digits := DIGITS.match(self.text, start):
            spelling, end = digits[0], digits.end()
            is_list = end < self.list_end and not spelling.startswith(b"0")
            is_checked = False
            is_spaced = False
            is_in_matrix = start < self.rows_end or self.num_matrices > 0
            if not is_list and not spelling.startswith(b"0") and not is_in_matrix:
                spaced = spaced_end(self.text, start, end, self.size)
                is_spaced, end = spaced > end, spaced
                spelling = re.sub(rb"[. ]", b"", self.text[start:end])
            while not is_list and not is_spaced and not spelling.startswith(b"0"):
                group = THOUSANDS.match(self.text, end)
                if not group:
                    break
                if group[1] == b"," and not is_checked:
                    is_checked = True
                    if found := list_end(self.text, start):
                        is_list, self.list_end = True, found
                        break
                spelling, end = spelling + group[2], group.end()
        power = None
        if not is_one_digit:
            decimals = DECIMALS.match(self.text, end)
            if not decimals and not is_list and end > start >= self.rows_end:
                decimals = decimal_comma(self.text, start, end, self.size)
            if decimals:
                digits_after = decimals[0].lstrip(b".,{}")
                spelling = (spelling + b"." + digits_after).rstrip(b"0").rstrip(b".")
                end = decimals.end()
                power = POWER_OF_TEN.match(self.text, end)
        self.emit(spelling, NUMBER, end - start)
        if power:
            self.write(b"* 10 ^", end, power.end())
        if is_argument:
            self.group.owed -= 1
            self.end_argument()

    def is_one_digit(self) -> bool:
        r"""Return True where one digit is the index or exponent of a function, as in \log_264."""
        if len(self.tokens) < 2 or not self.is_glued or not self.tokens[-2].is_function:
            return False
        if self.last not in SCRIPTS:
            return False
        ahead = re.compile(rb"[0-9]{2,}(?!\.[0-9]|[0-9]) *").match(self.text, self.index)
        if not ahead:
            return False
        after = self.text[min(ahead.end(), self.size) :]
        operand = rb"[0-9A-Za-z\x80-\xc1\xc3-\xff({]|\\(?:%s)"
        return not re.match(operand % "|".join(numbers.OPERANDS).encode(), after)

    # --- groups -----------------------------------------------------------------------------------

    def bracket(self, byte: bytes) -> Token:
        return Token(byte, GROUP, self.index, self.index + 1)

    def takes_argument(self) -> bool:
        if self.group.owed > 0:
            self.group.owed -= 1
            return True
        return self.last in SCRIPTS

    @staticmethod
    def follows_function(tokens: list[Token]) -> bool:
        """Return True after a function that may have an exponent or an index."""
        last = len(tokens) - 1
        if last > 2 and tokens[last - 1].spelling == b"-" and tokens[last - 2].spelling == b"^":
            last -= 3  # As in sin^{-1}.
        elif last > 1 and tokens[last - 1].spelling in SCRIPTS:
            last -= 2
        return last >= 0 and tokens[last].is_function

    def open_brace(self) -> None:
        is_argument = self.takes_argument()
        if len(self.groups) < 64:
            if is_argument and not self.opens_look:
                self.tokens.append(self.bracket(b"("))
                self.groups.append(Group(ARGUMENT, len(self.tokens) - 1))
            elif is_argument:
                self.groups.append(Group(LOOK, len(self.tokens)))
            elif not self.opens_look and self.begins_set():
                self.tokens.append(self.bracket(b"{"))
                self.groups.append(Group(SET, len(self.tokens)))
            else:
                self.groups.append(Group(PLAIN, len(self.tokens)))
        self.index += 1
        self.opens_look = False

    def begins_set(self) -> bool:
        """Return True if a brace begins a set in plain text, as in {1, 2, 3}."""
        if self.index and self.at(-1) not in b" \n\t$=(,:":
            return False
        start = self.index + 1
        content = re.match(rb" *-?(?=[0-9A-Za-z\x80-\xff])", self.text[start : self.size + 2])
        if not content:
            return False
        start += content.end()
        end = min(self.size, start + 200)
        inside = re.match(rb"([^}{\\$^_\n]*)\}", self.text[start:end])
        if inside and b"," in inside[1]:
            return True
        is_over = re.search(rb"[}{\\$^_\n]", self.text[start:end])
        return is_over is not None and self.is_divided(start)

    def is_divided(self, start: int) -> bool:
        """Return True if a letter, perhaps with its domain, and a bar or colon begin here."""
        letter = re.compile(rb"[A-Za-z\x80-\xff](?![A-Za-z\x80-\xff]) *").match(self.text, start)
        if not letter:
            return False
        at = min(letter.end(), self.size)
        if self.text.startswith(b"\\in", at):
            domain = re.compile(rb"(?:(?!\\mid)[^:|])*").match(
                self.text, at, min(self.size, at + sets.MAX_DOMAIN)
            )
            assert domain
            at = domain.end()
        return at < self.size and re.compile(rb"[:|]|\\mid").match(self.text, at) is not None

    def close_brace(self) -> None:
        while len(self.groups) > 1 and self.group.kind >= AUTOMATIC:
            self.end_group()
        if len(self.groups) > 1:
            kind = self.group.kind
            self.end_group()
            if kind == SET:
                self.tokens.append(self.bracket(b"}"))
            elif kind != PLAIN:
                self.end_argument()
        self.index += 1
        self.is_glued = True

    def end_group(self) -> None:
        group = self.groups.pop()
        self.star = -1
        if group.bar >= 0:
            self.enclose(group.bar, group.limit)
        if group.kind in (ARGUMENT, AUTOMATIC) and group.first < len(self.tokens):
            if self.is_needless(group, ARGUMENT):
                self.drop_bracket(group.first)
            elif group.kind == AUTOMATIC:
                place = self.tokens[-1].end - 1
                self.tokens.append(Token(b")", GROUP, place, place + 1))
            else:
                self.tokens.append(self.bracket(b")"))

    def end_argument(self) -> None:
        while self.group.is_fraction and self.group.owed < 2:
            if self.group.owed == 1:
                place = self.tokens[-1].end - 1 if self.tokens else 0
                self.tokens.append(Token(b"/", OPERATOR, place, place + 1))
                return
            self.group.is_fraction = False
            if self.group.kind != AUTOMATIC:
                return
            self.end_group()

    def is_needless(self, group: Group, kind: int) -> bool:
        """Return True if a group that was just popped means the same without brackets."""
        inside = self.tokens[group.first + 1 :]
        before = self.tokens[group.first - 1] if group.first else None
        if kind == ROUND:
            if self.is_lone(group.first):
                return True
            ahead = re.match(rb" *(.)", self.text[self.index + 1 :], re.DOTALL)
            is_numerator = ahead and ahead[1] == b"/" and bool(inside)
            is_operand = before is not None and before.ends_operand()
            return bool(is_numerator) and not is_operand and shape(inside) <= PRODUCT
        if kind == CALL:
            functions = "|".join(prose.FUNCTIONS).encode()
            is_function = re.match(
                rb"\\?(?:%s)(?![A-Za-z\x80-\xff])" % functions, self.text[self.index + 1 :]
            )
            is_followed = re.match(rb"[A-Za-z0-9\x80-\xff(\\{^]", self.at(1)) and not is_function
            return is_call(inside) and not is_followed
        if len(inside) <= 1:
            return kind == ARGUMENT or bool(inside)
        if kind == ROUND_ARGUMENT and before and before.spelling == b"/":
            return shape(inside) <= FACTOR
        if self.group.is_fraction:
            return shape(inside) <= (PRODUCT if self.group.owed == 1 else FACTOR)
        return shape(inside) == ATOM

    def is_lone(self, opened: int) -> bool:
        """Return True for the brackets of (1/2)x and -(3/4), and for the first ones of (3)(4)."""
        inside = self.tokens[opened + 1 :]
        if not inside or self.needs_bracket():
            return False
        has_sign = inside[0].spelling in (b"+", b"-")
        if opened:
            before = self.tokens[opened - 1]
            is_relation = before.spelling in (b"=", b"<", b">", b"<=", b">=", b"!=")
            is_operand = before.ends_operand() and not self.ends_limits(opened)
            if is_operand and before.kind == NUMBER and len(inside) > 1:
                is_operand = inside[0].kind == NUMBER or has_sign
                is_operand = is_operand or not self.is_factor_before(opened)
            if (has_sign and not is_relation) or is_operand or before.spelling == b"/":
                return False
            if before.kind == WORD and before.end == self.tokens[opened].begin:
                return False
        elif has_sign:
            return False
        if len(inside) == 1:
            return inside[0].kind == NUMBER and self.at(1) == b"("
        return self.is_fraction(inside)

    def ends_limits(self, end: int) -> bool:
        """Return True if the tokens up to `end` are the limits of a sum."""
        at = end - 1
        for _ in range(2):
            level = self.tokens[at].spelling == b")"
            while level > 0 and at > 0:
                at -= 1
                level += (self.tokens[at].spelling == b")") - (self.tokens[at].spelling == b"(")
            if at < 2 or self.tokens[at - 1].spelling not in SCRIPTS:
                return False
            at -= 2
            if self.tokens[at].spelling in shapes.SUMS.encode().split():
                return True
        return False

    def is_second_factor(self, opened: int) -> bool:
        """Return True if the bracket stands for a product sign, as the second of (3/7)(2/5)."""
        inside = self.tokens[opened + 1 :]
        if not opened or not inside or inside[0].kind != NUMBER or self.needs_bracket():
            return False
        if not self.is_factor_before(opened):
            return False
        return len(inside) == 1 or self.is_fraction(inside)

    def is_factor_before(self, opened: int) -> bool:
        """Return True if what is before the bracket is multiplied with it."""
        before, begin = self.tokens[opened - 1], self.tokens[opened].begin
        is_number = before.kind == NUMBER
        if opened > 2:
            two = [token.spelling for token in self.tokens[opened - 3 : opened - 1]]
            is_number &= two[1] != b"_" and not (two[0] == b"^" and two[1] in (b"+", b"-"))
        ends = re.compile(rb"(?:[)}]|\\right)*").match(self.text, before.end, begin)
        assert ends
        if ends.end() == begin:
            return is_number
        blanks = re.compile(rb" *").match(self.text, ends.end(), begin)
        assert blanks
        at = blanks.end()
        if at < begin and self.text[at : at + 1] == b"*":
            return before.ends_operand()
        for number, word in enumerate(shapes.BETWEEN):
            if self.text.startswith(word.encode(), at):
                is_sign = number < shapes.NUM_SIGNS
                return is_number or (is_sign and before.ends_operand())
        return False

    def needs_bracket(self) -> bool:
        after = re.match(rb" *(?:[\^_!'/}]|\*\*|\*s|<\*|<s)", self.text[self.index + 1 :])
        return after is not None

    def is_fraction(self, inside: list[Token]) -> bool:
        level, bars = 0, list[int]()
        for at, token in enumerate(inside):
            if token.kind == GROUP:
                level += 1 if token.is_opener() else -1
            elif level == 0 and token.spelling == b"/":
                bars.append(at)
        if len(bars) != 1 or bars[0] in (0, len(inside) - 1) or level:
            return False
        if re.search(rb"[,;&]", self.text[inside[0].begin : self.index]):
            return False
        return shape(inside[: bars[0]]) <= PRODUCT and shape(inside[bars[0] + 1 :]) <= FACTOR

    def drop_bracket(self, first: int) -> None:
        del self.tokens[first]
        before = self.tokens[first - 1].spelling if first else b""
        if before in SCRIPTS and first == len(self.tokens):
            self.tokens.pop()
        elif before == b"^" and self.tokens[first].spelling in (DEGREE, b"'", *ENDINGS):
            del self.tokens[first - 1]

    def open_round(self) -> None:
        place = len(self.tokens) - 1
        kind = ROUND
        if self.group.owed > 0:
            self.group.owed -= 1
            kind = ROUND_ARGUMENT
        elif place > 0:
            last = self.tokens[place - 1]
            name = last.spelling.decode("latin-1")
            if last.spelling in (*SCRIPTS, b"/"):
                kind = ROUND_ARGUMENT
            elif name in braces.CALLS:
                opening, closing = braces.CALLS[name]
                index, end = self.index, self.tokens[-1].end
                del self.tokens[-2:]
                self.write(opening.encode(), last.begin, end)
                self.index = index
                if len(self.groups) < 64:
                    self.groups.append(Group(SILENT, len(self.tokens) - 1, closing.encode()))
                return
            elif self.follows_function(self.tokens[:-1]):
                kind = CALL
        if len(self.groups) < 64:
            self.groups.append(Group(kind, place))

    def close_round(self) -> bool:
        if self.group.kind < ROUND:
            return False
        group = self.groups.pop()
        self.star = -1
        if group.kind == SILENT:
            if group.close:
                self.write(group.close, self.index, self.index + 1)
            else:
                self.index += 1
            return True
        is_empty = group.kind == ROUND and group.first + 1 == len(self.tokens)
        if is_empty or self.is_needless(group, group.kind):
            self.drop_bracket(group.first)
        elif group.kind == ROUND and self.is_second_factor(group.first):
            self.tokens[group.first].spelling, self.tokens[group.first].kind = b"*", OPERATOR
        else:
            self.tokens.append(self.bracket(b")"))
        if group.kind == ROUND_ARGUMENT:
            self.end_argument()
        self.index += 1
        self.is_glued = True
        return True

    def read_bar(self, sign: bytes) -> None:
        r"""Read \over or \choose between the two parts of its group."""
        first = 0
        if len(self.groups) > 1:
            first = self.group.first + (self.group.kind >= ARGUMENT)
        is_choice = sign != b"/"
        self.enclose(first, ATOM if is_choice else PRODUCT)
        if is_choice:
            index = self.index
            self.write(sign, index, index + 1)
            self.tokens.insert(first, self.tokens.pop())
            self.index = index
        else:
            self.tokens.append(Token(sign, OPERATOR, self.index, self.index + 1))
        if len(self.groups) > 1:
            self.group.bar, self.group.limit = len(self.tokens), ATOM if is_choice else FACTOR

    def enclose(self, first: int, limit: int) -> None:
        """Put brackets around the tokens from `first` on if they bind less than the limit."""
        part = self.tokens[first:]
        if len(part) > 1 and shape(part) > limit:
            begin = part[0].begin
            self.tokens.insert(first, Token(b"(", GROUP, begin, begin + 1))
            self.tokens.append(self.bracket(b")"))

    # --- signs, brackets, punctuation -------------------------------------------------------------

    def read_symbol(self, byte: bytes) -> None:
        self.opens_look = False
        before, after = self.at(-1), self.at(1)
        for arrow, macro in symbols.ARROWS.items():
            if self.text.startswith(arrow.encode(), self.index):
                end = self.index + len(arrow)
                self.write(macro.encode(), self.index, end)
                return
        run = len(self.text[self.index :]) - len(self.text[self.index :].lstrip(byte))
        is_in_rows = self.index <= self.rows_end
        if is_in_rows and byte in b";]":
            self.write(b"] [" if byte == b";" else b"] ]", self.index, self.index + 1)
        elif is_in_rows and byte == b"-" and self.tokens[-1].kind == NUMBER and before == b" ":
            self.write(b", -", self.index, self.index + 1)
        elif byte in b":|" and self.divide_set(self.index + 1):
            return
        elif byte in b"|/" and self.is_parallel():
            self.write(b"\\parallel", self.index, self.index + 2)
        elif (
            byte == b"." and before.isdigit() and (digits := REPEATING.match(self.text, self.index))
        ):
            self.write(b"\\overline", self.index, self.index + 2)
            self.write(digits[1], self.index, digits.end() - 1)
            self.index += 1
        elif byte == b"[" and after != b"[" and (end := self.matrix_end()):
            self.write(b"[ [", self.index, self.index + 1)
            self.rows_end = self.list_end = end
        elif byte == b";" and is_within_brackets(self.text, self.index):
            self.read_comma(b",")
        elif byte == b"^" and self.closes_script():
            self.skip(1)
        elif byte in b"+=%^|":
            self.emit(byte, OPERATOR, 1)
        elif byte in b"()":
            if byte == b"(" or not self.close_round():
                self.bracket_sign(byte, 1)
        elif byte == DEGREE[:1]:
            if self.last == b"^":
                self.tokens.pop()
            self.emit(byte + after, OPERATOR, 2)
        elif byte in b",@#&~":
            self.read_comma(byte)
        elif byte == b"\\":
            has_four = self.text.startswith(b"\\" * 4, self.index)
            if after == b"\\" and self.num_matrices and (has_four or not self.is_doubled()):
                self.index += 2 * (has_four and self.is_doubled())
                self.write(b"] [", self.index, self.index + 2)
                if height := HEIGHT.match(self.text, self.index):
                    self.index = height.end()
            elif (
                after == b"\\"
                and not self.is_doubled()
                and (height := HEIGHT.match(self.text, self.index + 2))
            ):
                self.index = height.end()
            elif after == b"\\" and self.is_doubled():
                self.index += 1
            elif after == b"%":
                self.emit(b"%", OPERATOR, 2)
            elif after in b"{}":
                self.bracket_sign(after, 2)
            elif after == b"|":
                self.write(b"| |", self.index, self.index + 2)
            elif blank := BLANK.match(self.text, self.index):
                self.index = min(blank.end(), self.size)
            else:
                is_short = after.isdigit() or after in b"*_&#"
                self.index = min(self.index + (1 if is_short else 2), self.size)
        elif byte == b"-":
            last_kind = self.tokens[-1].kind if self.tokens else None
            is_bullet = after == b" " and self.is_bullet()
            if run > 1:
                self.skip(run)
            elif is_bullet or (self.touches_word() and last_kind != MACRO) or self.is_compound():
                self.skip(1)
            else:
                self.emit(byte, OPERATOR, 1)
        elif byte == b"_":
            if run > 1 or self.is_emphasis():
                self.skip(run)
                return
            is_limit = re.compile(rb"_[{(][A-Za-z\x80-\xff] ?=").match(self.text, self.index)
            if is_limit and self.last in (b"\\Sigma", b"\\Pi"):
                name = b"\\sum" if self.last == b"\\Sigma" else b"\\prod"
                self.tokens[-1].spelling, self.tokens[-1].is_operand = name, False
            if self.is_glued and self.last in (b"sum", b"prod", b"int"):
                self.tokens[-1].spelling, self.tokens[-1].kind = b"\\" + self.last, MACRO
            self.emit(byte, OPERATOR, 1)
        elif byte in b"<>":
            self.emit(byte + b"=", OPERATOR, 2) if after == b"=" else self.emit(byte, OPERATOR, 1)
        elif byte in b"[]":
            if after == byte == b"[" and ROWS.match(self.text[: self.size + 2], self.index):
                self.in_rows = True
            if after == byte and not self.in_rows:
                self.skip(2)  # [[a link]]
            else:
                self.bracket_sign(byte, 1)
        elif byte == b"/":
            word = re.search(rb"[A-Za-z\x80-\xff]*\Z", self.text[: self.index])
            assert word
            is_either = word[0].lower().decode("latin-1") in prose.EITHER
            is_either = is_either and LETTERS.match(after) is not None
            self.skip(1) if is_either else self.emit(byte, OPERATOR, 1)  # and/or
        elif byte == b"*":
            self.read_star(after)
        elif byte == b"!":
            self.read_bang(before, after)
        elif byte == b"'":
            self.emit(byte, OPERATOR, 1) if self.takes_mark(byte) else self.skip(1)
        elif byte == b"." and self.text.startswith(b". . .", self.index):
            self.emit(b"...", MACRO, 5)
        elif byte == b"." and run > 1:
            self.emit(b"...", MACRO, run)
        elif (
            byte == b"."
            and not before.isdigit()
            and re.match(rb"\\overline\{[0-9]", self.text[self.index + 1 :])
        ):
            self.emit(b"0", NUMBER, 1)
        elif byte == b":" and self.is_ratio(self.index, self.index + 1, True):
            self.emit(byte, OPERATOR, 1)
        elif byte == b"$":
            self.index += 1
        else:
            ends = byte in b"?;" or (byte == b":" and after in b" \n")
            if ends or (byte == b"." and not LETTERS.match(after)):
                self.end_sentence(byte)
            self.skip(1)

    def closes_script(self) -> bool:
        """Return True at the second caret of x^2^, as Pandoc writes an exponent."""
        if len(self.tokens) < 2 or not self.is_glued or self.tokens[-2].spelling != b"^":
            return False
        return self.at(1) in b" \n.,;:)?!*$"

    def matrix_end(self) -> int:
        """Return the end of a matrix such as [2 1; 0 3] that begins here, or 0."""
        number = rb"-?[0-9]+(?:[./][0-9]+)*"
        inside = self.text[self.index + 1 : min(self.size, self.index + matrices.MAX_ROWS)]
        row = rb"[ ,]*%s(?:[ ,]+%s)*[ ,]*" % (number, number)
        found = re.match(rb"(%s(?:;%s)+)\]" % (row, row), inside)
        if not found:
            return 0
        columns = [len(re.findall(number, each)) for each in found[1].split(b";")]
        is_matrix = len({*columns}) == 1 and (columns[0] > 1 or len(columns) > 2)
        return self.index + found.end() if is_matrix else 0

    def is_parallel(self) -> bool:
        """Return True at two bars or slashes between blanks after the names of points."""
        if not self.tokens or self.at(1) != self.at(0) or self.at(2) != b" " or self.at(-1) != b" ":
            return False
        name = self.tokens[-1]
        letters = self.text[name.begin : name.end]
        is_points = name.kind == WORD and len(letters) > 1
        before = self.tokens[-2:-1] or [Token(b"", WORD, 0, 0)]
        is_abbreviation = name.spelling in segments.ABBREVIATIONS.encode().split()
        if is_abbreviation and before[0].spelling not in segments.FIGURES.encode().split():
            return False
        if before[0].is_article or before[0].spelling == b"an":
            return False
        return is_points and all(letters[at : at + 1] < b"a" for at in (0, 1, -1))

    def breaks_line(self) -> bool:
        r"""Return True at the line break \n of JSON."""
        before = self.text[: self.index]
        if (len(before) - len(before.rstrip(b"\\"))) % 2:
            return False
        return bool(BREAK.match(self.text, self.index)) or (
            re.match(rb"[a-z\x80-\xff]", self.at(2)) is not None and self.is_doubled()
        )

    def is_doubled(self) -> bool:
        """Return True if each backslash of the text is doubled, as in JSON."""
        text = self.text[: self.size + 1]
        has_breaks = re.search(rb"(?<!\\)\\n", text)
        return not SINGLE.search(text) and bool(DOUBLE.search(text) or not has_breaks)

    def bracket_sign(self, byte: bytes, width: int) -> None:
        r"""Append a bracket; the next token still begins the sentence."""
        marks = self.begins_sentence, self.after_question
        token = self.emit(byte, GROUP, width)
        token.begins_sentence = token.after_question = False
        self.begins_sentence, self.after_question = marks
        before = self.tokens[-2].spelling if len(self.tokens) > 1 else b""
        if byte == b"(":
            self.open_round()
            return
        if byte == b"]" and before == b"]":
            self.in_rows = False
        if self.in_root and byte == b"]":
            after = self.text[self.index + (self.at(0) == b" ") :][:1]
            self.group.owed, self.in_root = int(not after.isdigit()), False
            return
        self.in_root |= byte == b"[" and before == b"\\sqrt"
        self.group.owed, self.group.is_fraction = 0, False

    def read_comma(self, byte: bytes) -> None:
        """Read a comma before a sign, and other signs between operands, as operators."""
        ahead = re.match(DELIMITERS_AHEAD, self.text[self.index + 1 : self.size])
        after = self.at(1 + ahead.end()) if ahead else b" "
        is_operator = bool(self.tokens) and self.tokens[-1].ends_operand()
        has_blanks = self.at(1) == b" " and self.index > 0 and self.at(-1) == b" "
        if byte == b"," or self.num_matrices:
            is_operator = is_operator and after in b"+-"
            byte = b"," if byte == b"&" else byte
        elif not re.match(rb"[0-9A-Za-z\x80-\xff(]", after) and not (
            byte in b"@#" and after == b"\\" and self.at(2 + ahead.end() if ahead else 2).isalpha()
        ):
            is_operator = False
        elif byte == b"&":
            is_escaped = self.index == 0 or self.at(-1) == b"\\"
            text = self.text[: self.size + 6]
            is_operator = is_operator and (is_escaped or not re.search(rb"\\(?:\\|begin)", text))
        elif byte == b"~":
            is_operator = is_operator and has_blanks
        if is_operator:
            is_tilde = byte == b"~"
            self.emit(b"\\sim" if is_tilde else byte, MACRO if is_tilde else OPERATOR, 1)
        else:
            self.skip(1)

    def is_ratio(self, left: int, right: int, of_names: bool) -> bool:
        r"""Return True if a colon separates numbers or names, but not in f: A \to B."""
        before = re.sub(DELIMITERS_AHEAD + rb"\Z", b"", self.text[:left])
        ahead = re.match(DELIMITERS_AHEAD, self.text[right : self.size])
        assert ahead
        after = self.text[right + ahead.end() :]
        if re.search(rb"[0-9]\Z", before):
            return after[:1].isdigit()
        name = re.search(rb"[A-Za-z\x80-\xff]+\Z", before)
        other = LETTERS.match(after)
        is_lopsided = (len(before) < left) != (ahead.end() > 0)
        if not of_names or is_lopsided or not name or not other:
            return False
        for each in (name[0], other[0]):
            if len(each) > 1 and re.search(rb"[a-z\x80-\xff]", each):
                return False
        return not re.match(DELIMITERS_AHEAD + rb"\\(?:to|rightarrow|mapsto)", after[other.end() :])

    def is_compound(self) -> bool:
        """Return True at the hyphen of n-th and at both hyphens of 8-by-8."""
        ahead = re.match(
            rb"(?i:th|st|nd|rd|by(?=-))(?![A-Za-z\x80-\xff])", self.text[self.index + 1 :]
        )
        return bool(ahead or re.search(rb"-(?i:by)\Z", self.text[: self.index]))

    def end_sentence(self, byte: bytes) -> None:
        self.begins_sentence, self.after_question = True, byte == b"?"
        if byte in b".:" and self.tokens and self.is_glued:
            self.tokens[-1].before_stop |= byte == b"."
            self.tokens[-1].before_colon |= byte == b":"

    def read_star(self, after: bytes) -> None:
        power = self.at(2)
        if after == b"*":
            if self.is_glued and (power.isdigit() or power == b"(" or LETTERS.match(power)):
                self.emit(b"^", OPERATOR, 2)
            else:
                self.skip(2)
        elif self.is_bullet() or self.is_emphasis() or self.is_around_name():
            self.skip(1)
        else:
            self.emit(b"*", OPERATOR, 1)
            self.star = len(self.tokens) - 1

    def is_emphasis(self) -> bool:
        """Return True at a mark of Markdown that touches a word of three letters."""
        before = self.text[self.index - 1 : self.index] if self.index else b" "
        if before in b" \n(\"'" and re.match(rb"[A-Za-z]{3}", self.text[self.index + 1 :]):
            return True
        after = self.text[self.index + 1 : self.size][:1] or b" "
        is_word = re.search(rb"[A-Za-z]{3}\Z", self.text[: self.index])
        return after in b" \n),.;:!?\"'" and is_word is not None

    def is_around_name(self) -> bool:
        """Return True at both stars of a name in italics, as in *x* and *ab*^2."""
        letters = re.search(rb"[A-Za-z]*\Z", self.text[: self.index])
        first, end = self.index - len(letters[0] if letters else b""), self.index
        if first == end:
            first += 1
            letters = re.compile(rb"[A-Za-z]*").match(self.text, first)
            end = letters.end() if letters else first
        around = self.text[first - 1 : first] + self.text[end : end + 1]
        if first == 0 or around != b"**" or not 0 < end - first <= 3:
            return False
        before, after = (
            self.text[max(0, first - 2) : first - 1] or b" ",
            self.text[end + 1 : end + 2],
        )
        if after in b" \n),.;:":
            return True
        return before in b" \n(\"'" and not re.match(rb"[0-9A-Za-z\x80-\xff(*]", after)

    def read_bang(self, before: bytes, after: bytes) -> None:
        kind = self.tokens[-1].kind if self.tokens else None
        is_factorial = kind == NUMBER or (kind == GROUP and before == b")")
        is_glued_factorial = self.is_glued and (before.isdigit() or before == b")")
        if after == b"=" and self.takes_mark(b"!"):
            is_glued_factorial |= self.is_in_formula()
        if after == b"=" and not is_glued_factorial and self.at(2) != b"=":
            self.emit(b"!=", OPERATOR, 2)
        elif self.takes_mark(b"!") or (self.is_glued and is_factorial):
            self.emit(b"!", OPERATOR, 1)
        else:
            self.end_sentence(b"!")
            self.skip(1)

    def is_in_formula(self) -> bool:
        r"""Return True between $ and $, and between \( and \) or \[ and \]."""
        before = self.text[: self.index]
        around = self.text[: self.index + 1]
        level = len(re.findall(rb"\\[(\[]", around)) - len(re.findall(rb"\\[)\]]", around))
        return len(re.findall(rb"(?<!\\)\$", before)) % 2 == 1 or level > 0

    def takes_mark(self, byte: bytes) -> bool:
        """Return True if a factorial or prime follows a single letter, or a prime another prime."""
        if not self.tokens or not self.is_glued:
            return False
        token = self.tokens[-1]
        if token.spelling == byte:
            return True
        return token.kind == WORD and len(token.spelling) == 1

    def touches_word(self) -> bool:
        functions = "|".join(prose.FUNCTIONS).encode()
        if re.match(rb"(?:%s)[({^_]" % functions, self.text[self.index + 1 :]):
            return False
        ahead = WORD_AHEAD.match(self.text, self.index + 1)
        behind = WORD_BEHIND.search(self.text[: self.index])
        macro = re.search(rb"\\[A-Za-z\x80-\xff]*\Z", self.text[: self.index])
        return bool(ahead or (behind and not macro))

    def is_bullet(self) -> bool:
        """Return True at the start of a line if the previous line is empty or complete."""
        before = self.text[: self.index].rstrip(b" ")
        if not before or before == b"\n" or before.endswith(b"\n\n"):
            return True
        if not before.endswith(b"\n"):
            return False
        line = before.rstrip(bytes(range(0x21)))
        if not line or line[-1:] in b".:;?!$,":
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
        elif is_lone_brace(code, at):
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


def is_lone_brace(code: bytes, at: int) -> bool:
    r"""Return True at a brace around one letter, digit or macro, as in x^{2} and 30^{\circ}."""
    name = rb"(?:[0-9A-Za-z\x80-\xc1\xc3-\xe2\xee-\xff]|\\+[A-Za-z\x80-\xc1\xc3-\xe2\xee-\xff]+)"
    if code[at : at + 1] == b"{":
        return re.compile(rb"\{%s\}" % name).match(code, at) is not None
    return code[at : at + 1] == b"}" and re.search(rb"\{%s\Z" % name, code[:at]) is not None


def spaced_end(text: bytes, start: int, end: int, size: int) -> int:
    """Return the end of a number with blanks or points between its thousands."""
    run = re.compile(rb"[0-9]{1,3}(?:((?:\.[0-9]{3}(?![0-9]))+)|((?: [0-9]{3}(?![0-9]))+))").match(
        text, start
    )
    if not run or end - start > 3:
        return end
    if run[1]:
        return run.end() if len(run[1]) > 4 else end
    before = re.sub(DELIMITERS_AHEAD + rb"\Z", b"", text[:start])
    if before[-1:].isdigit() or before.endswith(SCRIPTS) or text.startswith(b"/", run.end()):
        return end
    noun = re.compile(DELIMITERS_AHEAD + rb"(?:(?!and )[A-Za-z\x80-\xff]{3}|of )").match(
        text, run.end()
    )
    is_noun = noun and text[run.end() : run.end() + 1] in (b" ", b"$", b"\\")
    return run.end() if b" 0" in run[2] or is_noun else end


def list_end(text: bytes, start: int) -> int:
    """Return the end of a list of numbers such as {2,310} and 120,135,150; 0 if it is a number."""
    begun = re.search(rb"(?:[0-9]+,)*\Z", text[:start])
    assert begun
    start = begun.start()
    run = re.compile(rb"[0-9]+(?:,[0-9]+)*").match(text, start)
    assert run
    first, *others = run[0].split(b",")
    if first.startswith(b"0") or len(first) > 3 or any(len(each) != 3 for each in others):
        return run.end()
    if any(each.startswith(b"0") for each in others):
        return 0
    numbers = [int(each) for each in (first, *others)]
    steps = {later - earlier for earlier, later in itertools.pairwise(numbers)}
    is_even = len(steps) == 1 and abs(min(steps)) <= 100
    is_long = len(numbers) > 2 and len(first) == 3
    is_list = is_bracketed(text, start, run.end()) or (
        is_long
        and (is_even or continues(text, start, run.end()) or is_announced(text, start, run.end()))
    )
    return run.end() if is_list else 0


def is_bracketed(text: bytes, start: int, end: int) -> bool:
    """Return True if the numbers are an element or all elements of a bracketed list."""
    before, after = text[:start].rstrip(b" "), text[end:].lstrip(b" ")
    opens = re.search(rb"(?:[(\[]|(?<![A-Za-z\x80-\xff}^_])\{)\Z", before)
    follows = re.search(rb"[0-9],\Z", before)
    closes = re.match(rb"[)\]}]|\\\}|\\rbrace|\\right", after)
    return bool((opens and (closes or after.startswith(b","))) or (follows and closes))


def is_announced(text: bytes, start: int, end: int) -> bool:
    """Return True after a colon or a plural, if no noun follows."""
    before = re.sub(DELIMITERS_AHEAD + rb"\Z", b"", text[:start])
    after = re.sub(rb"\A" + DELIMITERS_AHEAD, b"", text[end:])
    word = re.search(rb"[A-Za-z\x80-\xff]*\Z", before)
    assert word
    if LETTERS.match(after) or word[0].startswith(b"equals"):
        return False
    is_plural = word[0].endswith(b"s") and len(word[0]) > 4
    is_verb = word[0].startswith((b"are", b"were")) and len(word[0]) < 5
    return before.endswith(b":") or is_plural or is_verb


def continues(text: bytes, start: int, end: int) -> bool:
    """Return True if another number of a list precedes or follows."""
    if re.search(rb"[0-9],\Z", text[:start].rstrip(b" ")):
        return True
    number = rb"[0-9]{1,3}(?!,?[0-9])"
    return bool(
        re.match(rb"(?:, *(?:and |or )?| *(?:and |or ))(?:\.\.\.|\\ldots|%s)" % number, text[end:])
    )


def is_within_brackets(text: bytes, start: int) -> bool:
    """Return True if a bracket is open nearby, as in the points (a + 1,2) and (3; -1)."""
    nearby = text[max(0, start - 63) : start]
    while (inner := re.sub(rb"[(\[{][^][(){}]*[])}]", b"", nearby)) != nearby:
        nearby = inner
    return re.search(rb"[(\[{]", nearby) is not None


def decimal_comma(text: bytes, start: int, end: int, size: int) -> re.Match[bytes] | None:
    """Return the decimals that follow a comma, as in 1,25, 7,5 m and 7{,}5."""
    if braced := re.compile(rb"\{,\}[0-9]+").match(text, end):
        return braced
    decimals = re.compile(rb",[0-9]+(?![0-9]|,|\.[0-9])").match(text, end)
    if not decimals or (len(decimals[0]) > 3 and text[start:end] != b"0"):
        return None
    before = text[:start].rstrip(b" ")
    is_list = re.search(rb"[,=]\Z", before)
    is_list = is_list or is_bracketed(text, start, decimals.end())
    if is_list or continues(text, start, decimals.end()):
        return None
    if len(decimals[0]) == 2 and text[start:end] != b"0":
        spacing = re.compile(rb"(?:[ $~]|\\[(),; ])*").match(text, decimals.end(), size)
        assert spacing
        after = text[spacing.end() :]
        unit = re.match(
            rb"(?:\\(?:text|mathrm)\{ *)?(\xc2|\\?%|[A-Za-z\x80-\xc1\xc3-\xe2\xee-\xff]+)", after
        )
        has_unit = unit and (
            unit[1][:1] in b"\xc2%\\" or unit[1].lower().decode("latin-1") in commas.UNITS.split()
        )
        has_operator = before[-1:] and before[-1:] in commas.OPERATORS.encode()
        after_operator = rb"[%s]|- |\\(?:%s)" % (
            re.escape(commas.OPERATORS).encode(),
            "|".join(commas.PRODUCTS).encode(),
        )
        has_operator = has_operator or re.match(after_operator, after)
        if not has_unit and (is_within_brackets(text, start) or not has_operator):
            return None
    return decimals


ENTITY = re.compile("&(?:#([0-9]+)|#[xX]([0-9a-fA-F]+)|([A-Za-z0-9]+));")


def point_of(entity: re.Match[str]) -> int:
    """Return the code point that an HTML entity names, or 0."""
    if len(entity[0]) > 34:
        return 0
    if entity[3]:
        return folding.entities().get(entity[3], 0)
    point = int(entity[1]) if entity[1] else int(entity[2], 16)
    return point if 31 < point < folding.FOLDED_BELOW and not 0xD800 <= point < 0xE000 else 0


LETTER = rb"[0-9A-Za-z\x80-\xff]"
NO_MARK = re.compile(rb" *(?:[0-9]++(?![].:)])|[A-Za-z\x80-\xff](?![].:)]))")
SYLLABLE = re.compile("[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?")


def divided_width(raw: str, at: int) -> int:
    """Return the width of a hyphen and a line break that divide a word, or 0."""
    ahead = re.compile(r"-\r?\n[ \n\r]*(?=[a-z]{2})").match(raw, at)
    before = re.search(r"(?<![A-Za-z\\-])[A-Za-z]*[a-z]{2}\Z", raw[:at])
    if not ahead or not before or before[0].lower() in divided_words.BEFORE_HYPHEN.split():
        return 0
    return len(ahead[0])


def fold(raw: str) -> tuple[bytes, list[int]]:
    """Return the folded text and the position in raw's UTF-8 of each of its bytes."""
    text, source, place, script, at = bytearray(), list[int](), 0, "", 0

    def put(written: str) -> None:
        encoded = written.encode("utf-8", "ignore")
        text.extend(encoded)
        source.extend([place] * len(encoded))

    is_latin = all(letter in folding.LOOKALIKES for letter in re.findall("[\u0400-\u04ff]", raw))
    while at < len(raw):
        if divided := divided_width(raw, at):
            at, place = at + divided, place + divided
            continue
        syllable, entity = SYLLABLE.match(raw, at), ENTITY.match(raw, at)
        letters = syllable[0] if syllable else raw[at]
        character = unicodedata.normalize("NFC", letters) if syllable else letters
        if entity and (point := point_of(entity)):
            letters, character = entity[0], chr(point)
        if is_latin:
            character = folding.LOOKALIKES.get(character, character)
        is_folded = character >= "\x80" and ord(character) < folding.FOLDED_BELOW
        written = folding.folded(character) if is_folded else character
        mark = written[0] if is_folded and written[:1] in ("^", "_") else ""
        if mark != script:
            put("}" if script else "")
            put(mark + "{" if mark else "")
            script = mark
        put(written[len(mark) :])
        at += len(letters)
        place += len(letters.encode())
    if script:
        place -= 1
        put("}")
    return join_lines(bytes(text)), source


def join_lines(text: bytes) -> bytes:
    """Write a blank for a tab, and for a line break within a sentence."""
    joined, has_comment = bytearray(text.replace(b"\t", b" ").replace(b"\r", b" ")), False
    for at in range(len(joined)):
        if joined[at] == ord("%") or joined[at : at + 2] == b"//":
            has_comment = True
        elif joined[at] == ord("\n"):
            is_within = re.search(LETTER + rb" *\Z", joined[:at])
            if is_within and NO_MARK.match(joined, at + 1) and not has_comment:
                joined[at] = ord(" ")
            else:
                has_comment = False
    return bytes(joined)


def lex(raw: str) -> tuple[list[Token], int]:
    """Return the canonical tokens, with positions in raw's UTF-8, and a hash of the drawings."""
    text, source = fold(raw)
    reader = Reader(text)
    reader.read()
    tokens = reader.tokens
    if reader.has_choice or b"c" in reader.capitals:
        write_choices(tokens, reader.text, reader.size)
    if reader.smalls & {b"h", b"s"}:
        write_in_full(tokens, reader.text)
    if reader.capitals | reader.smalls >= set(MARKERS):
        tokens = tokens[: options_start(tokens)]
    if not asks_for_options(tokens[: numbered_start(tokens)]):
        tokens = tokens[: numbered_start(tokens)]
    tokens = tokens[: source_start(tokens)]
    tokens = without_boilerplate(tokens[heading_end(tokens) :]) or tokens
    for token in tokens:
        if token.is_capital and token.spelling in reader.capitals & reader.smalls:
            token.spelling = token.spelling.upper()
        token.begin, token.end = source[token.begin], source[token.end - 1] + 1
    return tokens, reader.drawings


def write_in_full(tokens: list[Token], text: bytes) -> None:
    """Write the units h and s in full if they always follow a number and a blank, or a slash."""
    for letter, word in abbreviations.ABBREVIATIONS.items():
        places = [
            at
            for at, token in enumerate(tokens)
            if token.spelling == letter.encode() and token.kind == WORD and not token.is_capital
            if text[max(0, token.begin - 1) : token.begin] != b"'"
        ]
        befores = [tokens[at - 1] if at else None for at in places]
        measures = [
            before is not None and before.kind == NUMBER and before.end < tokens[at].begin
            for at, before in zip(places, befores, strict=True)
        ]
        is_unit = all(
            measured or (before is not None and before.spelling == b"/")
            for before, measured in zip(befores, measures, strict=True)
        )
        for at, measured in zip(places, measures, strict=True):
            if is_unit and measured:
                tokens[at].spelling = word.encode()


def write_choices(tokens: list[Token], text: bytes, size: int) -> None:
    r"""Write binomial coefficients as \binom."""
    at = 0
    while at < len(tokens):
        start, count = -1, len(tokens)
        token = tokens[at]
        spellings = [each.spelling for each in tokens[at : at + 5]]
        if token.spelling == b"choose":
            start = first_of_choice(tokens, at, text, size)
            if start >= 0:
                tokens.insert(start, tokens.pop(at))
        elif token.spelling == b"c" and token.is_capital:
            if is_choice_call(tokens, at, text):
                start = at
                del tokens[at + 4], tokens[at + 1]
            elif is_between(tokens, at, text):
                start = at - 1
                tokens.insert(start, tokens.pop(at))
            elif has_index_before(tokens, at):
                start = at - 2
                token.begins_sentence |= tokens[start].begins_sentence
                token.after_question |= tokens[start].after_question
                del tokens[at + 1], tokens[start]
                tokens.insert(start, tokens.pop(at - 1))
            elif at + 4 < count and {spellings[1], spellings[3]} == {b"^", b"_"}:
                one, other = tokens[at + 2], tokens[at + 4]
                is_turned = spellings[1] == b"^"
                if can_choose(*((other, one) if is_turned else (one, other)), True):
                    start = at
                    tokens[at + 1 : at + 5] = [other, one] if is_turned else [one, other]
        if start >= 0:
            chosen, after = tokens[start : start + 2]
            chosen.spelling, chosen.kind, chosen.is_capital = b"\\binom", MACRO, False
            chosen.begins_sentence |= after.begins_sentence
            chosen.after_question |= after.after_question
            after.begins_sentence = after.after_question = False
            around = [
                tokens[place].spelling
                for place in (start - 1, start + 3)
                if 0 <= place < len(tokens)
            ]
            if around == [b"(", b")"]:
                is_lower = start > 1 and tokens[start - 2].spelling == b"/"
                if is_lower or [each.spelling for each in tokens[start + 4 : start + 5]] == [b"/"]:
                    del tokens[start + 3], tokens[start - 1]
        at += 1


def can_choose(whole: Token, part: Token, is_strict: bool = False) -> bool:
    if whole.kind != NUMBER or part.kind != NUMBER:
        return not is_strict
    numbers = (whole.spelling, part.spelling)
    if not all(each.isdigit() and len(each) <= choices.MAX_DIGITS for each in numbers):
        return False
    return int(whole.spelling) >= int(part.spelling) + is_strict


def first_of_choice(tokens: list[Token], at: int, text: bytes, size: int) -> int:
    """Return where n in "n choose k" begins, or -1."""
    if at == 0 or at + 1 == len(tokens) or tokens[at].begins_sentence:
        return -1
    for before, after in itertools.pairwise(tokens[at - 1 : at + 2]):
        ahead = re.compile(DELIMITERS_AHEAD).match(text, before.end, size)
        assert ahead
        if ahead.end() != after.begin:
            return -1
    if not tokens[at + 1].is_atom() and tokens[at + 1].spelling != b"(":
        return -1
    if tokens[at - 1].is_atom():
        return at - 1
    if tokens[at - 1].spelling != b")":
        return -1
    level, start = 1, at - 2
    while start >= 0:
        level += (tokens[start].spelling == b")") - (tokens[start].spelling == b"(")
        if level == 0:
            return start
        start -= 1
    return -1


def is_pair(tokens: list[Token], at: int, text: bytes) -> bool:
    """Return True for a letter before two atoms in brackets, as in C(9, 4)."""
    if at + 4 >= len(tokens):
        return False
    name, opening, one, other, closing = tokens[at : at + 5]
    if (opening.spelling, closing.spelling) != (b"(", b")") or name.end != opening.begin:
        return False
    has_comma = re.match(rb" *,", text[one.end : other.begin + 1])
    return one.is_atom() and other.is_atom() and bool(has_comma)


def is_choice_call(tokens: list[Token], at: int, text: bytes) -> bool:
    """Return True for C(9, 4) unless it is a point or a function that the text defines."""
    if not is_pair(tokens, at, text) or not can_choose(*tokens[at + 2 : at + 4]):
        return False
    after = [token.spelling for token in tokens[at + 5 : at + 6]]
    if tokens[at + 2].kind == WORD and after == [b"="]:
        return False
    geometry, counts = (words.encode().split() for words in (choices.GEOMETRY, choices.COUNTS))
    return not any(
        token.spelling in geometry
        or (token.is_capital and token.spelling not in counts and is_pair(tokens, place, text))
        for place, token in enumerate(tokens)
    )


def is_between(tokens: list[Token], at: int, text: bytes) -> bool:
    """Return True for 9C4, which is not a part of a longer name."""
    if at == 0 or at + 1 == len(tokens):
        return False
    before, token, after = tokens[at - 1 : at + 2]
    if before.kind != NUMBER or after.kind != NUMBER:
        return False
    if before.end != token.begin or token.end != after.begin:
        return False
    is_part = LETTERS.match(text, after.end) or (
        before.begin > 0 and LETTERS.match(text, before.begin - 1)
    )
    return not is_part and can_choose(before, after)


def has_index_before(tokens: list[Token], at: int) -> bool:
    r"""Return True for {}_9C_4 and {}^9C_4, but not for x^9 C_4."""
    if at < 2 or at + 2 >= len(tokens) or tokens[at - 2].spelling not in SCRIPTS:
        return False
    if tokens[at + 1].spelling != b"_" or (at > 2 and tokens[at - 3].ends_operand()):
        return False
    if not tokens[at - 1].is_atom() or not tokens[at + 2].is_atom():
        return False
    return can_choose(tokens[at - 1], tokens[at + 2])


def asks_for_options(stem: list[Token]) -> bool:
    words = [token.spelling for token in stem]
    names = surroundings.CHOICES.encode().split()
    return any(
        words[at : at + 3] == [b"of", b"the", b"following"]
        or (words[at] == b"which" and words[at + 1 : at + 2] and words[at + 1] in names)
        or words[at : at + 2] == [b"below", b"are"]
        for at in range(len(words))
    )


def options_start(tokens: list[Token]) -> int:
    """Return where multiple-choice options begin, unless they are part of the question."""

    def is_marker(at: int, letter: bytes) -> bool:
        around = [token.spelling for token in tokens[max(0, at - 1) : at + 2]]
        token = tokens[at]
        if token.spelling != letter:
            return False
        if at + 1 < len(tokens) and around[-1] == b")":
            return True
        in_bracket = at > 0 and around[0] in (b"(", b"[")
        return token.before_stop or token.before_colon or (token.is_capital and in_bracket)

    starts = [
        at
        for at in range(MIN_STEM, len(tokens))
        if is_marker(at, MARKERS[0]) and (tokens[at].is_capital or tokens[at].after_question)
        if not tokens[at].before_colon or tokens[at].after_question
    ]
    if not starts:
        return len(tokens)
    start, waiting = starts[0], list(MARKERS)
    for at in range(start, len(tokens)):
        if waiting and is_marker(at, waiting[0]):
            waiting.pop(0)
    if waiting or asks_for_options(tokens[:start]):
        return len(tokens)
    start -= tokens[start - 1].kind == GROUP
    if tokens[start - 1].spelling in surroundings.HEADINGS.encode().split():
        start -= 1 + (tokens[start - 2].spelling in surroundings.ANSWERS.encode().split())
    return start


def numbered_start(tokens: list[Token]) -> int:
    """Return where four short options (1) or (i) begin after a question mark."""
    spellings = [token.spelling for token in tokens]
    longest = surroundings._MAX_OPTION
    for start in range(MIN_STEM, len(tokens)):
        for marks in (b"1 2 3 4".split(), b"i ii iii iv".split()):
            places, at = list[int](), start
            for mark in marks:
                window = range(at, min(at + longest, len(tokens)) if places else start + 1)
                at = next((at for at in window if spellings[at : at + 2] == [mark, b")"]), -1)
                if at < 0:
                    break
                places.append(at)
                at += 2
            if tokens[start].after_question and len(places) == 4 and len(tokens) < at + longest:
                found = tokens[: start - (spellings[start - 1] in (b"(", b"["))]
                return len(found)
    return len(tokens)


def number_end(tokens: list[Token]) -> int:
    """Return how many tokens number the problem, as in "12." or "Problem 12"."""
    if len(tokens) > 3 and tokens[0].kind == NUMBER and tokens[0].before_stop:
        return 1
    words = b"problem example question exercise q Q".split()
    if len(tokens) > 4 and tokens[0].spelling in words:
        return 1 if tokens[1].begins_sentence else 2 if tokens[1].kind == NUMBER else 0
    return 0


def heading_end(tokens: list[Token]) -> int:
    """Return where the problem begins after its number, its points and its source."""
    first = number_end(tokens)
    spellings = [token.spelling for token in tokens]
    if spellings[first : first + 1] not in ([b"("], [b"["]):
        return first
    last = first + 1
    while last < len(tokens) and last - first < 14 and tokens[last].kind != GROUP:
        last += 1
    if last + MIN_STEM > len(tokens) or spellings[last] not in (b")", b"]"):
        return first
    inside = spellings[first + 1 : last]
    is_worth = states_points(tokens[first + 1 : last])
    return last + 1 if is_worth or names_source(inside) else first


def states_points(inside: list[Token]) -> bool:
    """Return True for a number of points, as in (18 points)."""
    if len(inside) != 2 or inside[0].kind != NUMBER:
        return False
    return inside[1].spelling in surroundings.POINTS.encode().split()


def names_source(inside: list[bytes]) -> bool:
    return not set(surroundings.SOURCES.encode().split()).isdisjoint(inside)


def source_start(tokens: list[Token]) -> int:
    """Return where the problem ends before its source in brackets."""
    spellings = [token.spelling for token in tokens]
    if not tokens or spellings[-1] not in (b")", b"]"):
        return len(tokens)
    first = len(tokens) - 2
    while first > MIN_STEM and len(tokens) - first < 14 and tokens[first].kind != GROUP:
        first -= 1
    inside = spellings[first + 1 : -1]
    is_source = first >= 0 and spellings[first] in (b"(", b"[")
    is_source = is_source and (names_source(inside) or states_points(tokens[first + 1 : -1]))
    return first if is_source else len(tokens)


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
