"""Published data that may lie beside the checkout, in ../shared: larger tests read it.

No promise of the README rests on these tests alone. Files of our own making (tests/samples.py,
tests/filters/pairs.jsonl) prove the same rules in any clone.
"""

from pathlib import Path

import pytest

from tests.conftest import ROOT

SHARED = ROOT.parent / "shared"
HUB = SHARED / "hub"  # samples of the published repositories, in the hub's layout
DATASETS = HUB / "datasets"
PAIRS = SHARED / "labelled/math_pairs_dev.jsonl"  # 3,531 labelled pairs of problems


def needs(path: Path, lost: str) -> pytest.MarkDecorator:
    """Skip a test where this path of ../shared is absent, and say what is lost by that."""
    reason = f"no ../{path.relative_to(SHARED.parent)}, so not checked: {lost}"
    return pytest.mark.skipif(not path.exists(), reason=reason)
