"""Run `python -m stages.x` in a fork of a process that has already imported torch, TRL and MLflow.

Importing these takes 9 s of a stage's 10 s in the smoke run. The server imports them once, and
never the project's own code. It writes a small `python`, to be put first on PATH, that passes its
arguments, environment, working folder and three open files to the server. The server forks, and
the fork runs the module in that folder as `python -m` would. The small `python` waits, forwards
signals and exits with the fork's status. A small `dvc` and a small `torchrun` do the same.

The fork takes the place of its small `python` in the process group, so that a signal to the group
reaches it, and reaches it once. Each has a group of its own if the small `python` leads its group.

Anything that a fork cannot do faithfully runs in a real process: Python commands other than `-m`
with a module of the project, and environments with settings that libraries may read on import.
"""

import array
import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = ("bench", "docs", "mathledger", "stages")
# In a server's folder: its process, its output and, for each fork, whose child its launcher is.
PID, LOG, PARENTS = Path("pid"), Path("log"), Path("parents")
COMMANDS = {"python": "", "dvc": "dvc", "torchrun": "torch.distributed.run"}  # name: its module
# Variables of the environment that nothing reads before a stage runs. If any other differs from
# the server's, the command runs in a real process.
READ_LATE = ("AWS_", "CELERY_LOG_", "COLUMNS", "CUDA_VISIBLE_DEVICES", "DVC_", "GIT_", "LINES")
READ_LATE += ("HF_", "OMP_NUM_THREADS", "TQDM_DISABLE")  # `run` passes these on to libraries.
READ_LATE += ("GITHUB_STEP_SUMMARY", "KMP_DUPLICATE_LIB_OK", "MAKE", "MFLAGS")
READ_LATE += ("MLFLOW_SUPPRESS_", "MLFLOW_TRACKING_", "OLDPWD", "PATH", "PWD", "PYTEST_", "SHELL")
READ_LATE += ("SHLVL", "TOKENIZERS_PARALLELISM", "TORCHINDUCTOR_CACHE_DIR", "_")
# torchrun and Slurm set the following.
READ_LATE += ("GLOO_", "GROUP_", "LOCAL_", "MASTER_", "PET_", "RANK", "ROLE_", "SLURM")
READ_LATE += ("TORCHELASTIC_", "TORCH_NCCL_", "WORLD_SIZE")
PRELOADED = (
    "accelerate", "bitsandbytes", "celery.app.base", "codecarbon", "datasets", "dvc.cli.parser",
    "dvc.repo.experiments.executor.local", "dvc.repo.experiments.queue.celery",
    "dvc.repo.reproduce", "dvc.stage.run", "dvc_data.index", "git", "huggingface_hub",
    "huggingface_hub.hf_api", "hydra", "jinja2", "jsonschema", "lm_eval.api.task",
    "lm_eval.models.huggingface", "lm_eval.tasks", "math_verify", "matplotlib.figure", "mlflow",
    "mlflow.store.tracking.sqlalchemy_store", "numba", "numba.np.ufunc", "omegaconf", "pandas",
    "peft", "psutil", "pyarrow.compute", "pyarrow.parquet", "safetensors.torch", "scipy.optimize",
    "scipy.stats", "torch", "torch._dynamo", "torch.distributed.run", "transformers",
    "transformers.models.llama.modeling_llama", "trl.trainer.grpo_trainer",
    "trl.trainer.sft_trainer",
)  # fmt: skip
LAUNCHER = """#!/bin/sh
'''exec' '{python}' -ISE "$0" "$@"
' '''
import sys
PYTHON, SERVER, MODULE, KNOWN = {python!r}, {server!r}, {module!r}, {known!r}
arguments = ["-m", MODULE, *sys.argv[1:]] if MODULE else sys.argv[1:]
options = [each for each in arguments[:1] if each == "-u"]  # torchrun starts its ranks with it
command = arguments[len(options):]
is_known = len(command) > 1 and command[0] == "-m" and command[1].split(".")[0] in KNOWN
if is_known or MODULE:
    import array, json, os, signal, socket
    server = socket.socket(socket.AF_UNIX)
    folder, _, name = sys.argv[0].rpartition("/")
    group = 0 if os.getpgrp() == os.getpid() else os.getpgrp()
    request = {{"name": name, "arguments": command[1:], "is_unbuffered": bool(options),
               "environment": dict(os.environ), "cwd": os.getcwd(), "parent": os.getppid(),
               "executable": folder + "/python", "session": os.getsid(0), "group": group}}
    pid, early = 0, []
    def forward(number, frame):
        if pid:
            os.kill(pid, number)
        else:
            early.append(number)
    try:
        server.connect(SERVER)
    except OSError:  # not ready yet
        reply = b""
    else:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, forward)
        files = array.array("i", [0, 1, 2])
        body = json.dumps(request).encode()
        server.sendmsg([len(body).to_bytes(4, "big")],
                       [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        server.sendall(body)
        lines = server.makefile("rb")
        reply = lines.readline()
    if reply.startswith(b"pid "):
        pid = int(reply.split()[1])
        if group:
            os.setpgid(0, 0)
        for number in early:
            os.kill(pid, number)
        status = int(lines.readline())
        if status < 0:
            if -status in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
        os._exit(status)
import os, signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
os.execv(PYTHON, [PYTHON, *arguments])
"""


