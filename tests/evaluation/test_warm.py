"""The cells of one model share an engine, which serves nothing stale and ends with its DVC run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.evaluation import warm
from mathledger.evaluation.engines.backends import open_engine
from mathledger.evaluation.engines.engine import Engine, Limits, Request
from mathledger.evaluation.settings import Params
from mathledger.run import turns
from mathledger.run.params import read
from tests.conftest import ROOT, clean_environment

pytestmark = pytest.mark.slow  # Real processes start and end.

LIMITS = Limits(8, [])
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def settings() -> Params:
    checked: Params = check("evaluate", read()["evaluate"], Params)
    return checked


@pytest.fixture
def dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that stands for DVC; what it leaves running at the end is an error."""
    process = subprocess.Popen(SLEEP)
    owner = [process.pid, psutil.Process(process.pid).create_time()]
    monkeypatch.setattr(turns, "dvc_process", lambda: owner)
    monkeypatch.setattr(warm, "SERVER", "tests.echo_server")
    monkeypatch.setattr(warm, "MIN_BYTES", 0)
    monkeypatch.setenv("DVC_STAGE", "evaluate")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    yield process
    process.kill()
    process.wait()
    until(lambda: not servers(tmp_path))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def servers(top: Path) -> list[warm.Record]:
    found = [warm.read(file) for file in (top / ".scratch/engines").glob("*.json")]
    return [record for record in found if record and record.is_alive]


def request(prompt: str) -> Request:
    return Request("1", 0, [{"role": "user", "content": prompt}], prompt, [1], None)


def texts(engine: Engine, *prompts: str) -> list[str]:
    got: list[str] = []
    requests = [request(prompt) for prompt in prompts]
    engine.answer(requests, LIMITS, lambda pairs: got.extend(r.text for _, r in pairs))
    return got


def cell(settings: Params, name: str = "base", key: str = "key") -> Engine:
    """Return the engine as a cell of a run with two benchmarks gets it."""
    shared = warm.begin(Path(name), settings, key, 2)
    assert shared
    return shared.engine()


def test_cells_of_one_model_share_a_process_and_others_replace_it(
    dvc: subprocess.Popen[bytes], settings: Params, tmp_path: Path
) -> None:
    first = cell(settings)
    assert (first.num_at_once, first.facts()) == (
        2,
        {"device": "cpu", "dtype": "float32", "copies": 1},
    )
    one = texts(first, "a", "b", "a")
    assert [text.split()[:2] for text in one] == [["a", "8"], ["b", "8"], ["a", "8"]]
    del first
    assert texts(cell(settings), "a") == one[:1]
    (old,) = servers(tmp_path)
    other = texts(cell(settings, key="other weights, settings, code or packages"), "a")
    assert other != one[:1] and not old.is_alive
    assert len(servers(tmp_path)) == 1


