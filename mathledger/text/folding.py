"""Fold Unicode to the few characters that occur in the lexer's rules."""

import html.entities
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import is_digit, is_letter
from mathledger.text.divided_words import divided_until, has_divided_word
from mathledger.text.hashing import PRIME, SEED, hash_bytes, mix

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_UNICODE = {
    "−": "-", "–": "-", "‐": "-", "‑": "-", "—": " ", "×": r" \times ", "·": "*", "⋅": "*",
    "∙": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=",
    "≠": "!=", "°": "°", "º": "°", "∘": "°", "√": " sqrt ", "∛": " sqrt[3]",
    "∜": " sqrt[4]", "…": "...", "⋯": "...", "⋮": "...", "⋱": "...",
    "‘": "'", "’": "'", "′": "'", "″": "''",
    "“": " ", "”": " ", "∣": "|", "￥": " ", "¢": " cents ", "€": " ", "£": " ",
    "•": " ", "▪": " ", "‣": " ",
    "●": " ", "►": " ", "▶": " ", "，": ",", "、": ",", "。": ". ", "？": "? ", "！": "! ",
    "ℕ": r"\mathbb N", "ℤ": r"\mathbb Z", "ℚ": r"\mathbb Q", "ℝ": r"\mathbb R",
    "ℂ": r"\mathbb C", "：": ":", "；": ";", "（": "(", "）": ")", "∶": ":", "‒": "-",
    "⨯": r" \times ", "✕": r" \times ", "≦": "<=", "≧": ">=", "\u2009": "\\,", "\u202f": "\\,",
    # Greek capitals that look like Latin ones have no macro.
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)),
}  # fmt: skip
# Cyrillic letters that look like Latin ones, which stand for them in texts without other Cyrillic.
LOOKALIKES = dict(zip("АВЕКМНОРСТУХІЈЅаеорсухіјѕ", "ABEKMHOPCTYXIJSaeopcyxijs", strict=True))
_CYRILLIC = 0x400
_LATIN = np.zeros(256, np.uint8)  # The Latin letter of each Cyrillic one, or 0.
for _letter, _latin in LOOKALIKES.items():
    _LATIN[ord(_letter) - _CYRILLIC] = ord(_latin)
# Symbols that have a macro. Any other symbol becomes a macro of its own, named by its code point.
_MACROS = """
    ∞=infty ∈=in ∉=notin ∋=ni ∪=cup ∩=cap ⊂=subset ⊆=subseteq ⊃=supset ⊇=supseteq ⊊=subsetneq
    ∅=emptyset ∑=sum ∏=prod ∫=int ∮=oint ∂=partial ∇=nabla ∠=angle ∡=angle △=triangle
    ∆=triangle ▵=triangle □=square ◻=square ▢=square ◇=diamond ⋄=diamond ◊=diamond ⊥=perp
    ⟂=perp ∥=parallel ‖=Vert ∤=nmid ∦=nparallel ≡=equiv ≢=not≡ ≅=cong ≈=approx ∼=sim ≃=simeq
    ∽=sim ≌=cong ⊿=triangle
    ∝=propto →=rightarrow ⟶=rightarrow ←=leftarrow ⟵=leftarrow ↔=leftrightarrow ↦=mapsto
    ⟼=mapsto ⇒=Rightarrow ⟹=Rightarrow ⇐=Leftarrow ⟸=Leftarrow ⇔=Leftrightarrow
    ⟺=Leftrightarrow ↑=uparrow ↓=downarrow ±=pm ∓=mp ∀=forall ∃=exists ∄=nexists ¬=neg ∧=wedge
    ∨=vee ⊕=oplus ⊖=ominus ⊗=otimes ⊘=oslash ⊙=odot ⊞=boxplus ⊟=boxminus ⊠=boxtimes ⊡=boxdot
    ⌊=lfloor ⌋=rfloor ⌈=lceil ⌉=rceil ⟨=langle ⟩=rangle 〈=langle 〉=rangle ★=star ⋆=star
    ∖=setminus ⋃=bigcup ⋂=bigcap ⋀=bigwedge ⋁=bigvee ⨁=bigoplus ⨂=bigotimes ≪=ll ≫=gg ≺=prec
    ≻=succ ⪯=preceq ⪰=succeq ∴=therefore ∵=because ℓ=ell ℏ=hbar ♠=spadesuit ♡=heartsuit
    ♥=heartsuit ♢=diamondsuit ♦=diamondsuit ♣=clubsuit ∎=blacksquare ■=blacksquare ⊢=vdash
    ⊨=models ⊤=top ⋈=bowtie ≜=triangleq ≔=coloneqq ◁=triangleleft ▷=triangleright
    ⊲=triangleleft ⊳=triangleright ⋊=rtimes ⋉=ltimes ∔=dotplus ⊎=uplus ⊓=sqcap ⊔=sqcup ≀=wr
    †=dagger ‡=ddagger ℵ=aleph ℘=wp §=S ¶=P
"""
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "sigma sigma tau upsilon phi chi psi omega"
)
# Categories of characters that are symbols: mathematical, other.
_SYMBOLS = ("Sm", "So")
_LETTERS_FOR_DIGITS = str.maketrans("0123456789", "ghijklmnop")  # A macro's name has no digits.
_NO_SCRIPTS = "ªº™℠"


