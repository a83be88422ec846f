"""A rehearsal takes real steps on the longest rows, reports their cost, and leaves nothing."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from mathledger.model.byte_tokenizer import byte_tokenizer
from mathledger.run import params
from mathledger.training import lengths, rehearsal, sft
from mathledger.training.lora import Lora
from mathledger.training.rehearsed import Rehearsal, render
from stages import train
from tests.conftest import ROOT, Workspace
from tests.plan import recipe

pytestmark = pytest.mark.slow  # torch takes seconds to import

SHAPE = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 300,
    "max_position_embeddings": 256,
}
LORA = Lora(4, 8, 0.0, "all-linear", load_in_4bit=False)
# Run the stage in a fresh process, which also shows what it imported.
STAGE = """
import sys
from stages import train
sys.argv[0] = "stages.train"
train.main()
assert "dvc" not in sys.modules
"""


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    found = [path for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path)]
    kept = [path for path in found if "__pycache__" not in path.parts]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in kept}


def test_the_stage_rehearses_without_dvc_and_leaves_no_file(smoke: Workspace) -> None:
    """MLflow's store is among the files that stay as they were."""
    before = files(smoke.path)
    command = [sys.executable, "-c", STAGE, "--rehearse", "3", "--json"]
    shown = smoke.run(*command)  # with the libraries' warnings
    done, _ = json.JSONDecoder().raw_decode(shown, shown.index("{\n"))
    assert files(smoke.path) == before
    stated = read_json(smoke.path / "metrics/train.json")
    assert done["num_steps"] == stated["num_steps"]
    assert done["batch"] == stated["effective_batch_size"]
    assert done["num_trainable_parameters"] == stated["num_trainable_parameters"]
    assert done["longest_tokens"] == stated["longest_row_tokens"]
    assert len(done["step_seconds"]) == 3 and min(done["step_seconds"]) > 0
    assert done["device"] == "CPU" and done["memory_gib"] >= 0 < done["memory_planned_gib"]
    assert 0 <= done["hours"] <= done["hours_at_most"] < 1


@pytest.fixture
def made(smoke: Workspace, monkeypatch: pytest.MonkeyPatch) -> sft.Params:
    """Return the settings of the smoke run, in whose folder the test then works."""
    monkeypatch.chdir(smoke.path)
    return params.load("train", sft.Params)


def rehearsed(settings: sft.Params, shape: Path | None = None, steps: int = 2) -> Rehearsal:
    done = rehearsal.rehearse(settings, steps, train.BASE, train.MIX, shape)
    assert done
    return done


def tokens_of_second_step(done: Rehearsal) -> tuple[float, float]:
    """Return the bounds that the rounding of the seconds leaves."""
    speed, seconds = done.tokens_per_second, done.step_seconds[1]
    return speed * (seconds - 0.001), speed * (seconds + 0.001)


