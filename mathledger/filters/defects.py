"""Find the rows that cannot be trained on, with a reason and evidence.

If several reasons apply, a row gets the first one that `find` checks. The grader of evaluation
compares a solution's answer with the reference. If it cannot decide, the row stays, with a flag.
"""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.tables import removed_schema
from mathledger.filters import characters
from mathledger.grading.boxes import Boxes, find_boxes
from mathledger.grading.grades import Grade
from mathledger.grading.judges import Asked, Judges
from mathledger.grading.solutions import canonical, contradiction, final_answers

EVIDENCE = pa.struct([pa.field("expected", pa.string()), pa.field("found", pa.string())])
REMOVED = removed_schema(EVIDENCE)

SHOWN = 120  # Characters of a text that the evidence shows.
# A truncated text ends like _BREAKS_OFF or leaves one of _PAIRS open; $$ is checked separately.
_BREAKS_OFF = r"(?:\.\.\.|…|[,(=+\\])$"
_PAIRS = ((r"\begin{", r"\end{"), (r"\[", r"\]"))
_ASKS_FOR_PROOF = (
    r"(?i)\b(?:prove|disprove|proof|(?:show|verify|demonstrate|justify) (?:that|why|if))\b"
)

Mask = npt.NDArray[np.bool_]
# Evidence of a removal: one text for all rows, a text per row, or a function of the row's index.
Shown: TypeAlias = str | pa.Array | Callable[[int], str] | None
Rate = Annotated[float, Field(ge=0, le=1)]
Policy = Literal["remove", "keep"]


@dataclass(frozen=True, config=STRICT)
class Params:
    max_problem_chars: int = Field(description="Rows with a longer problem are removed.")
    max_solution_chars: int = Field(description="Rows with a longer solution are removed.")
    min_text_rate: Rate = Field(
        description=(
            "Smallest share of letters and digits among the visible characters of the problem, "
            "and of the solution."
        ),
    )
    max_foreign_rate: Rate = Field(
        description=(
            "Largest share of a row's letters that are neither Latin nor Greek; 1.0 keeps every "
            "script."
        ),
    )
    no_final_answer: Policy = Field(
        description="Whether to remove solutions that state no final answer."
    )
    proofs: Policy = Field(
        description=(
            "Whether to remove solutions without a final answer if the problem asks for a proof."
        ),
    )
    check_answers: bool = Field(
        description=(
            "Whether a solution's final answer must agree with the reference and not contradict "
            "another boxed answer."
        )
    )
    answer_timeout_s: int = Field(
        ge=1,
        description="CPU seconds to compare one answer; a row that needs more stays, with a flag.",
    )


class Removals:
    """The removed rows of a batch, each with its first reason, and the flagged ones."""

    def __init__(self, num_rows: int) -> None:
        self.is_left = np.ones(num_rows, np.bool_)
        self._removed: list[Part] = []
        self._flagged: list[Part] = []

    def add(self, reason: str, where: Mask, expected: Shown, found: Shown) -> None:
        """Remove the rows in the mask that have not been removed yet."""
        rows = np.flatnonzero(where & self.is_left)
        self.is_left[rows] = False
        if len(rows):
            self._removed.append(_part(rows, reason, expected, found))

    def flag(self, reason: str, where: Mask, expected: Shown, found: Shown) -> None:
        """Flag the rows in the mask that have not been removed; they stay."""
        rows = np.flatnonzero(where & self.is_left)
        if len(rows):
            self._flagged.append(_part(rows, reason, expected, found))

    def removed(self, examples: pa.RecordBatch) -> pa.Table:
        """Return the removed rows with the schema REMOVED."""
        return _table(examples, self._removed)

    def flagged(self, examples: pa.RecordBatch) -> pa.Table:
        """Return the flagged rows that have not been removed, with the schema REMOVED."""
        return _table(
            examples,
            [
                tuple(column.filter(pa.array(self.is_left[part[0].to_numpy()])) for column in part)
                for part in self._flagged
            ],
        )


# Rows of a batch, their reason and the evidence.
Part: TypeAlias = tuple[pa.Array, ...]


def _part(rows: npt.NDArray[np.int64], reason: str, expected: Shown, found: Shown) -> Part:
    shown = [_shown(each, rows) for each in (expected, found)]
    evidence = pa.StructArray.from_arrays(shown, fields=[*EVIDENCE])
    return pa.array(rows), pa.repeat(reason, len(rows)), evidence


def _table(examples: pa.RecordBatch, parts: list[Part]) -> pa.Table:
    tables = [
        pa.table([*examples.take(rows).columns, reason, evidence], REMOVED.names).cast(REMOVED)
        for rows, reason, evidence in parts
    ]
    return pa.concat_tables([REMOVED.empty_table(), *tables])


def _shown(texts: Shown, rows: npt.NDArray[np.int64]) -> pa.Array:
    if isinstance(texts, pa.Array):
        return texts.take(pa.array(rows))
    each = [texts(row) for row in rows.tolist()] if callable(texts) else [texts] * len(rows)
    return pa.array(each, pa.string())


