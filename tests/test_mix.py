"""Each row is sampled by its own coin, and validation and training share no problem."""

import json
from collections import Counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mathledger.core.tables import read_rows
from mathledger.filters import mix
from mathledger.model import prompts
from mathledger.text import canonical, groups
from tests.conftest import Workspace

pytestmark = pytest.mark.kernels

SETTINGS = mix.Params(seed=7, max_examples=None, validation_rate=0.2)
ALL = mix.Corpus(weight=1.0, max_examples=None)


def sample(
    sizes: dict[str, int], wanted: dict[str, mix.Corpus], max_examples: int | None = None
) -> set[str]:
    """Return the ids of the rows taken from corpora of these sizes."""
    ids = [f"{corpus}{number}" for corpus, size in sizes.items() for number in range(size)]
    number_of = [number for number, size in enumerate(sizes.values()) for _ in range(size)]
    coins = groups.coins(pa.array(ids), SETTINGS.seed)
    each = [wanted[corpus] for corpus in sizes]
    taken = mix.sample(np.array(number_of), coins, each, max_examples)
    return {ids[row] for row in np.flatnonzero(taken)}


def split(problems: list[str], rate: float = 0.2) -> tuple[npt.NDArray[np.bool_], int]:
    array = pa.array(problems)
    settings = mix.Params(seed=7, max_examples=None, validation_rate=rate)
    return mix.split(canonical.keys(array), groups.templates(array), settings)


def test_adding_a_corpus_never_reshuffles_another() -> None:
    half = mix.Corpus(weight=0.5, max_examples=100)
    alone = sample({"a": 400}, {"a": half})
    both = sample({"b": 50, "a": 400}, {"a": half, "b": ALL})
    assert alone == {name for name in both if name.startswith("a")}
    assert len(alone) == 100 and len(both) == 150


def test_weight_is_a_share() -> None:
    assert 430 < len(sample({"a": 2000}, {"a": mix.Corpus(0.25, None)})) < 570


def test_a_smaller_sample_is_part_of_the_larger() -> None:
    assert sample({"a": 100}, {"a": ALL}, 30) < sample({"a": 100}, {"a": ALL}, 60)


def test_solutions_and_numbers_of_one_problem_stay_on_one_side() -> None:
    """There are 300 small families of two problems, one of which is written in two ways."""
    words = [f"{a}{b}{c}" for a in "bdfgklmnpr" for b in "aeiou" for c in "klmnrt"]
    problems = [
        problem
        for word in words
        for problem in (
            f"What is 3 + 4 {word}?",
            f"What is $3+4$ {word}?",
            f"What is 5 + 6 {word}?",
        )
    ]
    validation, num_split = split(problems)
    sides = validation.reshape(-1, 3)
    assert num_split == 0
    assert (sides.all(axis=1) | ~sides.any(axis=1)).all()
    assert 0.14 < validation.mean() < 0.26


def test_a_drill_of_one_template_is_split_by_problem() -> None:
    problems = [f"What is {number} + {other}?" for number in range(40) for other in range(10)]
    validation, num_split = split([*problems, *problems])
    assert num_split == 1
    assert 0.12 < validation.mean() < 0.28
    assert (validation[:400] == validation[400:]).all()


def test_columns_are_what_the_prompt_says() -> None:
    prompt = prompts.Params("{{solve}} {problem}\nAgain: {problem}")
    rows = pa.table({"problem": ["1 + {1}", ""], "solution": ["2", "\\boxed{3}"]})
    shown = mix.training_rows(rows, prompt).to_pylist()
    for row in shown:
        turns = prompts.training_row(prompt, row["problem"], row["solution"])
        assert {name: row[name] for name in turns} == turns


def test_rows_are_prompt_and_completion(smoke: Workspace) -> None:
    parts = {
        part: pq.read_table(smoke.path / f"data/mix/{part}.parquet").to_pylist()
        for part in ("train", "validation")
    }
    solutions = {
        row["id"]: row["solution"]
        for row in read_rows(smoke.path / "data/decontaminate/kept.parquet")
    }
    for row in parts["train"] + parts["validation"]:
        assert [turn["role"] for turn in row["prompt"] + row["completion"]] == ["user", "assistant"]
        assert row["completion"][0]["content"] == solutions.pop(row["id"])
    assert not solutions and parts["validation"]


def test_token_lengths_are_the_tokenizers_own(smoke: Workspace) -> None:
    """The smoke model's tokens are bytes."""
    metrics = json.loads((smoke.path / "metrics/mix.json").read_text())
    longest: Counter[str] = Counter()
    for row in pq.read_table(smoke.path / "data/mix/train.parquet").to_pylist():
        said = row["prompt"][0]["content"] + "\n" + row["completion"][0]["content"]
        longest[row["corpus"]] = max(longest[row["corpus"]], len(said.encode()))
    measured = metrics["token_lengths"]
    assert {corpus: lengths["max"] for corpus, lengths in measured.items()} == longest
    assert {corpus: lengths["num_rows"] for corpus, lengths in measured.items()} == metrics[
        "train_by_corpus"
    ]
    assert all(each["p50"] <= each["p90"] <= each["p99"] for each in measured.values())


def test_epochs_repeat_training_rows_alone(smoke_copy: Workspace) -> None:
    params = smoke_copy.path / "params.yaml"
    head, tail = params.read_text().split("  tiny_openmathinstruct2:\n")
    changed = tail.replace("      weight: 1.0\n", "      weight: 1.0\n      epochs: 3\n", 1)
    params.write_text(head + "  tiny_openmathinstruct2:\n" + changed)
    before = {
        part: pq.read_table(smoke_copy.path / f"data/mix/{part}.parquet")
        for part in ("train", "validation")
    }
    for part in before:
        (smoke_copy.path / f"data/mix/{part}.parquet").unlink()
    smoke_copy.python("-m", "stages.mix")
    train = pq.read_table(smoke_copy.path / "data/mix/train.parquet").to_pylist()
    repeats = {"tiny_numinamath_cot": [0], "tiny_openmathinstruct2": [0, 1, 2]}
    expected = [
        {**row, "repeat": number}
        for row in before["train"].to_pylist()
        for number in repeats[row["corpus"]]
    ]
    assert train == expected and len(train) > len(before["train"])
    assert pq.read_table(smoke_copy.path / "data/mix/validation.parquet") == before["validation"]


def test_a_corpus_that_lost_all_rows_is_an_error(smoke_copy: Workspace) -> None:
    kept = smoke_copy.path / "data/decontaminate/kept.parquet"
    table = pq.read_table(kept)
    kept.unlink()
    pq.write_table(table.filter(pc.field("corpus") == "tiny_numinamath_cot"), kept)
    shown = smoke_copy.python("-m", "stages.mix", ok=False)
    assert "no row of tiny_openmathinstruct2 has passed the filters" in shown


def test_an_empty_validation_set_is_an_error(smoke_copy: Workspace) -> None:
    shown = smoke_copy.run(
        "dvc", "exp", "run", "-S", "experiment=smoke", "-S", "mix.validation_rate=0.0", "mix",
        ok=False,
    )  # fmt: skip
    assert "the validation set is empty" in shown and "mix.validation_rate" in shown
