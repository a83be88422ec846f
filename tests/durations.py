"""Report wall and CPU seconds of the slowest tests, fixtures and files at the end of a run.

CPU seconds cover the test process, the processes that it started and waited for, and the forks of
its fork server. On a busy machine they are more meaningful than wall time.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

NUM_SHOWN = 25


@dataclass
class Cost:
    wall: float = 0.0
    cpu: float = 0.0

    def add(self, wall: float, cpu: float) -> None:
        self.wall += wall
        self.cpu += cpu


@dataclass(eq=False)  # pytest needs hashable plugins.
class Durations:
    """The plugin; each test process measures, and the one that prints adds up."""

    elsewhere: Callable[[], float]  # CPU seconds of processes not waited for.
    last: tuple[float, float] | None = None
    fixtures: list[tuple[str, float, float]] = field(default_factory=list)

    def now(self) -> tuple[float, float]:
        times = os.times()
        return time.perf_counter(), sum(times[:4]) + self.elsewhere()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        before = self.now()
        try:
            return (yield)
        finally:
            if fixturedef.scope != "function":
                after = self.now()
                wall, cpu = (new - old for new, old in zip(after, before, strict=True))
                self.fixtures.append((fixturedef.argname, round(wall, 2), round(cpu, 2)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report = yield
        now = self.now()
        last = self.last or now
        self.last = now
        # Extra fields of a report travel from the test process to the one that prints.
        report.cost = [round(new - old, 3) for new, old in zip(now, last, strict=True)]
        report.fixtures, self.fixtures = self.fixtures, []
        return report

    def pytest_runtest_logstart(self) -> None:
        self.last = self.last or self.now()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files: dict[str, Cost] = defaultdict(Cost)
        parts: list[tuple[float, float, str]] = []
        fixtures: list[tuple[float, float, str]] = []
        for reports in list(terminalreporter.stats.values()):
            for report in reports:
                if not isinstance(report, pytest.TestReport) or not hasattr(report, "cost"):
                    continue
                wall, cpu = report.cost
                files[report.nodeid.split("::")[0]].add(wall, cpu)
                parts.append((wall, cpu, f"{report.when:8} {report.nodeid}"))
                fixtures += [(wall, cpu, name) for name, wall, cpu in report.fixtures]
        if not parts:
            return
        total = [sum(part[number] for part in parts) for number in (0, 1)]
        title = f"what it cost: {total[0]:.0f} s of wall, {total[1]:.0f} s of CPU"
        terminalreporter.section(title, sep="-")

        def show(kind: str, costs: list[tuple[float, float, str]]) -> None:
            dearest = sorted(costs, key=lambda cost: -max(cost[:2]))[:NUM_SHOWN]
            if rows := [row for row in dearest if max(row[:2]) >= 1]:
                terminalreporter.write_line(f"    wall       CPU  the dearest {kind}")
            for wall, cpu, name in rows:
                terminalreporter.write_line(f"{wall:7.1f}s  {cpu:7.1f}s  {name}")

        show("tests", parts)
        show("shared fixtures, with what they ask for", fixtures)
        show("files", [(cost.wall, cost.cpu, name) for name, cost in files.items()])
