r"""The final answer that a worked solution states, of many solutions at once.

>>> answers = final_answers(pa.array(["so \\boxed{1{,}250}.", "5 + 9 = 14\n#### 14", "Done."]))
>>> answers.to_pylist()
['1250', '14', None]
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.core.kernels import kernel
from mathledger.core.strings import I64, string_array, text_bytes

MAX_NESTED = 64  # boxes within one another; deeper ones are not looked at
MAX_FIGURES = 30  # of a number that is compared
TAIL = 300  # characters at the end of a solution, where "the answer is x" counts

# What follows "the answer is": a formula, a figure with up to three words, a choice, yes or no.
_VALUE = (
    r"(?P<answer>\$[^$\n]+\$|\\\([^\n]+?\\\)|\\?\$?[-+]?\.?\d[\d.,/]*(?:\s?%|(?:\s[A-Za-z]+){1,3})?"
    r"|\(?[A-H]\)?|(?i:yes|no|true|false))"
)
_REST = r"[\s.*$]*$"
# Tried in this order on a text without a box; the last place in the text counts.
_STATEMENTS = (
    r"(?s)^(?:.*\n)?####[ \t]*(?P<answer>[^\n]*\S)",
    rf"(?s)^.*\b(?i:answer)[\s*]*(?:(?i:is)\b|:|=)[\s:*]*{_VALUE}{_REST}",
    r"(?s)^.*(?:\\(?:text|textbf|mathrm|mathbf|textrm|rm|bf)\s*\{\s*\(?|\(|\\Rightarrow\s*)"
    r"\s*(?P<answer>[A-H])\s*\)?\s*\}?" + _REST,
)
_THOUSANDS = r"^[-+]?\d{1,3}(?:(?:,|\{,\}|\\,|\\!|,\\!)\d{3})+(?:\.\d+)?$"
_SEPARATOR = r",|\{,\}|\\,|\\!"
_NEWLINE, _SPACE, _BACKSLASH, _LEFT, _RIGHT = b"\n \\{}"
_BOXED, _FBOX = np.frombuffer(b"boxed", np.uint8), np.frombuffer(b"fbox", np.uint8)


@dataclass(frozen=True)
class Boxes:
    r"""Every \boxed{...} of some texts in order, of nested ones the innermost."""

    rows: I64  # the text that holds it
    begins: I64  # where its content begins, in bytes of that text
    contents: pa.StringArray
    is_cut: npt.NDArray[np.bool_]  # for each text: a box never closes


@kernel
def _is_letter(byte: Any) -> bool:
    return bool(65 <= byte <= 90 or 97 <= byte <= 122)


@kernel
def _spells(data: Any, at: int, last: int, name: Any) -> bool:
    if last - at < len(name):
        return False
    for offset in range(len(name)):  # noqa: SIM110  numba has no all()
        if data[at + offset] != name[offset]:
            return False
    return True


@kernel
def _content(data: Any, at: int, last: int) -> int:
    """Index of what is in the box whose name, or another one, is at `at`; -1 without a box."""
    if _spells(data, at, last, _BOXED):
        at += len(_BOXED)
    elif _spells(data, at, last, _FBOX):
        at += len(_FBOX)
    else:
        return -1
    if at < last and _is_letter(data[at]):
        return -1
    while at < last and (data[at] == _SPACE or data[at] == _NEWLINE):
        at += 1
    return at


@kernel
def _find_boxes(data: Any, offsets: Any) -> Any:
    """(row, begin, end) of each box, shape (boxes, 3); whether one never closes, by row."""
    found, count = np.empty((len(offsets), 3), np.int64), 0
    is_cut = np.zeros(len(offsets) - 1, np.bool_)
    starts, depths = np.empty(MAX_NESTED, np.int64), np.empty(MAX_NESTED, np.int64)
    for row in range(len(offsets) - 1):
        at, last = offsets[row], offsets[row + 1]
        begin = end = offsets[row]
        depth = num_boxes = 0
        while at < last:
            byte = data[at]
            at += 1
            if num_boxes == 0:
                while byte != _BACKSLASH and at < last:
                    byte = data[at]
                    at += 1
            if byte == _BACKSLASH:
                content = _content(data, at, last)
                if content < 0:
                    if num_boxes and at < last and (data[at] == _LEFT or data[at] == _RIGHT):
                        at += 1  # an escaped brace opens and closes nothing
                    continue
                at = content
                if at < last and data[at] == _LEFT:
                    at, depth = at + 1, depth + 1
                    if num_boxes < MAX_NESTED:
                        starts[num_boxes], depths[num_boxes] = at, depth
                        num_boxes += 1
                else:  # \boxed 2
                    while at < last and (_is_letter(data[at]) or 48 <= data[at] <= 57):
                        at += 1
                    begin, end = content, at
            elif num_boxes and byte == _LEFT:
                depth += 1
            elif num_boxes and byte == _RIGHT:
                if depths[num_boxes - 1] == depth:
                    num_boxes -= 1
                    begin, end = starts[num_boxes], at - 1
                depth -= 1
            if begin < end:
                if count == 0 or found[count - 1, 0] != row or found[count - 1, 1] < begin:
                    if count == len(found):
                        more = np.empty((2 * count, 3), np.int64)
                        more[:count] = found
                        found = more
                    found[count, 0], found[count, 1], found[count, 2] = row, begin, end
                    count += 1
                end = begin
        is_cut[row] = num_boxes > 0
    return found[:count], is_cut


@kernel
def _copy(data: Any, begins: Any, offsets: Any, out: Any) -> None:
    for row in range(len(begins)):
        size = offsets[row + 1] - offsets[row]
        out[offsets[row] : offsets[row + 1]] = data[begins[row] : begins[row] + size]


def boxes(texts: pa.StringArray) -> Boxes:
    r"""The boxes of every text (no nulls). An empty one states nothing and is left out.

    >>> boxes(pa.array([r"\boxed{\frac{1}{2}}, \fbox {3}, \boxed{4"])).contents.to_pylist()
    ['\\frac{1}{2}', '3']
    """
    data, offsets = text_bytes(texts)
    found, is_cut = _find_boxes(data, offsets)
    rows, begins, ends = found.T
    bounds = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(ends - begins, out=bounds[1:])
    out = np.empty(bounds[-1], np.uint8)
    _copy(data, begins, bounds, out)
    contents = pc.utf8_trim_whitespace(string_array(bounds, out))
    stated = pc.not_equal(contents, "").to_numpy(zero_copy_only=False)
    return Boxes(
        rows[stated],
        (begins - offsets[rows])[stated],
        contents.filter(pa.array(stated)),
        is_cut,
    )


def final_answers(texts: pa.StringArray, found: Boxes | None = None) -> pa.StringArray:
    r"""The canonical final answer of every text (no nulls); null where none is stated.

    That is its last box; without one the last line `#### x`; else "The answer is x" or a choice,
    as (B) or \textbf{(B)}, at the very end.

    Args:
        found: its boxes, where the caller has them.
    """
    found = found or boxes(texts)
    last = np.full(len(texts), -1, np.int64)
    last[found.rows] = np.arange(len(found.rows))  # of several the last one is assigned
    answers = found.contents.take(pa.array(last, mask=last < 0))
    for number, pattern in enumerate(_STATEMENTS):
        rows = np.flatnonzero(pc.is_null(answers).to_numpy(zero_copy_only=False))
        if not len(rows):
            break
        open_texts = texts.take(pa.array(rows))
        if number:
            open_texts = pc.utf8_slice_codeunits(open_texts, -TAIL)
        stated = pc.struct_field(pc.extract_regex(open_texts, pattern), 0)
        places = np.full(len(texts), -1, np.int64)
        places[rows] = np.arange(len(rows))
        answers = pc.coalesce(answers, stated.take(pa.array(places, mask=places < 0)))
    return canonical(answers)


def canonical(answers: pa.StringArray) -> pa.StringArray:
    r"""Without the space, `$`, `\(`, asterisks and stop around it; of a figure, no thousands mark.

    >>> canonical(pa.array([" $1{,}250$. ", "(1, 250)", "\\$ 5"])).to_pylist()
    ['1250', '(1, 250)', '\\$ 5']
    """
    bare = pc.utf8_rtrim(pc.utf8_trim(answers, " \t\r\n$*"), " .$*")
    closed = pc.binary_join_element_wise(bare, ".", "")
    bare = pc.if_else(pc.ends_with(bare, r"\right"), closed, bare)  # a delimiter, no full stop
    inline = pc.match_substring_regex(bare, r"^\\\(.*\\\)$")
    bare = pc.if_else(inline, pc.replace_substring_regex(bare, r"^\\\(\s*|\s*\\\)$", ""), bare)
    marked = pc.match_substring_regex(bare, _THOUSANDS)
    if not pc.any(marked).as_py():
        return bare
    return pc.if_else(marked, pc.replace_substring_regex(bare, _SEPARATOR, ""), bare)


# A later box takes an earlier one back only where the text says so.
_IS_ANSWER = re.compile(r"answer\s*(?:is|=|:)?[\s:*]*(?:\$+|\\\(|\\\[)?\s*$", re.IGNORECASE)
_TAKEN_BACK = re.compile(r"\b(?:no|wait|actually|oops|correction|mistake)\b", re.IGNORECASE)
_BOX_NAME = re.compile(r"\\f?box(?:ed)?\s*\{?\s*$")
_NUMBER = re.compile(r"^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:/0*[1-9]\d*)?$")
_CHOICE = re.compile(r"^\(?([A-H])\)?$")
_LEAD = 80  # bytes before a box in which "the answer is" stands


def contradiction(text: str, contents: list[str], begins: list[int]) -> tuple[str, str] | None:
    r"""The two boxed answers of a solution that cannot both hold, or None.

    Parts of one problem, cases and steps have boxes of their own. Two boxes contradict each other
    where both hold figures, or both choices, that differ, and each follows on "the answer is", or
    the words between them take the first back.

    >>> text = "The answer is \\boxed{3}. The answer is \\boxed{4}."
    >>> contradiction(text, ["3", "4"], [text.index("3"), text.index("4")])
    ('3', '4')

    Args:
        begins: where each content begins in the UTF-8 bytes of the text.
    """
    data = text.encode()
    values = [_value(plain) for plain in canonical(pa.array(contents, pa.string())).to_pylist()]

    def said(start: int, end: int) -> str:
        return _BOX_NAME.sub("", data[max(0, start) : end].decode(errors="ignore"))

    named = [at for at, end in enumerate(begins) if _IS_ANSWER.search(said(end - _LEAD, end))]
    pairs = [(at, named[-1]) for at in named[:-1]]
    for at in range(len(begins) - 1):
        if _TAKEN_BACK.search(said(begins[at] + len(contents[at].encode()), begins[at + 1])):
            pairs.append((at, at + 1))
    for one, other in pairs:
        if _differ(values[one], values[other]):
            return contents[one], contents[other]
    return None


def _value(plain: str) -> Fraction | str | None:
    """The figure or the letter of the choice that an answer is; None where it is neither."""
    if choice := _CHOICE.match(plain):
        return choice[1]
    if len(plain) > MAX_FIGURES or not _NUMBER.match(plain):
        return None
    above, _, below = plain.partition("/")
    return Fraction(above) / int(below or 1)


def _differ(one: Fraction | str | None, other: Fraction | str | None) -> bool:
    """Whether two values are of one kind and not equal; decimals may be rounded, to 1%."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        is_exact = one.denominator == other.denominator == 1
        return abs(one - other) > (0 if is_exact else max(abs(one), abs(other)) / 100)
    return isinstance(one, str) and isinstance(other, str) and one != other
