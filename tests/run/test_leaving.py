"""A stage that succeeded ends at once, and everything it wrote is there."""

import subprocess
import sys

import pytest

CODE = """
import atexit, multiprocessing, os, sys, time
from mathledger.run.leaving import run_and_leave
atexit.register(print, "torn down")
def main():
    print("written", end="")
    {}
if __name__ == "__main__":
    run_and_leave(main)
"""
CHILD = "multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True)"


@pytest.mark.parametrize(
    ("body", "status", "shown"),
    [
        ("pass", 0, "written"),
        ("sys.exit('error: x')", 1, "writtentorn down\n"),
        ("os.environ['WORLD_SIZE'] = '2'", 0, "writtentorn down\n"),
        (f"{CHILD}.start()", 0, "writtentorn down\n"),  # the usual way ends the child as well
    ],
)
def test_only_a_process_on_its_own_that_succeeded_leaves_at_once(
    body: str, status: int, shown: str
) -> None:
    command = [sys.executable, "-c", CODE.format(body)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (status, shown), done.stderr


def test_what_cannot_be_written_is_an_error() -> None:
    command = [sys.executable, "-c", CODE.format("pass")]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode and "No space left" in done.stderr
