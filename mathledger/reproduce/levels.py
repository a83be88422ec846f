"""Reproduce results level by level: arithmetic, grading, data, responses, training."""

import secrets
from collections.abc import Callable
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.tables import read_rows
from mathledger.reproduce import drawing, training
from mathledger.run.git import head
from mathledger.verify import generating, links
from mathledger.verify.chances import chances
from mathledger.verify.project import Project
from mathledger.verify.statements import Finding, Level, Sample

# The links of `verify` that each level checks; V3 and V4 add what this room computes.
LINKS: dict[Level, tuple[str, ...]] = {
    "V0": (
        *("commit", "history", "params", "lock", "digests", "lineage"),
        *("ledger", "card", "metrics", "trainings", "drawings"),
    ),
    "V1": ("prompts", "responses", "probe", "parts"),
    "V2": ("sources", "canaries", "data", "models"),
    "V3": ("memory", "training"),
    "V4": (),
}
TOLERANCE: dict[Level, str] = {
    "V0": "none: every byte and number is equal",
    "V1": "none: every verdict is equal",
    "V2": "none: every byte is equal",
    "V3": "the same text on the same processor; on another one, verdicts with p >= 0.01 in an "
    "exact McNemar test, and losses within 0.5%",
    "V4": "the same weights on the same processor; on another one, losses within 2%",
}
P_VALUE = 0.01  # below it, verdicts moved more than rounding explains
LEVELS: tuple[Level, ...] = ("V0", "V1", "V2", "V3", "V4")


def reproduce(
    project: Project, top: Level, on_end: Callable[[Finding], None]
) -> tuple[list[Finding], Sample | None]:
    """Run every level up to `top`, and return what was found at each."""
    findings, sample = [], None
    for level in LEVELS[: LEVELS.index(top) + 1]:
        equal, moved = _links(project, level)
        holds = not moved
        if level == "V3":
            try:
                sample, own, is_tolerable = responses(project)
                equal.append(described(sample))
                moved += own
                holds = holds and is_tolerable
            except InputError as error:
                moved.append(str(error))
                holds = False
        elif level == "V4":
            own_equal, own_moved, holds = training.again(project)
            equal += own_equal
            moved += own_moved
        found = Finding(
            level=level,
            is_equal=not moved,
            holds=holds,
            equal=equal,
            moved=moved,
            tolerance=TOLERANCE[level],
        )
        findings.append(found)
        on_end(found)
    return findings, sample


def _links(project: Project, level: Level) -> tuple[list[str], list[str]]:
    """Check the links of a level; return what holds and what does not."""
    result = links.check(project.options, names=LINKS[level]) if LINKS[level] else None
    checked = result.links if result else ()
    equal = [f"{link.name}: {link.looked_at}" for link in checked if link.holds]
    moved = [f"{link.name}: {reason}" for link in checked for reason in link.reasons]
    return equal, moved


def responses(project: Project) -> tuple[Sample, list[str], bool]:
    """Generate a random sample of the responses again.

    Returns:
        The sample, each difference, and whether the differences are within the tolerance.

    Raises:
        InputError: an engine gives no answer.
    """
    keys = [
        (model, benchmark, str(row["item_id"]), int(row["repeat"]))
        for model, benchmark in project.evaluations
        for row in read_rows(project.outputs.samples(model, benchmark))
        if row["finish_reason"] != "too_long"  # no model was asked
    ]
    nonce = secrets.token_hex(16)
    seed = drawing.seed(project.chain.ledger_sha256, head(project.chain.at), nonce)
    number = min(project.options.num_regenerated, len(keys))
    moved: list[str] = []
    rechecks = []
    is_same_machine = True
    for (model, benchmark), share in sorted(drawing.draw(keys, number, seed).items()):
        found = generating.check_again(model, benchmark, share, seed)
        then, now = generating.machines(project, model, benchmark)
        is_same_machine &= then == now
        rechecks += found.responses
        moved += [
            f"{model} on {benchmark}: {each.text}; verdict {each.verdict} -> {each.verdict_again}"
            for each in found.responses
            if each.difference
        ]
    before = sum(e.verdict == "correct" != e.verdict_again for e in rechecks)
    again = sum(e.verdict_again == "correct" != e.verdict for e in rechecks)
    sample = Sample(
        nonce=nonce,
        num_all=len(keys),
        num_drawn=len(rechecks),
        num_same_text=sum(not each.difference for each in rechecks),
        num_same_verdict=sum(each.verdict == each.verdict_again for each in rechecks),
        num_better_before=before,
        num_better_again=again,
        p_value=p_value(before, again),
        chances=chances(len(keys), len(rechecks)),
    )
    is_tolerable = not moved or (not is_same_machine and sample.p_value >= P_VALUE)
    return sample, moved, is_tolerable and len(rechecks) == number


def p_value(before: int, again: int) -> float:
    """Return the p-value of the exact McNemar test of two counts of discordant verdicts.

    >>> p_value(0, 0), p_value(8, 0)
    (1.0, 0.0078125)
    """
    from scipy.stats import binomtest

    return float(binomtest(before, before + again).pvalue) if before + again else 1.0


def described(sample: Sample) -> str:
    """Return one line about a sample, with the chance that a forger passes."""
    odds = ", ".join(f"{number} {chance:.1%}" for number, chance in sample.chances.items())
    return (
        f"{sample.num_same_text} of {sample.num_drawn} responses, drawn from {sample.num_all}, "
        f"have the same text and {sample.num_same_verdict} the same verdict; a forger of this "
        f"many responses passes by chance: {odds}"
    )


def versions() -> dict[str, Any]:
    """Return the packages and the machine of the person."""
    import torch  # noqa: F401  so that `hardware` knows the GPUs

    from mathledger.run.environment import hardware, packages

    return {"packages": packages(), "hardware": hardware()}
