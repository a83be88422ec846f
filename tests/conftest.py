"""Provide disposable copies of the project for tests, and one smoke run that many tests read."""

import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from filelock import FileLock

from tests import durations
from tests.forkserver import ForkServer, Launchers
from tests.hub import Hub, serve

ROOT = Path(__file__).resolve().parent.parent
collect_ignore = ["macos"]  # Its sitecustomize.py removes what macOS lacks.
# Files with a costly set-up, whose tests stay in one test process.
TOGETHER = {
    f"tests/{name}.py"
    for name in ("data/test_engine", "publish/test_attest", "test_experiments", "test_extending",
                 "test_reinforce", "test_sync_mlflow", "test_team", "test_team_mlflow")
}  # fmt: skip
# Property tests draw the same examples in each run; `--hypothesis-profile=default` draws others.
hypothesis.settings.register_profile("fixed", derandomize=True)
# The weekly profile draws this many times more, in tests with a number of their own too.
WEEKLY = 30
hypothesis.settings.register_profile("weekly", max_examples=100 * WEEKLY, deadline=None)
hypothesis.settings.load_profile("fixed")
# In a new environment, Python compiles 7,000 modules. Two processes that import them in the same
# order would both compile all; so the second begins with what the first needs last.
OTHERS_FIRST = ("mlflow", "matplotlib.figure", "scipy.stats", "sympy", "datasets")
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# The results of the quickstart, and 500 files that no command of the project reads. Tests copy the
# project 150 times, and DVC walks through it.
LEFT_OUT = ("metrics/", "model_card/", "plots/", "tests/")
# `make test` runs two test processes in parallel (pytest-xdist) with one thread each: on two cores,
# several threads in each process would wait for each other and double the time of training.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# On an Intel CPU, MKL otherwise rounds differently for another number of threads (docs/faq.md).
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
# Some libraries change the environment of the test process when a test imports them. A stage that
# inherited such a change could not be forked, so stages get the environment of before.
CALLERS = dict(os.environ)
# What asks the fork server of this test process; none if no test needs a pipeline, or on other
# systems.
_forks: list[Launchers] = []
# The fork servers that this process has started: its own, or those of the processes of the tests.
_servers: list[ForkServer] = []
# The launchers of every test process that has collected its tests, as the process knows them that
# hands out tests.
_collected: list[Launchers] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="only tests that run no stage and need no torch"
    )
    parser.addoption("--fault", metavar="TEXT", help="only tests of faults whose name holds this")


class NoTorch:
    """Module finder and pytest plugin that skips every test and test module that imports torch."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch":
            pytest.skip("needs torch: make test runs it", allow_module_level=True)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remove a half-imported module, so that the next import of it is skipped too."""
        if report.skipped:
            sys.modules.pop(report.nodeid.removesuffix(".py").replace("/", "."), None)

    def pytest_sessionfinish(self) -> None:
        assert "torch" not in sys.modules