_SLOTS = 8192  # Slots of the table of entities.
_MAX_ENTITY = 34  # Bytes of the longest entity.
_X = ord("x")
_BLANKS = chars.SPACE, chars.TAB, chars.RETURN
_MARKS = chars.ROUND_RIGHT, chars.FULL_STOP, chars.COLON, chars.SQUARE_RIGHT
FOLDED_BELOW = 0x20000  # Code points from here on are left as they are.
GROWTH = 11  # Largest factor by which folding lengthens a text in bytes; U+FDFA reaches it.


@cache
def _macros() -> dict[str, str]:
    return {pair[0]: pair[2:] for pair in _MACROS.split()}


@cache
def fold_table() -> tuple[I32, U8]:
    """Return the folding of each code point: offsets (code points + 1,) and a pool of UTF-8."""
    pool = [_quickly_folded(chr(point)).encode("utf-8", "ignore") for point in range(FOLDED_BELOW)]
    offsets = np.cumsum([0, *map(len, pool)], dtype=np.int32)
    return offsets, np.frombuffer(b"".join(pool), np.uint8)


def _quickly_folded(character: str) -> str:
    """Return what `folded` returns, in a third of the time; every process makes the table."""
    if character > "ω":  # Most are letters without case or not assigned.
        category = unicodedata.category(character)
        if category == "Lo" and not unicodedata.decomposition(character):
            return character
        if category in ("Cn", "Co"):
            return " "
    return folded(character)


class Entities(NamedTuple):
    slots: npt.NDArray[np.uint16]  # The entry in each slot, found by the low bits of a hash.
    hashes: I64  # The hash of each name; the first entry is unused.
    points: I32  # The code point of each name.


@cache
def entity_table() -> Entities:
    slots, hashes, points = np.zeros(_SLOTS, np.uint16), [0], [0]
    for name, point in entities().items():
        value = hash_bytes(name.encode())
        slot = value % _SLOTS
        while slots[slot]:
            slot = (slot + 1) % _SLOTS
        slots[slot] = len(hashes)
        hashes.append(int(np.uint64(value).view(np.int64)))
        points.append(point)
    return Entities(slots, np.array(hashes, np.int64), np.array(points, np.int32))


@cache
def entities() -> dict[str, int]:
    """Return the code point of each HTML entity that names a single one."""
    return {
        name[:-1]: ord(text)
        for name, text in html.entities.html5.items()
        if name.endswith(";") and len(text) == 1 and "\x1f" < text < chr(FOLDED_BELOW)
    }


def folded(character: str) -> str:
    """Return the folding of a character below FOLDED_BELOW.

    A superscript begins with ^ and a subscript with _; `fold` writes a run of them as one argument.
    """
    if character < "\x80":
        return character
    if character in _UNICODE:
        return _UNICODE[character]
    if character in _macros():
        name = _macros()[character]
        return " \\not\\equiv " if name == "not≡" else f" \\{name} "
    if "α" <= character <= "ω":
        return " \\" + _GREEK.split()[ord(character) - ord("α")] + " "
    if "Α" <= character <= "Ω":
        index = ord(character) - ord("Α")
        return " \\" + _GREEK.split()[index].capitalize() + " "
    category = unicodedata.category(character)
    if category == "Cf":  # Soft hyphens, zero-width blanks and directions are invisible.
        return ""
    if "\uac00" <= character <= "\ud7a3":
        return character  # A hangul syllable; NFKD would split it into its letters.
    parts = unicodedata.normalize("NFKD", character)
    parts = "".join(part for part in parts if not unicodedata.combining(part))
    form = unicodedata.decomposition(character).partition(" ")[0]
    if form in ("<super>", "<sub>") and character not in _NO_SCRIPTS:
        return ("^" if form == "<super>" else "_") + "".join(map(folded, parts)).strip()
    if form == "<fraction>":
        return " " + parts.replace("⁄", "/") + " "
    if parts != character:
        return "".join(map(folded, parts))
    if category in _SYMBOLS:
        return f" \\u{ord(character):x} ".translate(_LETTERS_FOR_DIGITS)
    plain = character.casefold()
    if plain != character:
        return "".join(map(folded, plain)) if plain > "\x7f" else plain
    return character if character.isalnum() else " "


