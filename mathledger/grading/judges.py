r"""Grade and compare many answers, in processes that each comparison may cost one.

>>> with Judges(limit_s=2, num_processes=1) as judges:
...     judges.compare([("1/2", r"\frac{1}{2}"), ("3", "4"), ("9", "9^{9^{9^9}}")])
...     judges.grade([(r"so \boxed{2\sqrt{2}}", r"\sqrt{8}", "expression")])
['equal', 'different', 'too_costly']
[Grade(verdict='correct', extracted='2\\sqrt{2}')]

math-verify can be sent into computations that no exception ends. So the operating system is asked
to bound every comparison: a process that goes beyond its CPU time or memory dies, and another takes
its place. CPU time, since it is the same on an idle machine and on a busy one.
"""

import json
import logging
import math
import os
import queue
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Self, cast

from mathledger.grading import extraction, grading
from mathledger.grading.grading import Grade

Verdict = Literal["equal", "different", "unreadable", "too_costly"]

MAX_CHARS = 1000  # a longer answer is not looked at
MAX_BYTES = 4 * 1024**3  # address space of a process
# A process that waits for what never comes spends no CPU time: this many times the limit ends it.
PATIENCE = 30

_INTEGER = re.compile(r"^[-+]?\d{1,400}$")
_CHOICE = re.compile(
    r"^\(?(?:\\(?:text|textbf|textrm|mathrm|mathbf|rm|bf)\s*\{?)?\s*\(?([A-H])(?:\)|\}|$)"
)


def at_sight(reference: str, answer: str) -> Verdict | None:
    """What needs no algebra: equal strings, integers, choices; None where it does.

    A choice and a value cannot be compared without the problem's options.
    """
    if reference == answer:
        return "equal"
    if max(len(reference), len(answer)) > MAX_CHARS:
        return "too_costly"
    choices = [_CHOICE.match(each) for each in (reference, answer)]
    if choices[0] and choices[1]:
        return "equal" if choices[0][1] == choices[1][1] else "different"
    if choices[0] or choices[1]:
        return "unreadable"
    if _INTEGER.match(reference) and _INTEGER.match(answer):
        return "equal" if int(reference) == int(answer) else "different"
    return None


# (reference, answer) to compare, or (extracted answer, reference, answer type) to grade.
Question = tuple[str, str] | tuple[str, str, str]
GradeVerdict = Literal["correct", "wrong", "no_answer"]


class Judges:
    """Processes that compare answers, started when the first comparison needs them.

    Args:
        limit_s: CPU seconds for one comparison; up to one more may pass.
        num_processes: as many as the process may use cores, unless given.
    """

    def __init__(self, limit_s: int, num_processes: int | None = None) -> None:
        self.limit_s = limit_s
        size = num_processes or len(os.sched_getaffinity(0))
        self._threads = ThreadPoolExecutor(size)
        self._free: queue.LifoQueue[subprocess.Popen[str] | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._free.empty():
            if process := self._free.get():
                _stop(process)

    def compare(self, pairs: list[tuple[str, str]]) -> list[Verdict]:
        """The verdict on each (reference, answer), in their order."""
        verdicts = [at_sight(*pair) for pair in pairs]
        asked = self._threads.map(
            self._ask, [pair for pair, known in zip(pairs, verdicts, strict=True) if known is None]
        )
        return [cast(Verdict, next(asked)) if known is None else known for known in verdicts]

    def grade(
        self,
        asked: Iterable[tuple[str, str, str]],
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[Grade]:
        """The grade of each (response, reference, answer_type), in their order.

        An answer whose comparison is too costly counts as none. What is asked twice is compared
        once.

        Args:
            progress: told how many more are graded, as tqdm's `update`.
        """
        grades: list[Grade | None] = []
        open_questions: dict[tuple[str, str, str], list[int]] = {}
        for place, (response, reference, answer_type) in enumerate(asked):
            extracted = extraction.extract(response, answer_type, grading.is_list(reference))
            grades.append(grading.settle(extracted, reference, answer_type))
            if grades[-1]:
                progress(1)
            elif extracted is not None:
                question = (extracted, reference, answer_type)
                open_questions.setdefault(question, []).append(place)
        replies = self._threads.map(self._ask, open_questions)
        for (question, places), reply in zip(open_questions.items(), replies, strict=True):
            verdict = "no_answer" if reply == "too_costly" else reply
            extracted = None if verdict == "no_answer" else question[0]
            for place in places:
                grades[place] = Grade(cast(GradeVerdict, verdict), extracted)
            progress(len(places))
        return cast(list[Grade], grades)

    def _ask(self, question: Question) -> str:
        process = self._free.get()
        try:
            process = process or _start(self.limit_s)
            assert process.stdin and process.stdout
            patience = threading.Timer(PATIENCE * self.limit_s, process.kill)
            patience.start()
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                reply = process.stdout.readline().strip()
            except BrokenPipeError:
                reply = ""
            finally:
                patience.cancel()
            if not reply:
                _stop(process)
                process = None
            return reply or "too_costly"
        finally:
            self._free.put(process)


def _start(limit_s: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mathledger.grading.verdicts", str(limit_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # sympy's choices between equal forms may follow the order of sets.
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert process.stdout
    if process.stdout.readline() != "ready\n":
        _stop(process)
        raise RuntimeError("the process that compares answers did not start")
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def main() -> None:
    """Answer each line of stdin, a Question in JSON, with the verdict."""
    limit_s = int(sys.argv[1])
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no reply
    logging.disable(logging.CRITICAL)
    grading.compare("1/2", r"\frac{3}{6}", None)  # loads the grammar
    grading.decide(r"\sqrt{8}", r"2\sqrt{2}", "expression")
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        end = math.ceil(time.process_time() + limit_s)
        resource.setrlimit(resource.RLIMIT_CPU, (end, hard))
        try:
            first, second, *answer_type = json.loads(line)
            if answer_type:
                verdict: str = grading.decide(first, second, answer_type[0]).verdict
            else:
                verdict = grading.compare(first, second, None)
        except (MemoryError, RecursionError):
            break
        print(verdict, file=replies, flush=True)


if __name__ == "__main__":
    main()
