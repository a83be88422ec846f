"""A number, a command or a name that cannot work is refused when the params are read."""

import shlex
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from mathledger.core.configuration import check, check_name
from mathledger.core.errors import InputError
from mathledger.model.launch import Launch
from mathledger.run.compose import compose
from mathledger.training import grpo, schedules, sft
from mathledger.training.lora import Lora

COMPOSED: Any = OmegaConf.to_container(
    OmegaConf.create(compose(["experiment=smoke", "train=lora", "reinforce=grpo"]))
)
SECTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "train": (sft.Params, COMPOSED["train"]),
    "train.lora": (Lora, COMPOSED["train"]["lora"]),
    "train.launch": (Launch, COMPOSED["train"]["launch"]),
    "reinforce.grpo": (grpo.Params, COMPOSED["reinforce"]["grpo"]),
}


def numbers() -> list[tuple[str, str]]:
    found = []
    for section, (into, _) in SECTIONS.items():
        for name, kind in typing.get_type_hints(into).items():
            if {int, float} & {kind, *typing.get_args(kind)} and kind is not bool:
                found.append((section, name))
    return found


@pytest.mark.parametrize(("section", "name"), numbers())
@pytest.mark.parametrize("value", [-1, -0.5, 1e400, "1"])
def test_every_number_has_a_range(section: str, name: str, value: Any) -> None:
    into, node = SECTIONS[section]
    assert check(section, node, into)
    with pytest.raises(InputError, match=rf"{section}\.{name}: ") as caught:
        check(section, node | {name: value}, into)
    assert "\n" not in str(caught.value)


def test_numbers_are_found() -> None:
    assert len(numbers()) > 25
    assert ("train", "learning_rate") in numbers() and ("train", "max_steps") in numbers()


@pytest.mark.slow
@pytest.mark.parametrize("name", typing.get_args(schedules.Name))
def test_every_scheduler_takes_its_arguments(name: str) -> None:
    import torch
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    arguments = schedules.arguments(name, 0.1)
    assert get_scheduler(name, optimizer, 1, 10, scheduler_specific_kwargs=arguments)


def test_a_floor_that_a_scheduler_would_ignore_is_refused() -> None:
    node = SECTIONS["train"][1] | {"lr_scheduler_type": "linear"}
    with pytest.raises(InputError, match=r"train: min_lr_rate=0.1 has no effect .* min_lr_rate=0"):
        check("train", node, sft.Params)
    assert check("train", node | {"min_lr_rate": 0}, sft.Params)


def test_a_group_of_responses_must_fit_a_batch() -> None:
    node = SECTIONS["reinforce.grpo"][1] | {"per_device_train_batch_size": 6}
    with pytest.raises(InputError, match="num_generations=8 must divide the 6 responses"):
        check("reinforce.grpo", node, grpo.Params)


@pytest.mark.parametrize("file", sorted(Path("conf/train/launch").glob("*.yaml")), ids=str)
def test_each_launcher_of_ours_is_one_command(file: Path) -> None:
    content = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    assert check("train.launch", content, Launch)


ODD = [";", "&", "|", "`", "$(", ">", "<", "\n", '"', "\\", "#", "*", "?", "!", "{", "(", "\0"]


@given(st.lists(st.sampled_from([*ODD, "python", " ", "'", "-m", "$X", "=", "a/b"]), min_size=1))
def test_a_launcher_is_one_command_or_is_refused(pieces: list[str]) -> None:
    """Outside single quotes, nothing that ends a command or starts another is accepted."""
    command = "".join(pieces)
    node = {"command": command, "num_processes": 1, "sharding": "none"}
    try:
        check("train.launch", node, Launch)
    except InputError as error:
        assert str(error).count("\n") == 0
        return
    words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    unquoted = "".join(command.split("'")[::2])
    assert words and not any(odd in unquoted for odd in ODD)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "$(x)", "../a", "-a", "a.b", "ä", "a\n", "a/b"])
def test_a_name_that_a_shell_or_a_path_would_misread_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a corpus: use only letters"):
        check_name("corpus", name)


@pytest.mark.parametrize("name", ["gsm8k", "my_rows-2", "A1"])
def test_plain_names_are_accepted(name: str) -> None:
    check_name("benchmark", name)