def test_the_longest_rows_come_first_and_every_step_is_full(made: sft.Params) -> None:
    """More steps than the training set has rows use the longest rows again."""
    done = rehearsed(replace(made, max_steps=None, num_train_epochs=3.0))
    longest = sorted(lengths_of_the_mix(), reverse=True)[: 2 * done.batch]
    low, high = tokens_of_second_step(done)
    assert low <= done.batch * longest[0] and high >= done.batch * longest[-1]
    per_epoch = -(-len(lengths_of_the_mix()) // done.batch)
    assert done.num_steps == 3 * per_epoch
    assert done.hours == pytest.approx(
        done.num_steps * done.batch * done.mean_tokens / done.tokens_per_second / 3600, abs=1e-4
    )
    many = rehearsed(replace(made, per_device_train_batch_size=40))
    assert tokens_of_second_step(many)[1] >= 40 * min(lengths_of_the_mix())


def lengths_of_the_mix() -> list[int]:
    from mathledger.model import prompts

    path = train.MIX / "train.parquet"
    every = lengths.take(path, lengths.evenly_spaced(lengths.num_rows(path)))
    return list(sft.tokenise(every, prompts.load_tokenizer(train.BASE))["length"])


def test_packing_fills_sequences(made: sft.Params) -> None:
    done = rehearsed(replace(made, packing=True))
    assert max(lengths_of_the_mix()) < done.longest_tokens <= made.max_length
    assert done.longest_tokens > 0.9 * made.max_length and done.mean_tokens == made.max_length


def test_lora_trains_adapters(made: sft.Params) -> None:
    full, lora = rehearsed(made), rehearsed(replace(made, lora=LORA))
    assert (full.method, lora.method) == ("full", "lora")
    assert lora.num_trainable_parameters < full.num_trainable_parameters
    assert full.num_trainable_parameters == full.num_parameters


@pytest.mark.parametrize("changes", [{}, {"lora": LORA}, {"packing": True}], ids=str)
def test_a_shape_needs_neither_weights_nor_rows(
    made: sft.Params, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "config.json", SHAPE)
    settings = replace(made, max_length=200, **changes)
    done = rehearsed(settings, tmp_path / "config.json")
    assert done.is_random and done.longest_tokens == done.mean_tokens == 200
    low, high = tokens_of_second_step(done)
    assert low <= 200 * done.batch <= high
    assert dict(render(done))["hours"].startswith("at most ")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["config.json"]


def test_the_number_of_steps_of_unread_rows_is_unknown(made: sft.Params, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", SHAPE)
    done = rehearsed(replace(made, max_steps=None, max_length=100), tmp_path / "config.json")
    assert done.num_steps is None and done.hours is None
    assert dict(render(done))["hours"] == "unknown: the number of steps follows from data/mix"


def test_the_shape_in_jobs_is_that_of_the_seed_recipe() -> None:
    content = read_json(ROOT / "jobs/shapes/deepseek_math_7b_rl.json")
    assert {key: content[key] for key in recipe.SHAPE} == recipe.SHAPE


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, "--shape .* does not exist"),
        ({"model_type": "nosuch"}, "--shape .*: .*nosuch"),
        ({**SHAPE, "vocab_size": 100}, "vocab_size must be at least 259"),
        ({**SHAPE, "max_position_embeddings": 64}, "exceeds the model's context of 64 tokens"),
    ],
)
def test_a_wrong_shape_is_named(
    made: sft.Params, shape: dict[str, Any] | None, message: str, tmp_path: Path
) -> None:
    if shape:
        write_json(tmp_path / "config.json", shape)
    with pytest.raises(InputError, match=message):
        rehearsed(replace(made, max_length=200), tmp_path / "config.json")


def test_a_gpu_that_is_too_small_is_one_line(
    made: sft.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(sft, "make_trainer", full)
    with pytest.raises(InputError, match=r"too small .*2\.00 GiB.*the plan counts .*train=lora"):
        rehearsed(made)
    assert not list(Path(".scratch").glob("rehearsal-*"))


def test_rows_that_are_not_mixed_yet_are_named(made: sft.Params, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.parquet does not exist yet: run `dvc repro mix"):
        rehearsal.rehearse(made, 2, train.BASE, tmp_path, None)


@pytest.mark.parametrize("given", ["0", "1", "-3", "x", "2.5", ""])
def test_a_wrong_number_of_steps_is_one_line(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["stages.train", f"--rehearse={given}"])
    with pytest.raises(SystemExit) as ended:
        train.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and f"{given} is not a number of steps" in line


def test_options_of_a_rehearsal_alone_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["stages.train", "--json"])
    with pytest.raises(SystemExit):
        train.main()
    assert re.match("error: --shape and --json need --rehearse STEPS;", capsys.readouterr().err)


TEXTS = st.lists(st.text(st.characters(categories=["L", "N"]), max_size=60), min_size=1)


@given(texts=TEXTS, count=st.integers(1, 12), max_length=st.integers(60, 140))
def test_the_longest_rows_that_fit_are_found(
    texts: list[str], count: int, max_length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The byte-level tokenizer makes one token of each byte, so the longest texts are the longest
    rows."""
    tokenizer = byte_tokenizer()
    rows = {
        "id": [str(number) for number in range(len(texts))],
        "prompt": [[{"role": "user", "content": text}] for text in texts],
        "completion": [[{"role": "assistant", "content": text[::-1]}] for text in texts],
    }
    path = tmp_path_factory.mktemp("rows") / "train.parquet"
    pq.write_table(pa.table(rows), path, row_group_size=3)
    assert lengths.num_bytes(path).tolist() == [2 * len(text.encode()) for text in texts]
    fitting = sorted(n for n in sft.tokenise(rows, tokenizer)["length"] if n <= max_length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lengths, "MIN_BLOCK", 2)
        if not fitting:
            with pytest.raises(InputError, match="no row of"):
                lengths.longest_rows(path, tokenizer, max_length, count)
            return
        found = lengths.longest_rows(path, tokenizer, max_length, count)
    assert sorted(found["length"])[-count:] == fitting[-count:]
