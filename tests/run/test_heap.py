"""A process that keeps freed memory reuses it without page faults."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from mathledger.run.heap import keep_freed_memory

if {keeps}:
    keep_freed_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**25)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has mallopt")
@pytest.mark.parametrize("keeps", [True, False])
def test_a_second_array_costs_no_page_faults(keeps: bool) -> None:
    code = [sys.executable, "-c", FAULTS.format(keeps=keeps)]
    shown = subprocess.run(code, capture_output=True, text=True, check=True).stdout
    first, *later = map(int, shown.split())
    assert (max(later) < first / 10) == keeps, shown
