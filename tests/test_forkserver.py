"""A stage in a fork behaves like a process of its own, only faster.

Other tests compare the results byte by byte: after those that kill training and evaluation, a fork
goes on from a real process, and a fault in tests/test_faults.py runs a filter as a real process.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import clean_environment
from tests.forkserver import ForkServer, Launchers, copied_tables

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")


@pytest.fixture(scope="module")
def served() -> Iterator[list[Launchers]]:
    """The launchers of two test processes, one of which asks the server and one a fork of it."""
    found = [Launchers(), Launchers()]
    for each in found:
        each.write()
    server = ForkServer(clean_environment(), found, preloaded=("tabnanny", "tqdm"))
    for each in found:
        each.wait()
    yield found
    server.stop()


@pytest.fixture
def server(served: list[Launchers]) -> Launchers:
    """The launchers that ask a fork of the server, which does whatever the server does."""
    return served[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    return tmp_path


def start(
    server: Launchers, project: Path, code: str, *arguments: str, **environment: str
) -> subprocess.Popen[str]:
    return popen(project, code, [server.python, "-m", "stages.x", *arguments], environment)


def popen(
    project: Path, code: str, command: list[str | Path], environment: dict[str, str]
) -> subprocess.Popen[str]:
    (project / "stages/x.py").write_text(textwrap.dedent(code))
    return subprocess.Popen(
        command,
        cwd=project,
        env=clean_environment() | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


IS_FORK = "import sys; print('tabnanny' in sys.modules)\n"


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [
        ("", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('error: x')", 1, "error: x\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_a_process_does(
    server: Launchers, project: Path, code: str, status: int, shown: str
) -> None:
    process = start(server, project, "import sys\n" + code)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (status, shown)


def test_each_test_process_has_a_server_that_ends_with_its_forks(project: Path) -> None:
    """All of them import the libraries once, and each counts its own CPU seconds."""
    served = [Launchers(), Launchers()]
    for each in served:
        each.write()
    all_servers = ForkServer(clean_environment(), served, preloaded=("tabnanny",))
    code = "import os, time; print(os.getppid(), flush=True); time.sleep(60)"
    forks = [start(each, project, code) for each in served if not each.wait()]
    parents = [int(fork.stdout.readline()) for fork in forks if fork.stdout]
    assert parents == [each.server().pid for each in served] and len(set(parents)) == 2
    assert parents[0] == all_servers.process.pid
    start(served[1], project, "sum(range(3 * 10**7))").communicate(timeout=30)
    assert served[1].cpu_seconds() > 0.05 > psutil.Process(parents[0]).cpu_times().children_user
    all_servers.stop()
    for fork in forks:
        fork.communicate(timeout=30)
    assert not any(psutil.pid_exists(pid) for pid in parents)


def test_a_server_that_cannot_import_is_not_waited_for() -> None:
    launchers = Launchers()
    launchers.write()
    server = ForkServer(clean_environment(), [launchers], preloaded=("no_such_library",))
    with pytest.raises(AssertionError, match="No module named 'no_such_library'"):
        launchers.wait()
    server.stop()


@pytest.mark.slow
def test_a_new_store_is_the_one_that_mlflow_makes(tmp_path: Path) -> None:
    """MLflow writes indices and constraints in any order; it fills stores that have tables."""
    import sqlalchemy
    from mlflow.store.db.utils import _initialize_tables as make

    def filled(name: str, fill: Callable[[Any], None], *before: str) -> list[str]:
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / name}")
        with sqlite3.connect(tmp_path / name) as database:
            for statement in before:
                database.execute(statement)
        fill(engine)
        engine.dispose()
        with sqlite3.connect(tmp_path / name) as database:
            return sorted(re.split(r"[\s,]+", "\n".join(database.iterdump())))

    expected = filled("made.db", make)
    copied = copied_tables(make)
    assert len(expected) > 1000 and filled("copied.db", copied) == expected
    assert set(filled("begun.db", copied, "CREATE TABLE x (y)")) > set(expected)


def test_an_exception_shows_its_traceback(server: Launchers, project: Path) -> None:
    process = start(server, project, "1 / 0")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "stages/x.py" in errors and errors.endswith("ZeroDivisionError: division by zero\n")


def test_it_has_the_arguments_files_folder_and_environment_of_its_caller(
    server: Launchers, project: Path
) -> None:
    code = """
        import atexit, os, psutil, sys, threading, time
        print(sys.argv[1:], sys.stdin.read(), os.getcwd(), os.environ["DVC_X"], __name__)
        print(psutil.Process().parent().pid, sys.modules["__main__"].__file__)
        atexit.register(print, "at exit")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        """
    process = start(server, project, IS_FORK + textwrap.dedent(code), "a", "b c", DVC_X="7")
    output, errors = process.communicate("typed", timeout=30)
    assert errors == ""
    assert output.splitlines() == [
        "True",
        f"['a', 'b c'] typed {project} 7 __main__",
        f"{os.getpid()} {project / 'stages/x.py'}",
        "thread",
        "at exit",
    ]


def test_what_libraries_have_read_already_makes_it_a_real_process(
    server: Launchers, project: Path
) -> None:
    process = start(server, project, IS_FORK, NUMBA_NUM_THREADS="7")
    assert process.communicate(timeout=30)[0] == "False\n"
    command = [server.python, "-c", "import sys; print('tabnanny' in sys.modules)"]
    assert subprocess.check_output(command, env=clean_environment(), text=True) == "False\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_killed_with_its_launcher(
    server: Launchers, project: Path, number: signal.Signals
) -> None:
    code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    process = start(server, project, code)
    assert process.stdout
    pid = int(process.stdout.readline())
    assert pid != process.pid
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == -number
    wait_for_end(pid)


def wait_for_end(pid: int) -> None:
    end = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_group_of_its_caller_reaches_it_once(
    server: Launchers, project: Path, number: signal.Signals
) -> None:
    """Its launcher stands outside the group, and must not pass the signal on a second time."""
    code = """
        import os, pathlib, signal, time
        def note(*_):
            with open("seen", "a") as file:
                file.write("x")
        signal.signal(signal.SIGTERM, note)
        print(os.getpid(), flush=True)
        while not os.path.exists("seen"):
            time.sleep(0.01)
        time.sleep(0.3)
        pathlib.Path("over").touch()
        """
    command = ["sh", "-c", f"{server.python} -m stages.x; true"]
    process = popen(project, code, command, {})
    assert process.stdout
    pid = int(process.stdout.readline())
    assert os.getpgid(pid) == process.pid
    os.killpg(process.pid, number)
    process.communicate(timeout=30)
    assert process.returncode == -number
    wait_for_end(pid)
    survived = number == signal.SIGTERM
    assert (project / "over").exists() == survived
    assert not survived or (project / "seen").read_text() == "x"


def test_it_has_a_session_of_its_own_if_its_caller_has(server: Launchers, project: Path) -> None:
    """A signal to the group of the process that started the session must not reach it."""
    code = f"""
        import subprocess, sys
        child = [{str(server.python)!r}, "-m", "stages.x", "child"]
        if len(sys.argv) == 1:
            subprocess.run(child, start_new_session=True)
        else:
            import os
            print(os.getsid(0) == os.getpgrp() == os.getpid())
        """
    assert start(server, project, code).communicate(timeout=30)[0] == "True\n"


def test_progress_bars_are_as_the_caller_wants_them(server: Launchers, project: Path) -> None:
    """tqdm reads its environment when it is imported, which the server has done."""
    code = IS_FORK + "import tqdm; list(tqdm.tqdm([1]))"
    for environment, is_shown in (({}, True), ({"TQDM_DISABLE": "1"}, False), ({}, True)):
        output, errors = start(server, project, code, **environment).communicate(timeout=30)
        assert output == "True\n" and ("1/1" in errors) == is_shown


def test_it_may_end_in_its_own_way_when_it_is_asked_to(server: Launchers, project: Path) -> None:
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        print("ready", flush=True)
        time.sleep(60)
        """
    process = start(server, project, code)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(timeout=30) == 143