def find(
    examples: pa.RecordBatch, messages: pa.ListArray | None, limits: Params, judges: Judges
) -> tuple[Removals, pa.StringArray, Counter[str]]:
    """Return the rows to remove, the answer that each solution states, and verdicts on answers.

    Args:
        examples: The rows; a blank problem or solution is null, `answer` is the reference.
        messages: The contents of each row's chat, or None if the corpus has no chats.
    """
    removals = Removals(len(examples))
    empty = [np.asarray(pc.is_null(examples[name])) for name in ("problem", "solution")]
    if messages is not None:
        _judge_turns(removals, messages, empty[0] & empty[1])
    removals.add("empty", empty[0] | empty[1], "problem and solution", None)
    problems, solutions = (pc.fill_null(examples[name], "") for name in ("problem", "solution"))
    _judge_texts(removals, problems, solutions, limits)
    if messages is not None:
        _judge_messages(removals, messages, problems, solutions)
    boxes = find_boxes(solutions)
    stated = final_answers(solutions, boxes)
    _judge_ends(removals, problems, solutions, boxes, stated, limits)
    verdicts: Counter[str] = Counter()
    if limits.check_answers:
        verdicts = _judge_answers(removals, examples["answer"], solutions, boxes, stated, judges)
        _judge_boxes(removals, solutions, boxes)
    return removals, stated, verdicts


def _judge_texts(
    removals: Removals, problems: pa.StringArray, solutions: pa.StringArray, limits: Params
) -> None:
    """Remove rows because of the characters of their texts."""
    counts = _judge_text(removals, "problem", problems, limits.max_problem_chars, limits)
    counts = counts + _judge_text(
        removals, "solution", solutions, limits.max_solution_chars, limits
    )
    foreign = counts[:, characters.FOREIGN] / np.maximum(counts[:, characters.LETTERS], 1)
    removals.add(
        "foreign_script",
        foreign > limits.max_foreign_rate,
        f"up to {limits.max_foreign_rate:.0%} of letters neither Latin nor Greek",
        lambda row: f"{foreign[row]:.1%}",
    )


def _judge_text(
    removals: Removals, name: str, texts: pa.StringArray, max_chars: int, limits: Params
) -> npt.NDArray[np.int32]:
    """Remove rows because of the characters of one text column; return its character counts."""
    counts = characters.count(texts)
    num_broken = counts[:, characters.BROKEN]
    rate = counts[:, [characters.LETTERS, characters.DIGITS]].sum(axis=1)
    rate = rate / np.maximum(counts[:, characters.VISIBLE], 1)
    lengths = counts[:, characters.ALL]
    removals.add(
        "non_text",
        num_broken > 0,
        f"{name} without control and replacement characters",
        lambda row: f"{num_broken[row]} of them",
    )
    removals.add(
        "non_text",
        rate < limits.min_text_rate,
        f"{name} of at least {limits.min_text_rate:.0%} letters and digits",
        lambda row: f"{rate[row]:.1%}",
    )
    removals.add(
        "non_text",
        np.asarray(pc.match_substring_regex(texts, characters.PRINTED)),
        f"{name} as text, not inside a printed structure",
        lambda row: str(texts[row])[:SHOWN],
    )
    removals.add(
        "too_long",
        lengths > max_chars,
        f"{name} up to {max_chars} characters",
        lambda row: f"{lengths[row]} characters",
    )
    return counts


def _judge_turns(removals: Removals, messages: pa.ListArray, has_no_text: Mask) -> None:
    """Remove rows whose chat, of several questions for example, gives no problem and solution."""
    counts = np.asarray(pc.fill_null(pc.list_value_length(messages), 0))
    removals.add(
        "messages_differ",
        has_no_text & (counts > 0),
        "one question and its answer",
        lambda row: f"{counts[row]} messages",
    )


def _judge_messages(
    removals: Removals, messages: pa.ListArray, problems: pa.StringArray, solutions: pa.StringArray
) -> None:
    """Remove rows whose chat is not exactly the problem and the solution."""
    counts = np.asarray(pc.fill_null(pc.list_value_length(messages), 0))
    removals.add("messages_differ", counts != 2, "2 messages", lambda row: str(counts[row]))
    first = np.asarray(messages.offsets)[:-1]
    for turn, texts in enumerate((problems, solutions)):
        said = messages.values.take(pa.array(first + turn, mask=counts != 2))
        said = pc.utf8_trim_whitespace(said)
        is_same = np.asarray(pc.fill_null(pc.equal(said, texts), False))
        removals.add("messages_differ", ~is_same, texts, said)


def _judge_ends(
    removals: Removals,
    problems: pa.StringArray,
    solutions: pa.StringArray,
    boxes: Boxes,
    stated: pa.StringArray,
    limits: Params,
) -> None:
    """Remove rows whose solution is truncated or states no answer."""
    is_silent = np.asarray(pc.is_null(stated))
    silent = pa.array(np.flatnonzero(is_silent))
    # If a solution states an answer, an unbalanced delimiter before it does not mean truncation.
    breaks_off, asks_for_proof = is_silent.copy(), is_silent.copy()
    breaks_off[is_silent] = _breaks_off(solutions.take(silent))
    asks_for_proof[is_silent] = pc.match_substring_regex(problems.take(silent), _ASKS_FOR_PROOF)

    def end(row: int) -> str:
        return str(solutions[row])[-SHOWN:]

    removals.add("truncated", boxes.is_cut, r"\boxed{...} with its last brace", end)
    removals.add("truncated", breaks_off, "an end", end)
    if limits.proofs == "remove":
        removals.add("proof", asks_for_proof, "a final answer", end)
    if limits.no_final_answer == "remove":
        removals.add("no_final_answer", is_silent & ~asks_for_proof, "a final answer", end)


