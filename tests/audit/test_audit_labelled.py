"""The audit reads the labelled cards at least as well as these floors demand.

A false finding on a stranger's card is the worst error, so none is allowed here. The shares of what
is read have a floor, and docs/audit.md states their current values.
"""

from pathlib import Path

import pytest

from tests.audit.measure import LABELLED, Tally, measure, read, table

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def tally() -> Tally:
    return measure()


def test_enough_cards_are_labelled(tally: Tally) -> None:
    assert tally.counts["cards"] >= 60 and tally.counts["claims found"] >= 500
    for path in LABELLED.glob("*.md"):
        assert path.with_suffix(".labels").exists(), path.name


@pytest.mark.parametrize(
    ("what", "floor"),
    [
        ("claims found", 0.95),
        ("listed is a claim", 0.995),
        ("right benchmark", 0.99),
        ("own labelled this model", 0.95),
        ("others not labelled this model", 1.0),
        ("right metric", 0.95),
        ("right passes", 0.95),
        ("contradiction true", 1.0),
        ("question true", 0.99),
        ("findings found", 1.0),
        ("stated, and not called missing", 0.99),
        ("left out and counted", 1.0),
        ("no scores, no findings", 1.0),
    ],
)
def test_what_is_read_of_the_labelled_cards(tally: Tally, what: str, floor: float) -> None:
    assert tally.counts[what] and tally.share(what) >= floor, "\n".join(tally.errors)


def test_every_kind_of_arithmetic_has_a_card_that_needs_it() -> None:
    """Each kind has a true case, and most cards have none, so that a false one shows."""
    labels = [read(path) for path in LABELLED.glob("*.labels")]
    kinds = {kind for one in labels for kind in one.findings}
    assert {"impossible", "one_pass", "average", "headline", "gain", "miscounted"} <= kinds
    assert {"inconsistent", "licence", "training_sum", "private"} <= kinds
    assert sum(not one.findings for one in labels) > len(labels) / 2


def test_the_page_states_what_is_measured(tally: Tally) -> None:
    page = (ROOT / "docs/audit.md").read_text(encoding="utf-8")
    counts = f"{tally.counts['cards']} cards, {tally.counts['claims found']:,} claims"
    assert counts in page and table(tally) in page, "run: python -m tests.audit.measure"
