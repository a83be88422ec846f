"""Any model that a user has passes download, training, resuming and evaluation, or is refused."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.evaluation import settings as evaluate
from mathledger.evaluation.engines import transformers as engine
from mathledger.evaluation.engines.engine import Limits, Request, Response
from mathledger.model import conversations, prompts, templates
from mathledger.model.check import check_model
from mathledger.run import params
from mathledger.run.tracking import Run
from mathledger.training import loop, models, sft
from tests.model.families import FAMILIES, Family, make

pytestmark = pytest.mark.slow  # torch takes seconds to import
USABLE = [family for family in FAMILIES if not family.refused]
NAMES = [family.name for family in USABLE]
SPELLED = "3 + 4 = 7.{} So the answer is \\boxed{{7}}."


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    import transformers

    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Return each usable family's checked folder, and what the check says."""
    root = tmp_path_factory.mktemp("families")
    folders = {family.name: make(family, root / family.name) for family in USABLE}
    return {name: (folder, check_model(folder)) for name, folder in folders.items()}


def rows(*completions: str) -> dict[str, list[Any]]:
    return {
        "id": [f"row{number}" for number in range(len(completions))],
        "prompt": [[{"role": "user", "content": "What is 3 + 4?"}] for _ in completions],
        "completion": [[{"role": "assistant", "content": text}] for text in completions],
    }


def learned(tokens: dict[str, list[Any]]) -> list[list[int]]:
    pairs = zip(tokens["input_ids"], tokens["completion_mask"], strict=True)
    return [[i for i, mark in zip(ids, mask, strict=True) if mark] for ids, mask in pairs]


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.refused], ids=lambda f: f.name)
def test_a_template_that_cannot_be_trained_is_refused(family: Family, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(family.refused)) as caught:
        check_model(make(family, tmp_path / "model"))
    assert "set model.chat_template" in str(caught.value) and "\n" not in str(caught.value)


FACTS = {  # has_system_turn, thinking_switches, keeps_thinking, num_bos, number of changes
    "chatml": (True, [], True, 0, 0),
    "smollm2": (True, [], True, 1, 0),
    "llama3": (True, [], True, 1, 1),  # the date
    "qwen3": (True, ["enable_thinking"], True, 0, 0),
    "gemma3": (True, [], True, 1, 1),  # the end of a turn
    "r1": (True, [], False, 1, 0),
    "phi4": (True, [], True, 0, 0),
    "phi4_mini": (True, [], True, 0, 0),
    "mistral": (False, [], True, 1, 0),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_check_tells_what_a_template_can(made: Any, name: str) -> None:
    told = made[name][1]["chat_template"]
    has_system, switches, keeps, num_bos, num_changes = FACTS[name]
    assert told["has_system_turn"] == has_system and told["thinking_switches"] == switches
    assert told["keeps_thinking"] == keeps and told["num_bos"] == num_bos
    assert len(told["changes"]) == num_changes, told["changes"]
    assert not list(made[name][0].glob(".saved-*"))


@pytest.mark.parametrize("name", NAMES)
def test_a_checked_folder_needs_no_second_change(made: Any, name: str) -> None:
    folder, told = made[name]
    before = {path.name: sha256(path) for path in folder.iterdir()}
    again = check_model(folder)
    assert again["chat_template"]["changes"] == []
    assert {path.name: sha256(path) for path in folder.iterdir()} == before
    assert again["num_parameters"] == told["num_parameters"] < 25_000


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_ends_once_and_a_prompt_begins_once(made: Any, name: str) -> None:
    tokenizer = prompts.load_tokenizer(made[name][0])
    tokens = sft.tokenise(rows("3 + 4 = 7, so \\boxed{7}."), tokenizer)
    assert learned(tokens)[0].count(tokenizer.eos_token_id) == 1
    first, second = tokens["input_ids"][0][:2]
    assert (first == tokenizer.bos_token_id) == bool(tokenizer.bos_token) and second != first


def test_llamas_prompt_is_the_same_on_any_day(made: Any) -> None:
    tokenizer = prompts.load_tokenizer(made["llama3"][0])
    turns = [[{"role": "user", "content": "a"}]]
    (one,) = conversations.render(tokenizer, turns, True)
    assert "Today Date: 26 Jul 2024" in one.text
    with templates.clock_at(datetime(2031, 5, 6)):
        assert conversations.render(tokenizer, turns, True) == [one]


THOUGHT = "<think>\nThree and four.\n</think>\n\nThe answer is \\boxed{7}."


@pytest.mark.parametrize("name", NAMES)
def test_thinking_is_learned_whole_or_refused(made: Any, name: str) -> None:
    folder, told = made[name]
    tokenizer = prompts.load_tokenizer(folder)
    if told["chat_template"]["keeps_thinking"]:
        (ids,) = learned(sft.tokenise(rows(THOUGHT), tokenizer))
        text = tokenizer.decode(ids)
        assert "".join(THOUGHT.split()) in "".join(text.split())
    else:
        with pytest.raises(InputError, match=r"row row0: .* leaves out a part of the answer"):
            sft.tokenise(rows(THOUGHT), tokenizer)


def spelled(made: Any) -> Iterator[tuple[str, str]]:
    for family in USABLE:
        for text in [*family.special, *family.plain, *family.beyond]:
            if text not in ("<think>", "</think>"):
                yield family.name, text


@pytest.mark.parametrize(("name", "text"), list(spelled(None)))
def test_text_that_spells_a_control_token_stays_text(made: Any, name: str, text: str) -> None:
    """In a prompt and in a solution; all other tokens are those of the same row without it."""
    tokenizer = prompts.load_tokenizer(made[name][0])
    number = tokenizer.convert_tokens_to_ids(text)
    plain, odd = (SPELLED.format(each) for each in ("#", text))
    tokens = sft.tokenise(rows(plain, odd), tokenizer)
    first, second = learned(tokens)
    assert second.count(number) == first.count(number)
    at = next(n for n, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])
    rest = len(first) - at - 1
    assert first[:at] == second[:at] and first[len(first) - rest :] == second[len(second) - rest :]
    assert tokenizer.decode(second[at : len(second) - rest]) == text
    turns = [[{"role": "user", "content": f"What is {each}?"}] for each in ("#", text)]
    asked, other = conversations.render(tokenizer, turns, True)
    assert other.ids.count(number) == asked.ids.count(number)
    assert asked.text.replace("#", text) == other.text == tokenizer.decode(other.ids)
    assert conversations.spells_control(tokenizer, odd)
    assert not conversations.spells_control(tokenizer, plain)


