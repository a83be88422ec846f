"""Locate published data in ../shared next to the checkout, which larger tests read.

No promise of the README depends on these tests alone. Our own files (tests/samples.py,
tests/filters/pairs.jsonl) prove the same rules in any clone.
"""

from pathlib import Path

import pytest

from tests.conftest import ROOT

SHARED = ROOT.parent / "shared"
HUB = SHARED / "hub"  # Samples of published repositories, in the hub's layout.
DATASETS = HUB / "datasets"
PAIRS = SHARED / "labelled/math_pairs_dev.jsonl"  # 3,531 labelled pairs.


def needs(path: Path, lost: str) -> pytest.MarkDecorator:
    """Skip a test if this path of ../shared is missing, and say what is not tested then."""
    return pytest.mark.skipif(not path.exists(), reason=reason(path, lost))


def skip_module_without(path: Path, lost: str) -> None:
    if not path.exists():
        pytest.skip(reason(path, lost), allow_module_level=True)


def reason(path: Path, lost: str) -> str:
    return f"no ../{path.relative_to(SHARED.parent)}, so not checked: {lost}"