@borrowing
def fold(data: Any, text: Any, source: Any, tables: Any) -> tuple[int, bool]:
    """Write the folding of every code point of data (UTF-8) to text, followed by 16 spaces.

    HTML entities (&lt;) are read as the characters that they name. A word that a hyphen divides at
    the end of a line is joined.

    Returns:
        The number of bytes written, and whether they are the data. If not, `source` is filled
        with the position in data of each byte written.
    """
    size, all_bits, has_entity, before = len(data), np.uint8(0), False, np.uint8(0)
    has_hyphen = False  # Whether a hyphen ends a line.
    for at in range(size):
        byte = data[at]
        text[at] = byte
        all_bits |= byte
        has_entity |= byte == chars.AMPERSAND
        has_hyphen |= before == chars.HYPHEN and byte <= chars.RETURN
        before = byte
    is_unchanged = bool(all_bits < chars.NOT_ASCII) and not (
        (has_entity and _has_entity(data, tables)) or (has_hyphen and has_divided_word(data))
    )
    if not is_unchanged:
        size = _fold_code_points(data, text, source, tables)
    for at in range(16):
        text[size + at] = chars.SPACE
    _join_lines(text, size)
    return size, is_unchanged


@borrowing
def _join_lines(text: Any, size: int) -> None:
    """Write a blank for a tab, and for a line break between two words or numbers of a sentence.

    A line that may end with a comment stays apart, and so does one that may begin with a mark such
    as "1." or "A:".
    """
    has_comment = False
    for at in range(size):
        byte = text[at]
        if byte == chars.PERCENT or (byte == chars.SLASH and text[at + 1] == chars.SLASH):
            has_comment = True
        elif byte == chars.NEWLINE:
            if not has_comment and _breaks_a_sentence(text, at, size):
                text[at] = chars.SPACE
            else:
                has_comment = False
        elif byte == chars.TAB or byte == chars.RETURN:
            text[at] = chars.SPACE


@borrowing
def _breaks_a_sentence(text: Any, at: int, size: int) -> bool:
    before, after = at - 1, at + 1
    while before >= 0 and text[before] == chars.SPACE:
        before -= 1
    while after < size and text[after] in _BLANKS:
        after += 1
    if before < 0 or not (is_letter(text[before]) or is_digit(text[before])):
        return False
    stop = after
    while is_digit(text[stop]):
        stop += 1
    if stop == after:
        if not is_letter(text[after]):
            return False
        stop += 1
    return text[stop] not in _MARKS


@borrowing
def _has_entity(data: Any, tables: Any) -> bool:
    for at in range(len(data)):
        if data[at] == chars.AMPERSAND and _entity(data, at, tables.entities)[1] > 0:
            return True
    return False


@borrowing
def _entity(data: Any, index: int, entities: Any) -> tuple[int, int]:
    """Return the code point and the width of the HTML entity that begins here, or 0, 0."""
    at, end = index + 1, min(len(data), index + _MAX_ENTITY)
    if at >= end:
        return 0, 0
    if data[at] != chars.HASH_SIGN:
        value = SEED
        while at < end and (chars.is_digit(data[at]) or chars.LOWER[data[at]] != 0):
            value = (value ^ data[at]) * PRIME
            at += 1
        if at == end or data[at] != chars.SEMICOLON or at == index + 1:
            return 0, 0
        value = mix(value)
        slot = value & np.uint64(_SLOTS - 1)
        while entities.slots[slot] != 0:
            entry = entities.slots[slot]
            if entities.hashes[entry] == np.int64(value):
                return int(entities.points[entry]), at + 1 - index
            slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
        return 0, 0
    at += 1
    base = 10
    if data[min(at, end - 1)] | 0x20 == _X:
        base, at = 16, at + 1
    point, first = 0, at
    while at < end and _digit(data[at]) < base:
        point = point * base + _digit(data[at])
        at += 1
    if at in (first, end) or data[at] != chars.SEMICOLON:
        return 0, 0
    is_character = 31 < point < FOLDED_BELOW and not 0xD800 <= point < 0xE000
    return (point, at + 1 - index) if is_character else (0, 0)