def pytest_configure(config: pytest.Config) -> None:
    os.chdir(ROOT)  # Tests read the project's files, wherever pytest was started.
    os.fsync = lambda _: None  # What a test writes need not survive a power cut.
    if config.option.quick:
        no_torch = NoTorch()
        sys.meta_path.insert(0, no_torch)  # type: ignore[arg-type]
        config.pluginmanager.register(no_torch)
    config.pluginmanager.register(durations.Durations(lambda: sum(f.cpu_seconds() for f in _forks)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the tests of one file with a costly set-up to one process; xdist 3.8 with pytest 9.2
    ignores the groups that tests are marked with.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return Scheduling(config, log) if config.option.dist == "loadgroup" else None


def scope_of(nodeid: str) -> str:
    """Return the name of the tests that run in the process of this one; the node id if it is free.

    The process that hands out tests knows no more of them than their ids.
    """
    if "test_two_runs_are_the_same_bytes" in nodeid or "from_nothing" in nodeid:
        return "again"
    file = nodeid.split("::")[0]
    return file if file in TOGETHER else nodeid


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Deselect the slow tests under --quick, and order the tests that processes share."""
    for item in items:
        if "again" in getattr(item, "fixturenames", ()):
            assert scope_of(item.nodeid) == "again", f"{item.nodeid} would wait for that fixture"
    for item in items:  # bench.faults reads the name of the fault in pytest's report
        item.user_properties += [("fault", mark.args[0]) for mark in item.iter_markers("fault")]
    if text := config.option.fault:
        items[:] = [each for each in items if any(text in name for _, name in each.user_properties)]
    if config.option.quick:
        config.hook.pytest_deselected(items=[item for item in items if not is_quick(item)])
        items[:] = filter(is_quick, items)
    for test in {getattr(item, "obj", None) for item in items}:
        if config.option.quick:
            draw(test, 0.1)
        elif hypothesis.settings.get_current_profile_name() == "weekly":
            draw(test, WEEKLY)
    if IS_WORKER:
        turns = {item: turn(item) for item in items}
        groups: dict[str, list[pytest.Item]] = {}
        for item in items:
            if name := group_of(item):
                groups.setdefault(name, []).append(item)
        for group in groups.values():
            turns |= dict.fromkeys(group, max(turns[item] for item in group))
        items.sort(key=turns.__getitem__)
    return (yield)


def draw(test: Any, factor: float) -> None:
    """Multiply the examples that a property test draws by itself; less than five are not lowered.

    A number that the loaded profile gives stays. Hypothesis has no public way to change the
    settings of a test that is decorated with them.
    """
    own = getattr(test, "_hypothesis_internal_use_settings", None)
    if own and (factor < 1 or own.max_examples != hypothesis.settings().max_examples):
        least = min(own.max_examples, 5)
        number = max(least, int(own.max_examples * factor))
        test._hypothesis_internal_use_settings = hypothesis.settings(own, max_examples=number)


def group_of(item: pytest.Item) -> str | None:
    """Return the name of the tests that one process runs, because they share a costly fixture.

    xdist hands out all tests of a scope when it comes to the first of them.
    """
    if (scope := scope_of(item.nodeid)) != item.nodeid:
        return scope
    if "faster" in getattr(item, "fixturenames", ()):
        return "faster"
    return item.nodeid.split("::")[0] if not is_quick(item) and "module" in scopes(item) else None


def scopes(item: pytest.Item) -> set[str]:
    """Return the scopes of all fixtures of a test."""
    found = getattr(item, "_fixtureinfo", None)
    return {each[-1].scope for each in found.name2fixturedefs.values()} if found else set()


def turn(item: pytest.Item) -> int:
    """Sort key: long tests run first, so that both processes finish at the same time.

    One process makes the smoke run and the run that is compared with it, and compiles the kernels;
    meanwhile the other runs the slow tests that need neither a stage nor the filters' kernels.
    """
    needs = getattr(item, "fixturenames", ())
    if is_quick(item):
        return 6
    if "again" in needs:
        return 0
    if "smoke" not in needs:
        early = 2 if "start" in needs else 1
        return 3 if needs_kernels(item) else early
    if "module" in scopes(item) or "faster" in needs:
        return 3
    return 4 if "smoke_copy" in needs else 5


def needs_kernels(item: pytest.Item) -> bool:
    """Return True if a test is known to run the filters' kernels, which the smoke run compiles."""
    return item.path.parent.name in ("filters", "text") or bool(item.get_closest_marker("kernels"))


def is_quick(item: pytest.Item) -> bool:
    """Return True if a test runs no stage and is not marked as slow."""
    runs_a_stage = "start" in getattr(item, "fixturenames", ())
    return not runs_a_stage and not item.get_closest_marker("slow")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[object]:
    """Import without garbage collection, and never look through the imported modules for garbage.

    Collecting garbage takes a sixth of the CPU time of imports.
    """
    gc.disable()
    gc.set_threshold(50_000)
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw1" and not session.config.option.quick:
        for name in OTHERS_FIRST:
            importlib.import_module(name)
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # xdist reports the end of the collection in this hook.
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the fork server during the first tests if any test reads the smoke run.

    Test processes leave this to the process that hands out tests, so that one server imports the
    libraries for all of them.
    """
    needs_smoke = any("smoke" in getattr(item, "fixturenames", ()) for item in session.items)
    is_controller = getattr(session.config.option, "numprocesses", None)
    if needs_smoke and sys.platform == "linux" and not is_controller:
        if not session.config.option.collectonly:
            launchers = launchers_of(session.config.workerinput) if IS_WORKER else Launchers()
            launchers.write()
            _forks.append(launchers)
            if not IS_WORKER:
                _servers.append(ForkServer(clean_environment(), _forks))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Start a fork server as soon as all test processes are known, and for one that replaces a
    crashed process.
    """
    _collected.append(launchers_of(node.workerinput))
    if len(_collected) >= len(node.config.option.tx):
        served = [each for server in _servers for each in server.served]
        wanting = [each for each in _collected if each.python.exists() and each not in served]
        if wanting:
            _servers.append(ForkServer(clean_environment(), wanting))


def launchers_of(process: dict[str, Any]) -> Launchers:
    """Return the launchers of a test process that xdist started with this input."""
    name = f"forks-{process['testrunuid']}-{process['workerid']}"
    return Launchers(Path(tempfile.gettempdir()) / name)


def pytest_sessionfinish() -> None:
    for server in _servers:
        server.stop()


@dataclass(frozen=True)
class Workspace:
    """A copy of the current project in a git and DVC repository of its own."""

    path: Path

    def copy(self, path: Path) -> "Workspace":
        """Copy everything to another place, including the DVC cache and MLflow's store."""
        assert not path.exists(), path
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", self.path, path], check=True)  # shutil takes twice as long
        return Workspace(path)

    def commit(self, message: str) -> None:
        """Commit everything, into one file of git's, because tests copy all files many times."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        self.run("git", "repack", "-a", "-d", "--quiet")

    def run(self, *command: str, ok: bool = True, **environment: str) -> str:
        """Run a command there and return stdout and stderr; fail the test if `ok` does not hold.

        Every `python -m stages.x` that it starts is forked from a process that has imported all
        libraries (tests/forkserver.py).
        """
        done = subprocess.run(
            command,
            cwd=self.path,
            env=forking_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode == 0) == ok, (
            f"{command} ended with {done.returncode}:\n{done.stdout}"
        )
        return done.stdout

    def python(self, *arguments: str, ok: bool = True, **environment: str) -> str:
        return self.run("python", *arguments, ok=ok, **environment)

    def repro(self, *arguments: str, ok: bool = True) -> str:
        return self.run("dvc", "repro", *arguments, ok=ok)

    def popen(
        self, *command: str, forks: bool = False, **environment: str
    ) -> subprocess.Popen[str]:
        """Start a command in its own process group, so that a test can kill everything.

        DVC is a real process. Its stages are too, unless `forks` holds.
        """
        own = killable_environment() if forks else clean_environment()
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=own | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )


def clean_environment() -> dict[str, str]:
    """Return the caller's environment without settings that point to the caller's stores."""
    drop = ("DVC_", "MLFLOW_", "_MLFLOW_", "GIT_")
    kept = {key: value for key, value in CALLERS.items() if not key.startswith(drop)}
    scripts = str(Path(sys.executable).parent)
    return kept | {
        "PATH": f"{scripts}{os.pathsep}{kept.get('PATH', '')}",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HF_HUB_OFFLINE": "1",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }


def forking_environment() -> dict[str, str]:
    """Return the clean environment, with a `python` that asks the fork server."""
    clean = clean_environment()
    folders = [str(forks.folder) for forks in _forks]
    return clean | {"PATH": os.pathsep.join([*folders, clean["PATH"]])}


def killable_environment() -> dict[str, str]:
    """Return the clean environment, in which DVC is a real process whose stages are forked.

    Signals reach the forks as they reach real processes (tests/forkserver.py).
    """
    clean = clean_environment()
    folders = [str(forks.stages) for forks in _forks]
    return clean | {"PATH": os.pathsep.join([*folders, clean["PATH"]])}


def become_forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Python processes that this test process starts be forks, until the test is over."""
    wanted = forking_environment()
    for name in os.environ.keys() - wanted.keys() - {"PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    for forks in _forks:
        forks.wait()
        monkeypatch.setattr(sys, "executable", str(forks.python))


def slurm_job(num_nodes: int) -> dict[str, str]:
    """Return the environment of a Slurm job; tests/slurm/srun starts all nodes on this machine.

    torchrun and gloo need the last two, because the nodes' names have no address.
    """
    return {
        "PATH": f"{ROOT / 'tests/slurm'}{os.pathsep}{forking_environment()['PATH']}",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_NNODES": str(num_nodes),
        "SLURMD_NODENAME": "127.0.0.1",
        "PET_LOCAL_ADDR": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
    }


@dataclass(frozen=True)
class Shared:
    """Workspaces that the processes of one test session share."""

    folder: Path

    def once(self, name: str, make: Callable[[Path], Workspace]) -> Workspace:
        """Build a workspace in the first process that needs it; the others wait."""
        with FileLock(self.folder / f"{name}.lock"):
            path, is_made = self.folder / name / "project", self.folder / f"{name}.made"
            if not is_made.exists():
                make(path)
                is_made.touch()
        return Workspace(path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    own = tmp_path_factory.getbasetemp()
    return Shared(own.parent if IS_WORKER else own)


def make_start(path: Path) -> Workspace:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    (path / "dvc.lock").unlink(missing_ok=True)
    workspace = Workspace(path)
    workspace.python("-m", "stages.params", "experiment=smoke")
    workspace.run("git", "init", "--quiet")
    workspace.commit("start")
    return workspace


@pytest.fixture(scope="session")
def start(shared: Shared) -> Workspace:
    """Return the current project, configured for smoke, in which nothing has run; tests copy it."""
    return shared.once("start", make_start)


@pytest.fixture
def workspace(start: Workspace, tmp_path: Path) -> Workspace:
    """Return a fresh copy, configured for smoke, in which nothing has run."""
    return start.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def smoke(shared: Shared, start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Run the whole pipeline once; tests read it and must not change it."""

    def make(path: Path) -> Workspace:
        workspace = start.copy(path)
        for forks in _forks:
            forks.wait()
        workspace.repro()
        workspace.commit("results")
        return workspace

    # Each process gets a copy, because DVC allows one command at a time in a repository.
    return shared.once("smoke", make).copy(tmp_path_factory.mktemp("smoke") / "project")


@pytest.fixture(scope="session")
def again(shared: Shared, smoke: Workspace) -> Workspace:
    """Repeat the smoke run without cache and scratch folder, and with two threads."""

    def make(path: Path) -> Workspace:
        workspace = smoke.copy(path)
        made = ["data/prepare", "data/mix", "data/evaluate"]
        workspace.run("rm", "-rf", ".dvc/cache", ".scratch", *made)
        workspace.run("dvc", "repro", "--force", OMP_NUM_THREADS="2")
        return workspace

    return shared.once("again", make)


@pytest.fixture
def smoke_copy(smoke: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the finished smoke run, with its cache, that a test may change."""
    return smoke.copy(tmp_path / "project")


@dataclass(frozen=True)
class Experiment:
    """A copy of the smoke run after one experiment, and what DVC printed during it."""

    workspace: Workspace
    shown: str


@pytest.fixture(scope="session")
def faster(shared: Shared, smoke: Workspace) -> Experiment:
    """The experiment `fast`, which doubles the learning rate. Tests only read it."""

    def make(path: Path) -> Workspace:
        workspace = smoke.copy(path)
        options = ["-S", "experiment=smoke", "-S", "train.learning_rate=2e-3"]
        shown = workspace.run("dvc", "exp", "run", "--name", "fast", *options)
        (path.parent / "shown.txt").write_text(shown)
        return workspace

    workspace = shared.once("faster", make)
    return Experiment(workspace, (workspace.path.parent / "shown.txt").read_text())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve an empty hub to this process, whose folder has an empty conf/benchmark/."""
    import huggingface_hub.constants as constants

    (tmp_path / "hub").mkdir()
    (tmp_path / "conf/benchmark").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with serve(tmp_path / "hub") as served:
        url = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        yield served


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a server again at once; the first wait would take half a second."""
    monkeypatch.setattr("mathledger.core.http.MAX_WAIT_S", 0.01)
