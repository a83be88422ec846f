"""Format the differences as text (numbers, causes, consequences) or as JSON."""

import json
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from mathledger.card.markdown import chance, points
from mathledger.core.keys import ABSENT
from mathledger.diff.attribution import Cause
from mathledger.diff.difference import Difference, Values
from mathledger.diff.numbers import NumberDifference, UnpairedTest
from mathledger.diff.responses import Flip
from mathledger.diff.rows import Example, RowsDifference
from mathledger.diff.sides import Side
from mathledger.evaluation.statistics import FamilyTest

WIDTH = 100
SHOWN = 3  # most causes in a number's line, or names in a list
FLIPS = 5  # most flips shown for a model on a benchmark
EVIDENCE = ("benchmark", "item_id", "containment", "kept_id", "jaccard", "expected", "found")
STEPS = ("downloaded", "prepared", "deduplicated", "decontaminated", "training set")


def text(difference: Difference) -> str:
    """Return the text that the command prints."""
    lines = [f"A  {_side(difference.a)}", f"B  {_side(difference.b)}", ""]
    parts = (_numbers, _causes, _unexplained, _idle, _rows, _training, _responses)
    for part in parts:
        own = list(part(difference))
        lines += [*own, ""] if own else []
    return "\n".join(lines[:-1]) + "\n"


def _side(side: Side) -> str:
    return f"{side.label}{'' if side.chain else ' (a card: only its ledger is compared)'}"


def _numbers(difference: Difference) -> Iterator[str]:
    """Yield a line for each number that differs, then name the others."""
    same = [each.number.name for each in difference.numbers if each.is_same]
    others = [each for each in difference.numbers if not each.is_same]
    if not others and difference.numbers:
        yield f"No number differs. Same responses: {_listed(same)}"
    width = max((len(each.number.name) for each in others), default=0)
    for each in others:
        yield f"{each.number.name:{width}}  {_score(each)}; {_cause(difference, each.number.name)}"
    if others and same:
        yield f"Same responses: {_listed(same)}"
    for side, only in (("A", difference.only_in_a), ("B", difference.only_in_b)):
        if only:
            yield f"Only in {side}: {_listed([number.name for number in only])}"
    if not difference.numbers:
        yield "No number is on both sides."
    yield from _tests(difference.numbers, others)


def _tests(numbers: Sequence[NumberDifference], shown: Sequence[NumberDifference]) -> Iterator[str]:
    """Explain how the numbers shown were tested."""
    num_paired = sum(isinstance(each.test, FamilyTest) for each in numbers)
    if any(isinstance(each.test, FamilyTest) for each in shown):
        yield ""
        yield (
            "Brackets are 95% intervals of the difference in points. p is from an exact paired test"
            + (f", adjusted by Holm for {num_paired} tests." if num_paired > 1 else ".")
        )
    reasons = [each.test.reason for each in shown if isinstance(each.test, UnpairedTest)]
    for reason in dict.fromkeys(reasons):
        yield f"Unpaired because {reason}: each number is judged by its own interval."


def _score(each: NumberDifference) -> str:
    """Format a number as `29/64 -> 31/64 (+3 [-9, 16], p = 0.69: within noise)`."""
    sides = " -> ".join(f"{score.num_correct}/{score.num_samples}" for score in (each.a, each.b))
    test = each.test
    if test is None:
        return f"{sides} (computed differently from the same responses)"
    num_items = min(each.a.num_items, each.b.num_items)
    p_value = "unpaired"
    if isinstance(test, FamilyTest):
        p_value = f"p = {chance(test.p_holm)}".replace("= <", "< ")
    verdict = "beyond noise" if test.is_significant else "within noise"
    return f"{sides} ({points(test.difference, num_items)}, {p_value}: {verdict})"


def _cause(difference: Difference, name: str) -> str:
    own = [
        f"{cause.change.kind} {cause.change.key}"
        for cause in difference.attribution.causes
        if name in cause.numbers
    ]
    left = [each.stage for each in difference.attribution.unexplained if name in each.numbers]
    if left:
        own.append(f"none recorded at {_listed(left)}")
    return f"cause: {_listed(own, '; ') if own else 'none recorded'}"


def _listed(names: Sequence[str], separator: str = ", ") -> str:
    rest = len(names) - SHOWN
    return separator.join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _causes(difference: Difference) -> Iterator[str]:
    causes = difference.attribution.causes
    if not causes:
        return
    yield "CAUSES, upstream first: changes that lead to differing responses"
    yield from _changes(causes)
    if len({(cause.change.kind, cause.change.key) for cause in causes}) > 1:
        yield "  Several changed at once, and two states cannot separate their effects."


