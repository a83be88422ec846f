"""Which faults of the machine does a run survive, with nothing lost and no wrong number?

    python -m bench.faults              run the tests that are marked with a fault, and count them
    python -m bench.faults --only SQL   only those of faults whose name holds this text

A test of tests/test_faults.py passes if the run ends by itself, prints no traceback, and gives the
same bytes when it is started again; the others disturb one part.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from bench import measure
from mathledger.core.errors import InputError

OUTCOMES = ("passed", "failed", "skipped")
BAD = {"failure", "error"}  # as JUnit calls them


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = measure.options(
        __doc__, arguments, ("--only", {"default": "", "metavar": "TEXT"}), is_timed=False
    )
    found = outcomes(chosen.only)
    rows = [
        [
            fault,
            ", ".join(tests),
            *(sum(ends[each] for ends in tests.values()) for each in OUTCOMES),
        ]
        for fault, tests in sorted(found.items())
    ]
    num = sum(ends.total() for tests in found.values() for ends in tests.values())
    raw = {fault: {name: dict(ends) for name, ends in own.items()} for fault, own in found.items()}
    head = ["fault", "tests", *OUTCOMES]
    measure.report(
        "faults", chosen, f"{num} tests, of {len(found)} kinds of faults", head, rows, raw
    )


def outcomes(only: str) -> dict[str, dict[str, "Counter[str]"]]:
    """Run the marked tests, and return how often each ended how: fault -> file -> outcome -> n.

    Raises:
        InputError: No test ran.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "fault", f"--junitxml={file}"]
        command += ["--fault", only, *files(only)]
        done = subprocess.run(command, stdout=sys.__stderr__)  # the table goes to stdout
        if not file.exists() or done.returncode not in (0, 1):
            raise InputError(f"{' '.join(command)} ended with {done.returncode}")
        return read(file.read_text(encoding="utf-8"))


def files(only: str) -> list[str]:
    """Return the files with marked tests; collecting all others would take minutes."""
    texts = {path: path.read_text("utf-8") for path in sorted(Path("tests").rglob("test_*.py"))}
    return [str(path) for path, text in texts.items() if "mark.fault(" in text and only in text]


def read(text: str) -> dict[str, dict[str, "Counter[str]"]]:
    """Read pytest's report in JUnit's format."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for case in ElementTree.fromstring(text).iter("testcase"):
        fault = next(
            each.get("value", "") for each in case.iter("property") if each.get("name") == "fault"
        )
        ends = {each.tag for each in case}
        outcome = "skipped" if "skipped" in ends else "failed" if ends & BAD else "passed"
        path = "/".join(str(case.get("classname")).split(".")) + ".py"
        found.setdefault(fault, {}).setdefault(path, Counter())[outcome] += 1
    return found


if __name__ == "__main__":
    measure.run_main(main)
