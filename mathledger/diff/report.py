"""The differences as text: the numbers first, then each cause, then what followed from them."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from mathledger.card.markdown import chance, points

WIDTH = 100
SHOWN = 3  # causes of a number in its line, names in a list
FLIPS = 5  # of a model on a benchmark
EVIDENCE = ("benchmark", "item_id", "containment", "kept_id", "jaccard", "expected", "found")
STEPS = ("downloaded", "prepared", "deduplicated", "decontaminated", "training set")

Found = dict[str, Any]


def text(found: Found) -> str:
    """What the command prints."""
    lines = [f"A  {_side(found['a'])}", f"B  {_side(found['b'])}", ""]
    parts = (_numbers, _causes, _unexplained, _idle, _rows, _training, _responses)
    for part in parts:
        own = list(part(found))
        lines += [*own, ""] if own else []
    return "\n".join(lines[:-1]) + "\n"


def _side(side: Found) -> str:
    return f"{side['name']}{', a card: its ledger alone' if side['is_card'] else ''}"


def _name(entry: Found) -> str:
    return f"{entry['benchmark']}@{entry['model']}"


def _numbers(found: Found) -> Iterator[str]:
    """One line a number whose responses differ, then the others."""
    same = [each for each in found["numbers"] if _is_same(each)]
    others = [each for each in found["numbers"] if not _is_same(each)]
    if not others and found["numbers"]:
        names = _listed([_name(each) for each in same])
        yield f"No number differs; the same responses: {names}"
    width = max((len(_name(each)) for each in others), default=0)
    for each in others:
        yield f"{_name(each):{width}}  {_score(each)}; {_cause(found, _name(each))}"
    if others and same:
        yield f"Same responses: {_listed([_name(each) for each in same])}"
    for side in "ab":
        if found[f"only_in_{side}"]:
            yield f"Only in {side.upper()}: {_listed(found[f'only_in_{side}'])}"
    if not found["numbers"]:
        yield "No number is in both."
    tested = [each["test"] for each in others if each["test"]]
    num_paired = sum(bool(e["test"] and e["test"]["is_paired"]) for e in found["numbers"])
    if any(test["is_paired"] for test in tested):
        yield ""
        yield (
            "Brackets: 95% intervals of the difference, in points. p: exact test paired by item"
            + (f", by Holm for {num_paired} tests." if num_paired > 1 else ".")
        )
    for reason in dict.fromkeys(test["reason"] for test in tested if not test["is_paired"]):
        yield f"Unpaired, as {reason}: judged by the interval alone, each number by itself."


def _is_same(entry: Found) -> bool:
    return bool(entry["has_same_responses"] and entry["a"] == entry["b"])


def _score(entry: Found) -> str:
    """29/64 -> 31/64 (+3 points [-9, 16], p = 0.69: within noise)."""
    sides = " -> ".join(f"{entry[s]['num_correct']}/{entry[s]['num_samples']}" for s in "ab")
    test = entry["test"]
    if test is None:
        return f"{sides} (computed otherwise from the same responses)"
    num_items = min(entry["a"]["num_items"], entry["b"]["num_items"])
    p_value = (
        f"p = {chance(test['p_holm'])}".replace("= <", "< ") if test["is_paired"] else "unpaired"
    )
    verdict = "beyond noise" if test["is_beyond_noise"] else "within noise"
    return f"{sides} ({points(test['difference'], num_items)}, {p_value}: {verdict})"


def _cause(found: Found, name: str) -> str:
    own = [_short(each) for each in found["causes"] if name in each["numbers"]]
    left = [each["stage"] for each in found["unexplained"] if name in each["numbers"]]
    if left:
        own.append(f"none recorded at {_listed(left)}")
    return f"cause: {_listed(own, '; ') if own else 'none recorded'}"


def _short(change: Found) -> str:
    return f"{change['kind']} {change['key']}"


def _listed(names: list[str], separator: str = ", ") -> str:
    rest = len(names) - SHOWN
    return separator.join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _causes(found: Found) -> Iterator[str]:
    if not found["causes"]:
        return
    yield "CAUSES, upstream first: what changed and leads to responses that differ"
    yield from _changes(found["causes"])
    if len({(each["kind"], each["key"]) for each in found["causes"]}) > 1:
        yield "  Several changed at once: two states cannot tell their shares apart."


def _idle(found: Found) -> Iterator[str]:
    if found["without_effect"]:
        yield "CHANGED WITHOUT EFFECT: it leads to no response that differs"
        yield from _changes(found["without_effect"])


def _changes(entries: list[Found]) -> Iterator[str]:
    for each in entries:
        stages = f"  [{_listed(each['stages'])}]" if each["stages"] else ""
        change = f"{_value(each, 'a')} -> {_value(each, 'b')}"
        yield f"  {each['kind']:8}  {each['key']}: {change}{stages}"
        revisions = each.get("git_revisions", [None])
        if None not in revisions and len(set(revisions)) > 1:
            yield f"            git diff {' '.join(r[:10] for r in revisions)} -- {each['key']}"


def _value(entry: Found, side: str) -> str:
    if side not in entry:
        return "absent"
    value = entry[side]
    if _is_digest(value):
        return str(value)[:10]
    shown = (
        value
        if isinstance(value, str) and "\n" not in value
        else json.dumps(value, ensure_ascii=False)
    )
    return textwrap.shorten(shown, 60, placeholder=" ...")


def _is_digest(value: Any) -> bool:
    return (
        isinstance(value, str) and len(value) in (32, 64) and set(value) <= set("0123456789abcdef")
    )


def _unexplained(found: Found) -> Iterator[str]:
    if not found["unexplained"]:
        return
    yield "NO RECORDED CAUSE"
    is_card = found["a"]["is_card"] or found["b"]["is_card"]
    for each in found["unexplained"]:
        what = (
            "inputs, code and params are the same; a ledger records neither packages nor hardware"
            if is_card
            else "inputs, code, params, packages and hardware are the same, as far as recorded"
        )
        line = f"{each['stage']}: its output differs; {what}."
        yield textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _rows(found: Found) -> Iterator[str]:
    """Of chains the rows; of cards the funnel."""
    if found["rows"]:
        yield "ROWS"
    told = set[str]()  # a row that comes or goes does so in every later file, too
    for each in found["rows"]:
        yield f"  {each['file']}: {each['num_a']} -> {each['num_b']}"
        for change, other in (("lost", "B"), ("gained", "A")):
            if each[f"num_{change}"]:
                reasons = ", ".join(f"{r} {n}" for r, n in each[f"{change}_by"].items())
                yield f"    {change} {each[f'num_{change}']} (in {other}: {reasons})"
        if each["columns"]:
            yield f"    the same ids; the content of {', '.join(each['columns'])} differs"
        for row in each["examples"]:
            if row["id"] not in told:
                yield from _row(row)
            told.add(row["id"])
    if not found["rows"] and found["funnel"]:
        yield "ROWS by corpus"
        for each in found["funnel"]:
            for step, *counts in zip(STEPS, *(each.get(s, [None] * 5) for s in "ab"), strict=True):
                if counts[0] != counts[1]:
                    yield f"  {each['key']}, {step}: {counts[0]} -> {counts[1]}"


def _row(row: Found) -> Iterator[str]:
    problem = textwrap.shorten(row["problem"] or "", 56, placeholder=" ...")
    mark = "-" if row["change"] == "lost" else "+"
    yield f"      {mark} {row['id'][:12]}  {row['reason']}{f': {problem}' if problem else ''}"
    evidence = row["evidence"] or {}
    shown = [
        f"{key} {textwrap.shorten(str(evidence[key]), 40, placeholder=' ...')}"
        for key in EVIDENCE
        if evidence.get(key) is not None
    ]
    if shown:
        yield f"          {', '.join(shown)}"


def _training(found: Found) -> Iterator[str]:
    if found["training"] or found["weights"]:
        yield "TRAINING"
    for each in found["training"]:
        yield f"  {each['key']}: {_value(each, 'a')} -> {_value(each, 'b')}"
    for each in found["weights"]:
        yield f"  weights of {each['model']}: {str(each['a'])[:10]} -> {str(each['b'])[:10]}"


def _responses(found: Found) -> Iterator[str]:
    entries = [each for each in found["numbers"] if each["responses"]]
    if entries:
        yield "RESPONSES"
    for each in entries:
        own = each["responses"]
        flips = own["flips"]
        asked = (
            f", {own['num_prompts_changed']} asked otherwise" if own["num_prompts_changed"] else ""
        )
        yield (
            f"  {_name(each)}: {own['num_texts_changed']} of {own['num_compared']} texts differ"
            f"{asked}; {len(flips)} verdicts flipped"
        )
        for flip in flips[:FLIPS]:
            yield f"    {_flip(flip, each)}"
        if len(flips) > FLIPS:
            yield f"    and {len(flips) - FLIPS} more (--json has all)"


def _flip(flip: Found, entry: Found) -> str:
    is_repeated = entry["b"]["num_samples"] > entry["b"]["num_items"]
    repeat = f" #{flip['repeat']}" if is_repeated else ""
    verdicts = f"{flip['a']['verdict']} -> {flip['b']['verdict']}"
    same = ", the same text" if flip["is_same_text"] else ""
    if "extracted_answer" not in flip["a"]:
        return f"{flip['item_id']}{repeat}  {verdicts}{same}"
    said = " -> ".join(_answer(flip[side]["extracted_answer"]) for side in "ab")
    return (
        f"{flip['item_id']}{repeat}  {verdicts}: {said} (right: {_answer(flip['reference'])}){same}"
    )


def _answer(answer: str | None) -> str:
    return "none" if answer is None else textwrap.shorten(answer, 24, placeholder=" ...")