def test_an_error_reaches_the_cell_as_it_is_and_a_rerun_heals(
    dvc: subprocess.Popen[bytes], settings: Params, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot load the model in damaged"):
        cell(settings, "damaged")
    with pytest.raises(InputError, match=r"^the item is wrong: fix it$"):
        texts(cell(settings), "wrong")
    with pytest.raises(OSError, match="No space left on device") as full:
        texts(cell(settings), "full")
    assert full.value.errno == 28
    with pytest.raises(InputError, match=r"held the model base ended.*ends with: out of memory\)"):
        texts(cell(settings), "a", "die")
    assert texts(cell(settings), "a")


def killed(settings: Params, top: Path) -> warm.Record:
    """Return a server that was killed, after the cell that asked it has failed."""
    engine = cell(settings)
    (record,) = servers(top)
    psutil.Process(record.process[0]).kill()
    with pytest.raises(InputError, match="run again to continue"):
        texts(engine, "a")
    return record


def test_a_killed_process_is_an_error_and_the_next_cell_starts_another(
    dvc: subprocess.Popen[bytes], settings: Params, tmp_path: Path
) -> None:
    record = killed(settings, tmp_path)
    assert texts(cell(settings), "a")
    assert not Path(record.folder).exists()


def test_a_process_that_answers_no_more_but_has_not_ended_is_replaced(
    dvc: subprocess.Popen[bytes],
    settings: Params,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A killed process closes its sockets first, and its memory is freed before it is gone."""
    killed(settings, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(warm.Record, "is_alive", property(lambda _: True))
        assert texts(cell(settings), "a")


def test_it_ends_with_its_dvc_even_if_that_is_killed_while_a_cell_is_connected(
    dvc: subprocess.Popen[bytes], settings: Params, tmp_path: Path
) -> None:
    engine = cell(settings)
    (record,) = servers(tmp_path)
    dvc.kill()
    dvc.wait()
    until(lambda: not record.is_alive)
    until(lambda: not Path(record.folder).exists())
    with pytest.raises(InputError, match="ended"):
        texts(engine, "a")


def test_it_makes_way_for_another_stage(
    settings: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dvc: subprocess.Popen[bytes]
) -> None:
    """Otherwise training would find the GPU's memory in use."""
    owner = [os.getpid(), psutil.Process().create_time()]
    monkeypatch.setattr(turns, "dvc_process", lambda: owner)
    same = subprocess.Popen([*SLEEP, "stages.evaluate", "base", "champ"])
    engine = cell(settings)
    (record,) = servers(tmp_path)
    assert texts(engine, "a")
    del engine
    time.sleep(2)
    assert record.is_alive
    other = subprocess.Popen([*SLEEP, "stages.train"])
    until(lambda: not record.is_alive)
    for process in (same, other):
        process.kill()
        process.wait()


def test_a_run_of_dvc_shares_one_process_per_model_and_leaves_none(tmp_path: Path) -> None:
    stages = {
        f"{model}-{number}": {
            "cmd": f"python -m tests.echo_cell {model} {model}-{number}",
            "outs": [f"{model}-{number}"],
        }
        for model in ("base", "tuned")
        for number in (1, 2)
    }
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    for command in (["dvc", "init", "--quiet", "--no-scm"], ["dvc", "repro", "--quiet"]):
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    base, again, tuned, last = ((tmp_path / name).read_text() for name in sorted(stages))
    assert base == again != tuned == last
    until(lambda: not servers(tmp_path))
    until(lambda: not list((tmp_path / ".scratch/engines").glob("*.json")))


def test_its_folder_is_private(
    dvc: subprocess.Popen[bytes], settings: Params, tmp_path: Path
) -> None:
    cell(settings)
    (record,) = servers(tmp_path)
    assert Path(record.folder).stat().st_mode & 0o077 == 0


def test_a_cell_loads_the_model_for_itself_if_nothing_can_be_shared(
    dvc: subprocess.Popen[bytes], settings: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = replace(settings, launch=replace(settings.launch, num_processes=2))
    assert warm.begin(Path("base"), several, "key", 2) is None
    served = replace(settings, backend="local-completions")
    assert warm.begin(Path("base"), served, "key", 2) is None
    assert warm.begin(Path("base"), settings, "key", 1) is None
    with monkeypatch.context() as small:
        small.setattr(warm, "MIN_BYTES", 1)
        assert warm.begin(Path("base"), settings, "key", 2) is None
    monkeypatch.delenv("DVC_STAGE")  # by hand
    assert warm.begin(Path("base"), settings, "key", 2) is None


def test_the_responses_are_those_of_an_engine_of_ones_own(
    dvc: subprocess.Popen[bytes], settings: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mathledger.data import sources
    from mathledger.model.download import make_random
    from mathledger.model.prompts import load_tokenizer

    make_random(sources.RandomModel("random", "MIT", 0, 32, 2), tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    requests = []
    for number, text in enumerate(("1 + 1 =", "What is 12 - 5?", "2")):
        ids = tokenizer(text)["input_ids"]
        requests.append(replace(request(text), item_id=str(number), prompt_ids=ids, seed=number))
    sampled = replace(settings, temperature=0.7, top_p=0.9)
    monkeypatch.setattr(warm, "SERVER", "mathledger.evaluation.warm_server")
    shared = warm.begin(tmp_path / "base", sampled, "key", 2)
    own = open_engine(tmp_path / "base", tokenizer, sampled)
    assert shared
    engine = shared.engine()
    assert engine.facts() == own.facts()
    assert asked(engine, requests) == asked(own, requests)


def asked(engine: Engine, requests: list[Request]) -> list[tuple[str, str, int, str]]:
    got: list[tuple[str, str, int, str]] = []
    engine.answer(
        requests,
        LIMITS,
        lambda pairs: got.extend(
            (q.item_id, r.text, r.num_tokens, r.finish_reason) for q, r in pairs
        ),
    )
    return got


def test_a_wrong_record_removes_no_folder_of_others(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "engine-a").mkdir()
    for name in ("home", "engine-a"):
        record = ["k", [2**22 + 1, 0.0], str(tmp_path / name)]
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    warm.remove_dead(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