@pytest.fixture(scope="module")
def settings() -> sft.Params:
    return replace(
        params.load("train", sft.Params),
        max_steps=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        max_length=512,
        save_minutes=0.0,
        learning_rate=1e-3,
    )


@pytest.mark.parametrize("packing", [False, True])
def test_the_loss_has_the_end_of_each_row_once(
    made: Any, settings: sft.Params, packing: bool, tmp_path: Path
) -> None:
    import datasets

    base = made["chatml"][0]
    tokenizer = prompts.load_tokenizer(base)
    tokens = sft.tokenise(rows("It is 7.", "Seven."), tokenizer)
    table = datasets.Dataset.from_dict(tokens)
    one = replace(settings, packing=packing)
    trainer = sft.make_trainer(one, base, tmp_path, tokenizer, table, table)
    assert len(trainer.train_dataset) == (1 if packing else 2)
    sft.check_loss_mask(trainer, tokenizer.eos_token_id)
    twice = [[*ids, tokenizer.eos_token_id] for ids in tokens["input_ids"]]
    masks = [[*mask, 1] for mask in tokens["completion_mask"]]
    table = datasets.Dataset.from_dict({**tokens, "input_ids": twice, "completion_mask": masks})
    trainer = sft.make_trainer(one, base, tmp_path, tokenizer, table, table)
    with pytest.raises(InputError, match="2 times in a row"):
        sft.check_loss_mask(trainer, tokenizer.eos_token_id)


def train(base: Path, settings: sft.Params, scratch: Path, out: Path) -> tuple[Any, str | None]:
    """Train as the stage does, and return the tokenizer and the checkpoint resumed from."""
    import datasets

    tokenizer = prompts.load_tokenizer(base)
    table = rows(*(f"3 + 4 = {number}, so \\boxed{{{number}}}." for number in range(4)))
    tokens = datasets.Dataset.from_dict(sft.tokenise(table, tokenizer))
    trainer = sft.make_trainer(settings, base, scratch, tokenizer, tokens, tokens)
    sft.check_loss_mask(trainer, tokenizer.eos_token_id)
    held_out = {"id": "row0", "prompt": table["prompt"][0]}
    training = loop.run_trainer(
        trainer, settings, Run({}, {}, "", None), "train", held_out, sft.CURVES, lambda _: []
    )
    models.save_model(trainer, tokenizer, base, settings.lora, out)
    return tokenizer, training.resumed_from


@pytest.mark.parametrize("name", NAMES)
def test_a_family_is_trained_resumed_and_evaluated(
    made: Any, settings: sft.Params, name: str, tmp_path: Path
) -> None:
    """A resumed run gives the same weights, and the tuned folder passes the check again."""
    base, scratch, out = made[name][0], tmp_path / "scratch", tmp_path / "tuned"
    tokenizer, resumed_from = train(base, settings, scratch, out)
    assert resumed_from is None
    weights = {path.name: sha256(path) for path in out.glob("*.safetensors")}
    shutil.rmtree(scratch / "checkpoint-2")
    _, resumed_from = train(base, settings, scratch, out)
    assert resumed_from == "checkpoint-1"
    assert {path.name: sha256(path) for path in out.glob("*.safetensors")} == weights
    told = check_model(out)
    assert told["num_parameters"] == made[name][1]["num_parameters"]
    assert told["chat_template"]["changes"] == []

    one = replace(params.load("evaluate", evaluate.Params), dtype="float32", batch_size=2)
    loaded = engine.load(out, tokenizer, one)
    turns = [[{"role": "user", "content": text}] for text in ("a", "What is <pad></s>?")]
    asked = conversations.render(tokenizer, turns, True)
    requests = [
        Request(str(number), 0, turn, each.text, each.ids, None)
        for number, (turn, each) in enumerate(zip(turns, asked, strict=True))
    ]
    got: list[tuple[Request, Response]] = []
    loaded.answer(requests, Limits(4, []), got.extend)
    assert [response.num_tokens <= 4 for _, response in got] == [True, True]


def test_the_index_of_a_sharded_model_names_several_files(made: Any) -> None:
    index = json.loads((made["chatml"][0] / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
