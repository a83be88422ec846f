r"""Extract the final answers that worked solutions state, for many solutions at once.

>>> answers = final_answers(pa.array(["so \\boxed{1{,}250}.", "5 + 9 = 14\n#### 14", "Done."]))
>>> answers.to_pylist()
['1250', '14', None]
"""

import re
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.grading import thousands
from mathledger.grading.boxes import Boxes, find_boxes

MAX_DIGITS = 30  # Longest number that is compared.
TAIL = 300  # Characters at the end of a solution in which "the answer is x" counts.

# After "the answer is" follows a formula, a number with up to three words, a choice, yes or no.
_VALUE = (
    r"(?P<answer>\$[^$\n]+\$|\\\([^\n]+?\\\)|\\?\$?[-+]?\.?\d[\d.,/]*(?:\s?%|(?:\s[A-Za-z]+){1,3})?"
    r"|\(?[A-H]\)?|(?i:yes|no|true|false))"
)
_REST = r"[\s.*$]*$"
# Patterns are tried in this order on a text without a box; the last match in the text counts.
_STATEMENTS = (
    r"(?s)^(?:.*\n)?####[ \t]*(?P<answer>[^\n]*\S)",
    rf"(?s)^.*\b(?i:answer)[\s*]*(?:(?i:is)\b|:|=)[\s:*]*{_VALUE}{_REST}",
    r"(?s)^.*(?:\\(?:text|textbf|mathrm|mathbf|textrm|rm|bf)\s*\{\s*\(?|\(|\\Rightarrow\s*)"
    r"\s*(?P<answer>[A-H])\s*\)?\s*\}?" + _REST,
)


def final_answers(texts: pa.StringArray, boxed: Boxes | None = None) -> pa.StringArray:
    r"""Return the canonical final answer of every text (no nulls), or null if it states no answer.

    The last box is the answer. Without a box it is the last line `#### x`, and without that "The
    answer is x" or a choice such as (B) or \textbf{(B)} at the very end.

    Args:
        boxed: The boxes of the texts, if the caller has already found them.
    """
    boxed = boxed or find_boxes(texts)
    last = np.full(len(texts), -1, np.int64)
    last[boxed.rows] = np.arange(len(boxed.rows))  # The last box of a text overwrites the others.
    answers = boxed.contents.take(pa.array(last, mask=last < 0))
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


def final_answer(solution: str) -> str | None:
    """Return the canonical answer that a worked solution states, or None."""
    stated: str | None = final_answers(pa.array([solution]))[0].as_py()
    return stated


def canonical(answers: pa.StringArray) -> pa.StringArray:
    r"""Strip space, `$`, `\(`, asterisks and the full stop around answers.

    Thousands separators of numbers are removed, too.

    >>> canonical(pa.array([" $1{,}250$. ", "(1, 250)", "\\$ 5"])).to_pylist()
    ['1250', '(1, 250)', '\\$ 5']
    """
    bare = undelimited(answers)
    marked = pc.match_substring_regex(bare, thousands.WHOLE)
    if not pc.any(marked).as_py():
        return bare
    return pc.if_else(marked, pc.replace_substring_regex(bare, thousands.SEPARATOR, ""), bare)


def undelimited(answers: pa.StringArray) -> pa.StringArray:
    r"""Strip space, `$`, `\(`, asterisks and the full stop around answers."""
    bare = pc.utf8_rtrim(pc.utf8_trim(answers, " \t\r\n$*"), " .$*")
    closed = pc.binary_join_element_wise(bare, ".", "")
    bare = pc.if_else(pc.ends_with(bare, r"\right"), closed, bare)  # This dot is a delimiter.
    inline = pc.match_substring_regex(bare, r"^\\\(.*\\\)$")
    return pc.if_else(inline, pc.replace_substring_regex(bare, r"^\\\(\s*|\s*\\\)$", ""), bare)


# A later box retracts an earlier one only if the text says so.
_IS_ANSWER = re.compile(r"answer\s*(?:is|=|:)?[\s:*]*(?:\$+|\\\(|\\\[)?\s*$", re.IGNORECASE)
_TAKEN_BACK = re.compile(r"\b(?:no|wait|actually|oops|correction|mistake)\b", re.IGNORECASE)
_BOX_NAME = re.compile(r"\\f?box(?:ed)?\s*\{?\s*$")
_NUMBER = re.compile(r"^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:/0*[1-9]\d*)?$")
_CHOICE = re.compile(r"^\(?([A-H])\)?$")
_LEAD = 80  # Bytes before a box that are searched for "the answer is".


def contradiction(text: str, contents: list[str], begins: list[int]) -> tuple[str, str] | None:
    r"""Return the two boxed answers of a solution that cannot both hold, or None.

    A solution may box the answers to parts of a problem, to cases and to steps. Two boxes
    contradict each other only if they hold different numbers or different choices, and either both
    follow "the answer is" or the words between them retract the first.

    >>> text = "The answer is \\boxed{3}. The answer is \\boxed{4}."
    >>> contradiction(text, ["3", "4"], [text.index("3"), text.index("4")])
    ('3', '4')

    Args:
        begins: Offset of each content in the UTF-8 bytes of the text.
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
    """Parse an answer that is a number or the letter of a choice; return None for any other."""
    if choice := _CHOICE.match(plain):
        return choice[1]
    if len(plain) > MAX_DIGITS or not _NUMBER.match(plain):
        return None
    above, _, below = plain.partition("/")
    return Fraction(above) / int(below or 1)


def _differ(one: Fraction | str | None, other: Fraction | str | None) -> bool:
    """Return True if two values of the same kind differ; for decimals by more than 1%."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        is_exact = one.denominator == other.denominator == 1
        return abs(one - other) > (0 if is_exact else max(abs(one), abs(other)) / 100)
    return isinstance(one, str) and isinstance(other, str) and one != other
