r"""Turn multiple-choice rows into problems that show their options and answers that are letters.

>>> row = {"id": "a", "problem": "1 + 1?", "answer": "1", "options": ["3", "2"]}
>>> asked(row, Options(columns=["options"], answer="index", is_shuffled=False))
{'id': 'a', 'problem': '1 + 1?\n\n(A) 3\n(B) 2', 'answer': '(B) 2'}

The answer keeps the option's text, so that a response may state either. No message quotes an item,
because a benchmark may be private.
"""

import re
import string
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.hashing import uniform
from mathledger.core.tables import Row
from mathledger.data import formats
from mathledger.grading import grades

LETTERS = string.ascii_uppercase[:10]  # The letters that grading reads.
_LETTER = re.compile(r"\s*\(?([A-Za-z])[).]?\s*")


@dataclass(frozen=True, config=STRICT)
class Options:
    """Where a multiple-choice item has its options, and how it names the right one."""

    columns: list[str] = Field(
        description="One column that holds a list of options, or one column for each option."
    )
    answer: Literal["letter", "index", "text"] = Field(
        description=(
            "What the answer column holds: the option's letter, its index from 0, or its text."
        ),
    )
    is_shuffled: bool = Field(
        description=(
            "Whether to order the options by a hash of the item's id and their text; false keeps "
            "the file's order."
        ),
    )

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("name at least one column of options")


def asked(row: Row, options: Options) -> Row:
    """Return an item whose problem shows the options and whose answer is the right one's letter.

    Raises:
        InputError: The item has too few or too many options, or an answer that is none of them.
    """
    where = f"item {formats.shown(str(row['id']))}"
    texts = [text.strip() for text in row["options"] if text and text.strip()]
    if not 2 <= len(texts) <= len(LETTERS):
        raise InputError(
            f"{where} has {len(texts)} options, not 2 to {len(LETTERS)}; correct "
            "mapping.options.columns or the item"
        )
    item = {key: value for key, value in row.items() if key != "options"}
    right = _index(row["answer"], texts, options.answer, where) if row["answer"] else None
    order = list(range(len(texts)))
    if options.is_shuffled:
        order.sort(key=lambda place: uniform(0, row["id"] + texts[place]))
    shown = [f"({letter}) {texts[place]}" for letter, place in zip(LETTERS, order, strict=False)]
    if row["problem"]:
        item["problem"] = f"{row['problem']}\n\n" + "\n".join(shown)
    if right is not None:
        others = texts[:right] + texts[right + 1 :]
        answer = shown[order.index(right)]
        is_alone = "\n" not in answer and not any(_is_same(texts[right], each) for each in others)
        item["answer"] = answer if is_alone else answer[:3]  # Otherwise they look alike.
    return item


def _index(answer: str, texts: list[str], form: str, where: str) -> int:
    """Return the index of the option that an answer names."""
    letter = _LETTER.fullmatch(answer)
    if form == "letter" and letter:
        found = LETTERS.find(letter[1].upper())
    elif form == "index" and re.fullmatch(r"\d{1,3}", answer.strip()):
        found = int(answer)
    elif form == "text" and answer.strip() in texts:
        found = texts.index(answer.strip())
    else:
        found = -1
    if not 0 <= found < len(texts):
        raise InputError(
            f"{where} has an answer that is none of its {len(texts)} options, read as "
            f"mapping.options.answer={form}; correct the mapping or the item"
        )
    return found


def _is_same(one: str, other: str) -> bool:
    """Return True if grading's exact rules consider two options equal."""
    graded = grades.settle(other, one, "expression")
    return graded is not None and graded.verdict == "correct"
