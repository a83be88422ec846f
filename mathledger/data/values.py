"""Convert the values of other people's files to text; refuse what is neither text nor a number.

These are the Python values of JSONL and CSV; `columns` does the same for parquet. Both give the
same text for the same value: a number is written out in digits without an exponent, a
whole number has no decimal point, and NaN is not a value.

>>> number_text("142.0"), number_text("1e16"), number_text("0.10"), number_text("NaN")
('142', '10000000000000000', '0.1', None)
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np
import pyarrow as pa

# What a column may hold: text alone, text or a number, or an answer, which may also be a list.
Kind = Literal["text", "scalar", "answer", "messages", "options"]
WANTED: dict[Kind, str] = {
    "text": "text",
    "scalar": "text or a number",
    "answer": "text, a number or a list of them",
    "messages": "a list of messages",
    "options": "text, a number or a list of them",
}
SAFE_DIGITS = 15  # A decimal of this many digits survives as a float of 64 bits.
MAX_DIGITS = 100_000  # Longest number that is written out.


class UnfitError(Exception):
    """A value that its column cannot hold; the caller adds the file and the column."""

    def __init__(self, what: str, row: int = 0) -> None:
        super().__init__(what)
        self.what, self.row = what, row


class Number(str):
    """A number of a JSON file, in the digits of the file; int() would refuse 5,000 of them."""

    __slots__ = ()


class DoubleKeyError(ValueError):
    """A JSON object has a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DoubleKeyError
    return found


decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=Number
).decode


def number_text(number: str) -> str | None:
    """Return a JSON number in plain digits; None for NaN.

    A number with an exponent and over 15 digits was written from a float, and gets its value.

    Raises:
        UnfitError: The number is infinite or has too many digits.
    """
    if number.isdigit() and number.isascii():
        return str(number)
    try:
        value = Decimal(number)
    except InvalidOperation:  # The exponent has twenty digits or more.
        raise UnfitError("a number with too many digits") from None
    if "e" in number.lower() and len(value.as_tuple().digits) > SAFE_DIGITS:
        as_float = np.float64(number)
        if np.isfinite(as_float) and abs(as_float) >= 2**53:
            return float_text(as_float)
    return decimal_text(value)


def decimal_text(value: Decimal) -> str | None:
    """Return a decimal in plain digits without trailing zeros; None for NaN."""
    if value.is_nan():
        return None
    if value.is_infinite():
        raise UnfitError("an infinite number")
    if not value:
        return "0"
    if abs(value.adjusted()) > MAX_DIGITS:
        raise UnfitError("a number with too many digits")
    text = f"{value:f}".removeprefix("+")
    return text.rstrip("0").rstrip(".") if "." in text else text


def float_text(value: Any) -> str | None:
    """Return a NumPy float in plain digits: the shortest ones that its type reads back.

    A large whole number whose shortest digits are more than its type keeps is written out exactly.
    """
    if np.isnan(value):
        return None
    if np.isinf(value):
        raise UnfitError("an infinite number")
    short = str(np.format_float_positional(value, trim="-"))
    if value != np.floor(value):
        return short
    num_digits = len(short.lstrip("-").rstrip("0"))
    return short if 0 < num_digits <= np.finfo(value).precision else str(int(value))