def _idle(difference: Difference) -> Iterator[str]:
    if difference.attribution.without_effect:
        yield "CHANGED WITHOUT EFFECT: changes that lead to no differing response"
        yield from _changes(difference.attribution.without_effect)


def _changes(causes: Sequence[Cause]) -> Iterator[str]:
    for cause in causes:
        change = cause.change
        stages = f"  [{_listed(cause.stages)}]" if cause.stages else ""
        values = f"{_value(change.a)} -> {_value(change.b)}"
        yield f"  {change.kind:8}  {change.key}: {values}{stages}"
        old, new = cause.git_revisions or (None, None)
        if old and new and old != new:
            yield f"            git diff {old[:10]} {new[:10]} -- {shlex.quote(change.key)}"


def _value(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    if _is_digest(value):
        return str(value)[:10]
    is_plain = isinstance(value, str) and "\n" not in value
    shown = value if is_plain else json.dumps(value, ensure_ascii=False)
    return textwrap.shorten(shown, 60, placeholder=" ...")


def _is_digest(value: Any) -> bool:
    return (
        isinstance(value, str) and len(value) in (32, 64) and set(value) <= set("0123456789abcdef")
    )


def _unexplained(difference: Difference) -> Iterator[str]:
    if not difference.attribution.unexplained:
        return
    yield "NO RECORDED CAUSE"
    what = "the recorded inputs, code, params, packages and hardware are the same"
    if not (difference.a.chain and difference.b.chain):
        what = "inputs, code and params are the same (a ledger records no packages or hardware)"
    for each in difference.attribution.unexplained:
        line = f"{each.stage}: its output differs, but {what}."
        yield textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _rows(difference: Difference) -> Iterator[str]:
    """Yield the rows that changed between two chains, or the funnel if a side is a card."""
    if difference.rows:
        yield "ROWS"
    told = set[str]()  # show a row once, though it also changes every later file
    for file in difference.rows:
        yield f"  {file.file}: {file.num_a} -> {file.num_b}"
        for change, other, by in (("lost", "B", file.lost_by), ("gained", "A", file.gained_by)):
            if by:
                reasons = ", ".join(f"{reason} {num}" for reason, num in by.items())
                yield f"    {change} {sum(by.values())} (in {other}: {reasons})"
        if file.columns:
            yield f"    the ids are the same, but the content of {', '.join(file.columns)} differs"
        for row in file.examples:
            if row.id not in told:
                yield from _row(row)
            told.add(row.id)
    if not difference.rows and difference.funnel:
        yield "ROWS by corpus"
        for corpus in difference.funnel:
            sides = ([None] * 5 if side is ABSENT else side for side in (corpus.a, corpus.b))
            for step, old, new in zip(STEPS, *sides, strict=True):
                if old != new:
                    yield f"  {corpus.key}, {step}: {old} -> {new}"


def _row(row: Example) -> Iterator[str]:
    problem = textwrap.shorten(row.problem or "", 56, placeholder=" ...")
    mark = "-" if row.change == "lost" else "+"
    yield f"      {mark} {row.id[:12]}  {row.reason}{f': {problem}' if problem else ''}"
    evidence = row.evidence or {}
    shown = [
        f"{key} {textwrap.shorten(str(evidence[key]), 40, placeholder=' ...')}"
        for key in EVIDENCE
        if evidence.get(key) is not None
    ]
    if shown:
        yield f"          {', '.join(shown)}"


def _training(difference: Difference) -> Iterator[str]:
    if difference.training or difference.weights:
        yield "TRAINING"
    for each in difference.training:
        yield f"  {each.key}: {_value(each.a)} -> {_value(each.b)}"
    for model in difference.weights:
        yield f"  weights of {model.model}: {str(model.a)[:10]} -> {str(model.b)[:10]}"


def _responses(difference: Difference) -> Iterator[str]:
    if any(each.responses for each in difference.numbers):
        yield "RESPONSES"
    for each in difference.numbers:
        own = each.responses
        if own is None:
            continue
        asked = f", {own.num_prompts_changed} prompts differ" if own.num_prompts_changed else ""
        yield (
            f"  {each.number.name}: {own.num_texts_changed} of {own.num_compared} texts differ"
            f"{asked}; {len(own.flips)} verdicts flipped"
        )
        is_repeated = each.b.num_samples > each.b.num_items
        for flip in own.flips[:FLIPS]:
            yield f"    {_flip(flip, is_repeated)}"
        if len(own.flips) > FLIPS:
            yield f"    and {len(own.flips) - FLIPS} more (--json lists all)"


def _flip(flip: Flip, is_repeated: bool) -> str:
    repeat = f" #{flip.repeat}" if is_repeated else ""
    told = f"{flip.item_id}{repeat}  {' -> '.join(flip.verdicts)}"
    if flip.answers:
        answers = f"{_answer(flip.answers.a)} -> {_answer(flip.answers.b)}"
        told += f": {answers} (right: {_answer(flip.answers.reference)})"
    return told + (", same text" if flip.is_same_text else "")


def _answer(answer: str | None) -> str:
    return "none" if answer is None else textwrap.shorten(answer, 24, placeholder=" ...")


# ------------------------------------------------------------------------------------ as JSON


def content(difference: Difference) -> dict[str, Any]:
    """Return all differences as `--json` prints them; a side without a key has no value for it."""
    own = difference.attribution
    return {
        "a": _side_content(difference.a),
        "b": _side_content(difference.b),
        "numbers": [_number(each) for each in difference.numbers],
        "only_in_a": [number.name for number in difference.only_in_a],
        "only_in_b": [number.name for number in difference.only_in_b],
        "causes": [_cause_content(cause, {"numbers": cause.numbers}) for cause in own.causes],
        "unexplained": [vars(each) for each in own.unexplained],
        "without_effect": [_cause_content(cause, {}) for cause in own.without_effect],
        "rows": [_rows_content(file) for file in difference.rows],
        "funnel": [_values(each) for each in difference.funnel],
        "training": [_values(each) for each in difference.training],
        "weights": [vars(each) for each in difference.weights],
    }


def _side_content(side: Side) -> dict[str, Any]:
    commit = side.chain.commit if side.chain else None
    return {"name": side.label, "commit": commit, "is_card": side.chain is None}


def _number(each: NumberDifference) -> dict[str, Any]:
    responses = each.responses
    return {
        "benchmark": each.number.benchmark,
        "model": each.number.model,
        "a": each.a.statistics(),
        "b": each.b.statistics(),
        "has_same_responses": each.has_same_responses,
        "test": _test(each.test) if each.test else None,
        "responses": {**vars(responses), "flips": [_flip_content(flip) for flip in responses.flips]}
        if responses
        else None,
    }


def _test(test: FamilyTest | UnpairedTest) -> dict[str, Any]:
    paired = {}
    if isinstance(test, FamilyTest):
        paired = {
            "p_value": test.p_value,
            "num_items_gained": test.num_gained,
            "num_items_lost": test.num_lost,
            "p_holm": test.p_holm,
        }
    return {
        "is_paired": bool(paired),
        "reason": test.reason if isinstance(test, UnpairedTest) else None,
        "difference": vars(test.difference),
        **paired,
        "is_beyond_noise": test.is_significant,
    }


def _flip_content(flip: Flip) -> dict[str, Any]:
    answers = flip.answers
    sides = [
        {"verdict": verdict, **({"extracted_answer": answer} if answers else {})}
        for verdict, answer in zip(
            flip.verdicts, (answers.a, answers.b) if answers else (None, None), strict=True
        )
    ]
    return {
        "item_id": flip.item_id,
        "repeat": flip.repeat,
        "reference": answers.reference if answers else None,
        "is_same_text": flip.is_same_text,
        "a": sides[0],
        "b": sides[1],
    }


def _cause_content(cause: Cause, numbers: dict[str, list[str]]) -> dict[str, Any]:
    change = cause.change
    revisions = {"git_revisions": list(cause.git_revisions)} if cause.git_revisions else {}
    return {
        "kind": change.kind,
        **_values(Values(change.key, change.a, change.b)),
        "stages": cause.stages,
        **numbers,
        **revisions,
    }


def _values(values: Values) -> dict[str, Any]:
    sides = {"a": values.a, "b": values.b}
    return {
        "key": values.key,
        **{side: value for side, value in sides.items() if value is not ABSENT},
    }


def _rows_content(file: RowsDifference) -> dict[str, Any]:
    return {
        "stage": file.stage,
        "file": file.file,
        "num_a": file.num_a,
        "num_b": file.num_b,
        "num_gained": file.num_gained,
        "num_lost": file.num_lost,
        "gained_by": file.gained_by,
        "lost_by": file.lost_by,
        "examples": [vars(row) for row in file.examples],
        "columns": file.columns,
    }