@borrowing
def _digit(byte: Any) -> int:
    """Return the value of a hexadecimal digit, or a large number."""
    if chars.is_digit(byte):
        return int(byte) - chars.ZERO
    small = int(byte) | 0x20
    return small - chars.SMALL_A + 10 if chars.SMALL_A <= small < chars.SMALL_A + 6 else 99


@borrowing
def _fold_code_points(data: Any, text: Any, source: Any, tables: Any) -> int:
    points, folded = tables.points, tables.folded
    size, index, script = 0, 0, np.uint8(0)
    is_latin = _looks_latin(data)
    while index < len(data):
        lead = data[index]
        width = 1 if lead < chars.NOT_ASCII else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        point = np.int64(lead)
        if width > 1:
            point = _point(data, index, width)
        elif lead == chars.HYPHEN:
            goes_on = divided_until(data, index)
            if goes_on > 0:
                index = goes_on
                continue
        elif lead == chars.AMPERSAND:
            named, named_width = _entity(data, index, tables.entities)
            if named_width > 0:
                point, width = np.int64(named), named_width
        if 0x1100 <= point < 0x1113:
            point, width = _syllable(data, index, point)
        if is_latin and _CYRILLIC <= point < _CYRILLIC + len(_LATIN):
            latin = np.int64(_LATIN[point - _CYRILLIC])
            point = latin if latin > 0 else point
        first, end, mark = np.int64(0), np.int64(0), np.uint8(0)
        if chars.NOT_ASCII <= point < len(points) - 1:
            first, end = np.int64(points[point]), np.int64(points[point + 1])
            if first < end and folded[first] in (chars.CARET, chars.UNDERSCORE):
                mark = folded[first]
                first += 1
        if mark != script:  # A run of superscripts is one exponent: x¹² is x^{12}.
            if script != 0:
                text[size], source[size] = chars.CURLY_RIGHT, index
                size += 1
            if mark != 0:
                text[size], source[size] = mark, index
                text[size + 1], source[size + 1] = chars.CURLY_LEFT, index
                size += 2
            script = mark
        if point < chars.NOT_ASCII:
            text[size], source[size] = np.uint8(point), index
            size += 1
        elif point >= len(points) - 1:
            for step in range(width):
                text[size] = data[min(index + step, len(data) - 1)]
                source[size] = index
                size += 1
        for at in range(first, end):
            text[size] = folded[at]
            source[size] = index
            size += 1
        index += width
    if script != 0:
        text[size], source[size] = chars.CURLY_RIGHT, max(len(data) - 1, 0)
        size += 1
    return size


@borrowing
def _looks_latin(data: Any) -> bool:
    """Return True if all Cyrillic letters look like Latin ones, as in the triangle АВС."""
    for index in range(len(data)):
        if 0xD0 <= data[index] < 0xD4 and _LATIN[_point(data, index, 2) - _CYRILLIC] == 0:
            return False
    return True


@borrowing
def _point(data: Any, index: int, width: int) -> Any:
    """Return the code point whose encoding in UTF-8 begins here."""
    point = np.int64(data[index]) & (0x7F >> width)
    for step in range(1, width):
        point = (point << 6) | (np.int64(data[min(index + step, len(data) - 1)]) & 0x3F)
    return point


@borrowing
def _syllable(data: Any, index: int, first: Any) -> tuple[Any, int]:
    """Compose the letters of a hangul syllable; return its code point and width in bytes."""
    if index + 5 >= len(data) or data[index + 3] != 0xE1:
        return first, 3
    vowel = _point(data, index + 3, 3)
    if not 0x1161 <= vowel < 0x1176:
        return first, 3
    point = 0xAC00 + ((first - 0x1100) * 21 + vowel - 0x1161) * 28
    if index + 8 < len(data) and data[index + 6] == 0xE1:
        last = _point(data, index + 6, 3)
        if 0x11A8 <= last < 0x11C3:
            return point + last - 0x11A7, 9
    return point, 6