def valid_text(text: str) -> str:
    """Return a text with lone surrogates replaced by U+FFFD.

    JSON can encode a lone surrogate, but UTF-8 cannot.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def printable(value: Any) -> Any:
    """Return a raw value in types that JSON has, for a reader: bytes as text, a date as it prints.

    >>> printable({"a": [Number("7"), Decimal("0.50"), b"x"]})
    {'a': [7, '0.5', 'x']}
    """
    match value:
        case Number():
            try:
                return json.loads(value)
            except ValueError:  # It has over 4,300 digits.
                return str(value)
        case str():
            return valid_text(value)
        case None | bool() | int() | float():
            return value
        case list() | tuple():
            return [printable(each) for each in value]
        case dict():
            return {valid_text(str(key)): printable(each) for key, each in value.items()}
        case bytes():
            return value.decode(errors="replace")
        case Decimal() if value.is_finite():
            return decimal_text(value)
    return str(value)


def text_of(value: Any, kind: Kind) -> str | None:
    """Return one Python value as text, or None if there is none."""
    cell = _cell(value, kind)
    if isinstance(cell, list):
        cell = joined(cell, kind)
    return None if cell is None else valid_text(cell)


def texts_of(cells: Sequence[Any], kind: Kind) -> pa.StringArray:
    """Return the Python values of one column as text.

    Raises:
        UnfitError: A value is neither text nor of another kind that the column may hold.
    """
    # Nearly all values are plain strings, which need no conversion.
    is_answer = kind == "answer"
    found = [
        cell if cell.__class__ is str and not (is_answer and "[" in cell) else _at(row, cell, kind)
        for row, cell in enumerate(cells)
    ]
    try:
        return pa.array(found, pa.string())
    except UnicodeEncodeError:
        return pa.array([None if text is None else valid_text(text) for text in found], pa.string())


def lists_of(cells: Sequence[Any]) -> pa.ListArray:
    """Return each Python value as a list of texts; a list that was printed is read as one.

    Raises:
        UnfitError: A member is neither text nor a number.
    """
    found = []
    for row, cell in enumerate(cells):
        members = printed_list(cell) if cell.__class__ is str else cell
        try:
            each = members if isinstance(members, list) else [members]
            found.append([text_of(member, "scalar") for member in each])
        except UnfitError as error:
            raise UnfitError(error.what, row) from None
    return pa.array(found, pa.list_(pa.string()))


def _at(row: int, value: Any, kind: Kind) -> str | None:
    try:
        cell = _cell(value, kind)
        return joined(cell, kind) if isinstance(cell, list) else cell
    except UnfitError as error:
        raise UnfitError(error.what, row) from None


def _cell(value: Any, kind: Kind) -> str | list[str] | None:
    """Return a value as text, or a list of several values as the list of their texts."""
    if value.__class__ is str and kind == "answer":
        value = printed_list(value)
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, list):
        cells = [_cell(each, kind) for each in value]
        found = [cell for cell in cells if cell is not None and not is_blank(cell)]
        if len(found) < 2:
            return found[0] if found else None
        if any(isinstance(each, list) for each in value):
            raise UnfitError("a list of lists")
        return [cell for cell in found if isinstance(cell, str)]
    text = _scalar(value)
    is_number = isinstance(value, Number) or not isinstance(value, bytes | str)
    if kind == "text" and is_number and text is not None:
        raise UnfitError("a number")
    return text


def is_blank(cell: str | list[str]) -> bool:
    """Return True for a member of a list that is not a value."""
    return isinstance(cell, str) and not cell.strip()


def _scalar(value: Any) -> str | None:
    match value:
        case Number():
            return number_text(value)
        case str():
            return value
        case bool():
            raise UnfitError("a boolean")
        case int():
            return str(value)
        case float():
            return float_text(np.float64(value))
        case Decimal():
            return decimal_text(value)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise UnfitError("bytes that are not UTF-8") from None
        case dict():
            raise UnfitError("an object")
    raise UnfitError(f"a value of type {type(value).__name__}")


_MEMBER = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_PRINTED_LIST = re.compile(rf"\[\s*{_MEMBER}(?:\s*,\s*{_MEMBER})*\s*,?\s*\]", re.DOTALL)


def printed_list(text: str) -> str | list[str]:
    r"""Return the members of a list of texts that was printed into a text; else the text.

    >>> printed_list("['2', '-3']"), printed_list('["12\\\\%"]'), printed_list("[2, -3]")
    (['2', '-3'], ['12\\%'], '[2, -3]')
    """
    if "[" not in text or not _PRINTED_LIST.fullmatch(text.strip()):
        return text
    members = re.findall(_MEMBER, text, re.DOTALL)
    return [re.sub(r"""\\([\\'"])""", r"\1", member[1:-1]) for member in members]


_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_INLINE = re.compile(r"\$([^$]+)\$|\\\((.+)\\\)", re.DOTALL)


def joined(members: list[str], kind: Kind) -> str:
    r"""Return several answers as one, in the notation that grading reads as a list of values.

    >>> joined(["$2$", "-3", "\\(x\\)", "1,250"], "answer")
    '2, -3, x, 1250'
    """
    if kind != "answer":
        raise UnfitError(f"a list of {len(members)} values")
    bare = []
    for member in map(str.strip, members):
        if inline := _INLINE.fullmatch(member):
            member = (inline[1] or inline[2]).strip()
        # A comma in a member must not be taken for one between members.
        bare.append(member.replace(",", "") if _GROUPED.fullmatch(member) else member)
    return ", ".join(bare)


_WHOLE_FLOAT = re.compile(r"[-+]?\d+(?:\.0*|(?:\.\d*)?[eE][-+]?\d+)", re.ASCII)
_NO_NUMBER = re.compile(r"[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)


def csv_cell(text: str, kind: Kind) -> Any:
    """Return a cell of a CSV file, which has no types, as the value that it spells.

    Other texts stay as they are: 007 and 1.50 may be meant so.

    >>> csv_cell("70.0", "answer"), csv_cell("nan", "answer"), csv_cell("007", "answer")
    ('70.0', 'nan', '007')
    """
    if not text:
        return None
    is_number = _WHOLE_FLOAT.fullmatch(text) or _NO_NUMBER.fullmatch(text)
    return Number(text) if kind == "answer" and is_number else text