@dataclass(frozen=True)
class Launchers:
    """The small programs of one test process, which ask the server that listens in their folder.

    A socket's path has at most 107 characters, so `folder` is in the system's temporary folder.
    """

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="forks-")))

    def write(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / PARENTS).mkdir()
        self.stages.mkdir()
        known = (*PROJECT, *filter(None, COMMANDS.values()))
        for name, module in COMMANDS.items():
            launcher = self.folder / name
            python, server = sys.executable, str(self.socket)
            launcher.write_text(
                LAUNCHER.format(python=python, server=server, module=module, known=known)
            )
            launcher.chmod(0o755)
            if name != "dvc":
                shutil.copy2(launcher, self.stages)

    @property
    def stages(self) -> Path:
        """Folder to put first on PATH to fork stages under a DVC that is a real process."""
        return self.folder / "stages"

    @property
    def python(self) -> Path:
        return self.folder / "python"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def wait(self) -> None:
        """Wait until the server has imported the libraries."""
        while not self.socket.exists():
            server = self.server()
            assert not server or server.status() != "zombie", (self.folder / LOG).read_text()
            time.sleep(0.05)

    def server(self) -> Any:
        """Return the server as psutil shows it, or None if it has not been started."""
        import psutil

        file = self.folder / PID
        return psutil.Process(int(file.read_text())) if file.exists() else None

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of the server and of all forks that have ended.

        What it takes to import the libraries is counted once, in the server that is no fork.
        """
        import psutil

        with contextlib.suppress(psutil.Error):
            if self.socket.exists():
                return float(sum(self.server().cpu_times()[:4]))
        return 0.0


@dataclass
class ForkServer:
    """A process that has imported the libraries, and a fork of it for each other test process."""

    environment: dict[str, str]
    served: list[Launchers]
    preloaded: tuple[str, ...] = PRELOADED
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        folders = [each.folder for each in self.served]
        with (folders[0] / LOG).open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, *map(str, folders), "--", *self.preloaded],
                env=self.environment,
                cwd=folders[0],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                process_group=0,  # a process joins only groups of its own session
            )
        for folder in folders:
            note_pid(folder, self.process.pid)
            if folder != folders[0]:
                (folder / LOG).hardlink_to(folders[0] / LOG)

    def stop(self) -> None:
        """Close the server's stdin, upon which it ends and stops its forks."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        for each in self.served:
            shutil.rmtree(each.folder)


@dataclass
class Fork:
    """A module that runs, and the small `python` that waits for it."""

    pid: int
    launcher: socket.socket


def note_pid(folder: Path, pid: int) -> None:
    (folder / "pid.new").write_text(str(pid))
    (folder / "pid.new").rename(folder / PID)


