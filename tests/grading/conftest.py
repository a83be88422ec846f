"""Provide one process that compares answers to all tests of this folder."""

from collections.abc import Iterator

import pytest

from mathledger.grading.judges import Judges


@pytest.fixture(scope="session")
def judges() -> Iterator[Judges]:
    """Yield judges with one process, which takes a second to start."""
    with Judges(limit_s=5, num_processes=1) as judges:
        yield judges
