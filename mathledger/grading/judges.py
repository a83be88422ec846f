r"""Grade many responses in processes that a costly comparison may end.

>>> with Judges(limit_s=2, num_processes=1) as judges:
...     judges.grade([(r"so \boxed{2\sqrt{2}}", r"\sqrt{8}", "expression")])
[Grade(verdict='correct', extracted='2\\sqrt{2}', is_sure=True)]

Some answers send math-verify into computations that no exception ends. The operating system
therefore bounds every comparison: a process that exceeds its CPU time or memory dies, and another
takes its place. The limit is CPU time because that is the same on an idle machine and on a busy
one. Linux enforces both limits by itself. macOS enforces only the CPU time, so this process also
watches the resident memory of the others and kills one that holds too much.
"""

import contextlib
import json
import logging
import math
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Self, cast

import psutil

from mathledger.core.machine import num_cores
from mathledger.grading import grades
from mathledger.grading.extraction import extract
from mathledger.grading.grades import AnswerType, Grade, Verdict

# Linux limits the address space of a process to this; elsewhere its resident memory is watched.
MAX_BYTES = 4 * 1024**3
WATCH_S = 0.1  # Seconds between two checks of the memory.
# A process that waits for something that never comes spends no CPU time. It is killed after this
# many times the limit of wall time.
PATIENCE = 30

# An extracted answer, the reference and its answer type.
Question = tuple[str, str, str]
# The replies of a process; a process that dies gives none.
REPLIES = {
    "correct": ("correct", True),
    "wrong": ("wrong", True),
    "unreadable": ("wrong", False),
}


class Asked(NamedTuple):
    """A response to grade.

    Args:
        is_cut: Whether the response ended at the limit of tokens; then only an answer that it
            states counts.
    """

    response: str
    reference: str
    answer_type: AnswerType | str
    is_cut: bool = False


class Judges:
    """Processes that compare answers; each starts when a comparison first needs it.

    Args:
        limit_s: CPU seconds for one comparison; it may exceed the limit by up to a second.
        num_processes: Number of processes; the default is one per core that this process may use.
    """

    def __init__(self, limit_s: int, num_processes: int | None = None) -> None:
        self.limit_s = limit_s
        size = num_processes or num_cores()
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

    def grade(
        self,
        asked: Iterable[tuple[str, str, str] | Asked],
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[Grade]:
        """Grade each (response, reference, answer_type) or Asked; return the grades in order.

        A response whose comparison is too costly counts as having no answer. A question that is
        asked twice is answered once.

        Args:
            progress: is called with the number of newly graded responses, like tqdm's `update`.
        """
        settled: list[Grade | None] = []
        open_questions: dict[tuple[str, str, str], list[int]] = {}
        for place, (response, reference, answer_type, is_cut) in enumerate(
            Asked(*each) for each in asked
        ):
            extracted = extract(response, answer_type, grades.is_list(reference), is_cut)
            settled.append(grades.settle(extracted, reference, answer_type))
            if settled[-1]:
                progress(1)
            elif extracted is not None:
                question = (extracted, reference, answer_type)
                open_questions.setdefault(question, []).append(place)
        replies = self._threads.map(self._decide, open_questions)
        for places, reply in zip(open_questions.values(), replies, strict=True):
            for place in places:
                settled[place] = reply
            progress(len(places))
        return cast(list[Grade], settled)

    def _decide(self, question: Question) -> Grade:
        reply = self._ask(question)
        if reply is None:
            return Grade("no_answer", None, is_sure=False)
        verdict, is_sure = REPLIES[reply]
        return Grade(cast(Verdict, verdict), question[0], is_sure)

    def _ask(self, question: Question) -> str | None:
        """Return a key of REPLIES, or None if the comparison is too costly."""
        process = self._free.get()
        try:
            process = process or _start(self.limit_s)
            assert process.stdin and process.stdout
            answered = threading.Event()
            guard = threading.Thread(target=_guard, args=(process, answered, self.limit_s))
            guard.start()
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                reply = process.stdout.readline().strip()
            except BrokenPipeError:
                reply = ""
            finally:
                answered.set()
                guard.join()
            if not reply:
                _stop(process)
                process = None
            return reply or None
        finally:
            self._free.put(process)


def _start(limit_s: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mathledger.grading.judges", str(limit_s)],
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


def _guard(process: subprocess.Popen[str], answered: threading.Event, limit_s: int) -> None:
    """Kill the process if it holds too much memory or does not answer for very long."""
    end = time.monotonic() + PATIENCE * limit_s
    while not answered.wait(WATCH_S):
        with contextlib.suppress(psutil.Error):  # It may have ended.
            if time.monotonic() > end or psutil.Process(process.pid).memory_info().rss > MAX_BYTES:
                process.kill()


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def main() -> None:
    """Answer each line of stdin, a Question in JSON, with a key of REPLIES."""
    limit_s = int(sys.argv[1])
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Libraries must not print replies.
    logging.disable(logging.CRITICAL)
    grades.decide(r"\sqrt{8}", r"2\sqrt{2}", "expression")  # Load the grammar.
    # macOS may lack or refuse this limit, or accept and ignore it; `_guard` covers each case.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        end = math.ceil(time.process_time() + limit_s)
        resource.setrlimit(resource.RLIMIT_CPU, (end, hard))
        try:
            grade = grades.decide(*json.loads(line))
        except (MemoryError, RecursionError):
            break
        print(grade.verdict if grade.is_sure else "unreadable", file=replies, flush=True)


if __name__ == "__main__":
    main()