def serve(folders: list[str], preloaded: list[str]) -> None:
    """Import the libraries, and answer in the first folder; a fork answers in each other one."""
    before = dict(os.environ)
    gc.disable()  # saves a sixth of the CPU time of the imports
    for name in preloaded:
        importlib.import_module(name)
    prepare_libraries()
    assert other_threads() <= {"jemalloc_bg_thd"}, "every fork would lack a thread"
    assert not [name for name in sys.modules if name.split(".")[0] in PROJECT]
    changed = {name for name, value in before.items() if os.environ.get(name) != value}
    assert not changed, f"an import changed {changed} in the environment"
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000)  # A stage creates many objects and throws few of them away.
    others = []
    for folder in folders[1:]:
        if pid := os.fork():
            others.append(pid)
        else:
            note_pid(Path(folder), os.getpid())
            os.chdir(folder)
            answer(before)
            return
    answer(before)
    for pid in others:
        os.waitpid(pid, 0)


def answer(before: dict[str, str]) -> None:
    """Fork for each request that comes to the working folder, until the tests are over."""
    imported_files = open_files()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket.new")
    listener.listen(64)
    Path("socket.new").rename("socket")
    forks: dict[int, Fork] = {}  # By a file descriptor that shows its end.
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:  # The tests are over.
                    for fork in {fork.pid for fork in forks.values()}:
                        os.kill(fork, signal.SIGKILL)
                    return
                if key.fileobj is listener:
                    launcher, _ = listener.accept()
                    with contextlib.suppress(ConnectionError):
                        start(launcher, before, imported_files, selector, forks)
                elif key.fd in forks:
                    end(key.fd, selector, forks)


def prepare_libraries() -> None:
    """Do once what each process that uses a library would do again, with the same result."""
    if "numba" in sys.modules:
        sys.modules["numba"].njit(lambda: 0)()  # loads what numba knows of Python and NumPy
    if "codecarbon" in sys.modules:
        import cpuinfo

        known = cpuinfo.get_cpu_info()
        cpuinfo.get_cpu_info = lambda: dict(known)
    if "mlflow" in sys.modules:
        from mlflow.store.db import utils

        revision = utils._get_latest_schema_revision()  # runs all migration scripts
        utils._get_latest_schema_revision = lambda: revision
        utils._initialize_tables = copied_tables(utils._initialize_tables)
    if "torch" in sys.modules:
        for each in list(weakref.finalize._registry):  # type: ignore[attr-defined]
            each.atexit = False  # A fork that ends needs no operators of torch unregistered.
    if "dvc" in sys.modules:
        from dvc.utils.serialize import _yaml

        for_update = _yaml.parse_yaml_for_update

        def parse(text: str, path: str) -> Any:
            """Read a dvc.lock, which has no comments, with the parser written in C."""
            return (
                _yaml.parse_yaml(text, path) if path.endswith(".lock") else for_update(text, path)
            )

        _yaml.parse_yaml_for_update = parse