def _breaks_off(texts: pa.StringArray) -> pa.BooleanArray:
    r"""Return whether each text ends in mid-sentence or leaves a \begin{...}, \[ or $$ open."""
    is_odd = pc.equal(pc.bit_wise_and(pc.count_substring(texts, "$$"), 1), 1)
    is_cut = pc.or_(is_odd, pc.match_substring_regex(texts, _BREAKS_OFF))
    for begin, end in _PAIRS:
        opened, closed = (pc.count_substring(texts, sign) for sign in (begin, end))
        is_cut = pc.or_(is_cut, pc.greater(opened, closed))
    return is_cut


# A solution in which the grader may find another answer than its last box or its line `#### x`.
_HAS_ANOTHER = (
    r"(?i)</think>|begin▁of|end▁of|<answer>|final answer|<\||</s>|<eos>|<end_of_turn>"
    r"|\n[ \t]*(?:#+ *|\*\*)?(?:question|problem|q)(?: \d+)? ?[:.]"
)
_MAY_BE_LIST = r"[,;{]|\\pm|\b(?:and|or)\b"


def _judge_answers(
    removals: Removals,
    reference: pa.StringArray,
    solutions: pa.StringArray,
    boxes: Boxes,
    stated: pa.StringArray,
    judges: Judges,
) -> Counter[str]:
    """Remove remaining rows whose answer the grader calls wrong; return the verdict counts.

    The grader reads the solution as it reads a model's response, as an expression. A row whose last
    box or line `#### x` equals the reference exactly needs no grading.
    """
    num_boxes = np.bincount(boxes.rows, minlength=len(solutions))
    has_reference = np.asarray(pc.is_valid(reference)) & removals.is_left
    is_same = np.asarray(pc.fill_null(pc.equal(reference, stated), False)) & has_reference
    is_plain = (num_boxes == 1) | ~_matches(reference, _MAY_BE_LIST)
    is_plain &= (num_boxes > 0) | _matches(solutions, "####")
    is_settled = is_same & is_plain & ~_matches(solutions, _HAS_ANOTHER)
    rows = np.flatnonzero(has_reference & ~is_settled)
    texts = [each.take(pa.array(rows)).to_pylist() for each in (solutions, reference)]
    # Only an answer that the solution states is compared, not the last number in its working.
    asked = [
        Asked(solution, answer, "expression", is_cut=True)
        for solution, answer in zip(*texts, strict=True)
    ]
    grades = judges.grade(asked)
    found: list[str | None] = stated.to_pylist()
    for row, grade in zip(rows.tolist(), grades, strict=True):
        found[row] = grade.extracted or found[row]
    names = np.full(len(stated), "", dtype=object)
    names[rows] = [_verdict(grade) for grade in grades]
    shown = pa.array(found, pa.string())
    removals.add("answer_mismatch", names == "different", reference, shown)
    for doubt in ("unreadable", "too_costly"):
        removals.flag(f"answer_{doubt}", names == doubt, reference, shown)
    counts = Counter(name for name in names.tolist() if name)
    counts["equal"] += int(is_settled.sum())
    return counts


def _matches(texts: pa.StringArray, pattern: str) -> Mask:
    return np.asarray(pc.fill_null(pc.match_substring_regex(texts, pattern), False))


def _verdict(grade: Grade) -> str:
    """Return the name under which a grade is counted; an answer that is not stated has none."""
    if grade.verdict == "correct":
        return "equal"
    if grade.verdict == "no_answer":
        return "" if grade.is_sure else "too_costly"
    return "different" if grade.is_sure else "unreadable"


def _judge_boxes(removals: Removals, solutions: pa.StringArray, boxes: Boxes) -> None:
    """Remove remaining rows whose solution has two boxed answers that contradict each other."""
    counts = np.bincount(boxes.rows, minlength=len(solutions))
    starts = np.searchsorted(boxes.rows, np.arange(len(solutions)))
    contradictions: dict[int, tuple[str, str]] = {}
    for row in np.flatnonzero((counts > 1) & removals.is_left).tolist():
        own = slice(starts[row], starts[row] + counts[row])
        contents = canonical(boxes.contents[own]).to_pylist()
        begins = boxes.begins[own].tolist()
        if pair := contradiction(str(solutions[row]), contents, begins):
            contradictions[row] = pair
    where = np.zeros(len(solutions), np.bool_)
    where[[*contradictions]] = True
    removals.add(
        "contradicts_itself",
        where,
        lambda row: contradictions[row][1],
        lambda row: contradictions[row][0],
    )