def copied_tables(make: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a function that fills a new SQLite store of MLflow with a copy of what `make` makes.

    MLflow runs 50 migrations for a new store, which takes 0.6 s.
    """
    import sqlalchemy

    made = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlalchemy.create_engine(f"sqlite:///{folder}/mlflow.db")
        make(engine)
        with contextlib.closing(engine.raw_connection()) as connection:
            connection.driver_connection.backup(made)  # type: ignore[union-attr]
        engine.dispose()

    def copy(engine: Any) -> None:
        if engine.dialect.name != "sqlite" or sqlalchemy.inspect(engine).get_table_names():
            make(engine)
            return
        with contextlib.closing(engine.raw_connection()) as connection:
            made.backup(connection.driver_connection)

    return copy


def start(
    launcher: socket.socket,
    before: dict[str, str],
    imported_files: set[int],
    selector: selectors.BaseSelector,
    forks: dict[int, Fork],
) -> None:
    """Fork for a request, or let the small `python` run it in a real process."""
    files = array.array("i")
    size, ancillary, _, _ = launcher.recvmsg(4, socket.CMSG_SPACE(3 * files.itemsize))
    for _, _, content in ancillary:
        files.frombytes(content)
    body = b""
    while len(body) < int.from_bytes(size, "big"):
        body += launcher.recv(1 << 20)
    request = json.loads(body)
    if not is_late(before, request["environment"]):
        launcher.close()
    elif pid := os.fork():
        join(pid, request)
        launcher.sendall(f"pid {pid}\n".encode())
        ended = os.pidfd_open(pid)
        for file in (ended, launcher.fileno()):
            forks[file] = Fork(pid, launcher)
            selector.register(file, selectors.EVENT_READ)
    else:
        join(0, request)
        for number, file in enumerate(files):
            os.dup2(file, number)
        for file in open_files() - imported_files:
            with contextlib.suppress(OSError):
                os.close(file)
        run(request)
    for file in files:
        os.close(file)


def join(pid: int, request: dict[str, Any]) -> None:
    """Put a fork into the process group of its small `python`; 0 is the calling process.

    The server and the fork both do this, so that it is done before either goes on.
    """
    with contextlib.suppress(OSError):  # the group has ended
        if request["session"] == os.getsid(0):
            os.setpgid(pid, request["group"])
        elif not pid:
            os.setsid()


def other_threads() -> set[str]:
    """Return the names of other threads; jemalloc's is excluded, as it is optional after a fork."""
    others = (f for f in Path("/proc/self/task").iterdir() if f.name != str(os.getpid()))
    return {(folder / "comm").read_text().strip() for folder in others}


def open_files() -> set[int]:
    return {int(path.name) for path in Path("/proc/self/fd").iterdir()}


def is_late(before: dict[str, str], after: dict[str, str]) -> bool:
    """Return True if the two differ only in variables that nothing reads before a stage runs."""
    differing = {name for name, _ in before.items() ^ after.items()}
    return all(name.startswith(READ_LATE) for name in differing)


def end(file: int, selector: selectors.BaseSelector, forks: dict[int, Fork]) -> None:
    """Handle the end of a fork, or kill it if the small `python` that waits for it was killed."""
    fork = forks[file]
    if file == fork.launcher.fileno():
        os.kill(fork.pid, signal.SIGKILL)
    _, status = os.waitpid(fork.pid, 0)
    (PARENTS / str(fork.pid)).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        fork.launcher.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    for each in [number for number, other in forks.items() if other.pid == fork.pid]:
        selector.unregister(each)
        del forks[each]
        if each != fork.launcher.fileno():
            os.close(each)
    fork.launcher.close()


def show_as(request: dict[str, Any]) -> None:
    """Show the fork in /proc as its command, because stages look for the DVC that started them."""
    name, (module, *arguments) = request["name"], request["arguments"]
    words = ["python", "-m", module] if name == "python" else ["python", name]
    ctypes.CDLL(None).prctl(15, name.encode())  # PR_SET_NAME
    fields = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()
    start, end = int(fields[45]), int(fields[46])  # The memory with this process's arguments.
    shown = "".join(f"{word}\0" for word in [*words, *arguments]).encode()[: end - start - 1]
    ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)


def run(request: dict[str, Any]) -> None:
    """Become `python -m MODULE ...` in the fork, and exit."""
    import psutil

    show_as(request)
    parents = PARENTS.resolve()
    (parents / str(os.getpid())).write_text(str(request["parent"]))
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(request["environment"])
    differing = {name for name, _ in before.items() ^ os.environ.items()}
    if any(name.startswith("HF_") for name in differing):
        importlib.reload(sys.modules["huggingface_hub.constants"])
    if "OMP_NUM_THREADS" in differing:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if "TQDM_DISABLE" in differing:
        import tqdm.std

        defaults = vars(tqdm.std.tqdm)["__init__"].keywords
        defaults["disable"] = bool(os.environ.get("TQDM_DISABLE"))
    os.chdir(request["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    module, *arguments = request["arguments"]
    sys.argv = [module, *arguments]
    sys.path.insert(0, request["cwd"])
    if request["is_unbuffered"]:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    sys.executable = request["executable"]  # The stage's children come back here.
    sys.modules["__main__"] = types.ModuleType("__main__")
    true_ppid = psutil.Process.ppid

    @functools.wraps(true_ppid)  # psutil's caching needs the attributes.
    def ppid(process: psutil.Process) -> int:
        """Return the parent of a fork's small `python`, because stages look for their DVC."""
        with contextlib.suppress(FileNotFoundError):
            return int((parents / str(process.pid)).read_text())
        return int(true_ppid(process))

    psutil.Process.ppid = ppid
    status = 1
    try:
        runpy._run_module_as_main(module)  # type: ignore[attr-defined]
        status = 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        else:
            status = error.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    del sys.path[0]  # Remove this folder.
    end_of_folders = sys.argv.index("--")
    serve(sys.argv[1:end_of_folders], sys.argv[end_of_folders + 1 :])
