"""Every option and every experiment of conf/ composes, and every section of it loads."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from stages import params
from stages.common.errors import InputError

GROUPS = sorted(path for path in Path("conf").iterdir() if path.is_dir())
OPTIONS = [
    (group.name, option.stem)
    for group in GROUPS
    for option in sorted(group.glob("*.yaml"))
    if group.name != "experiment"
]
LAUNCHERS = sorted(path.stem for path in Path("conf/train/launch").glob("*.yaml"))
# What a user has to fill in, by the option that wants it.
WANTED = {
    "local": "{group}.local.source.files={{a.jsonl: " + "a" * 64 + "}}",
    "frontiermath_tier1": "{group}.frontiermath_tier1.source.files={{a.jsonl: " + "a" * 64 + "}}",
    "deepseek_math_7b_rl": "model.source={{kind: hub, licence: deepseek, repo: a/b, revision: "
    + "a" * 40
    + ", files: {{config.json: null}}}}",
}
EXPERIMENTS = sorted(path.stem for path in Path("conf/experiment").glob("*.yaml"))


def overrides(experiment: str) -> list[str]:
    """The experiment, with what it wants from the user filled in."""
    text = Path(f"conf/experiment/{experiment}.yaml").read_text()
    return [f"experiment={experiment}"] + [
        wanted.format(group="") for option, wanted in WANTED.items() if option in text
    ]


def load_all(overrides: list[str]) -> None:
    content = OmegaConf.to_container(OmegaConf.create(params.compose(overrides)))
    assert isinstance(content, dict)
    params.check_all({str(key): value for key, value in content.items()})


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_option_loads(group: str, option: str) -> None:
    several = group in ("corpus", "benchmark")
    overrides = [f"{group}=[{option}]" if several else f"{group}={option}"]
    if option in WANTED:
        overrides.append(WANTED[option].format(group=group))
    load_all(overrides)


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("group", ["train/launch", "train/launch@reinforce.grpo.launch"])
def test_launcher_loads(group: str, launcher: str) -> None:
    load_all(["reinforce=grpo", f"{group}={launcher}"])


@pytest.mark.parametrize("launcher", ["python", "ddp"])
def test_evaluation_has_launchers_that_do_not_shard(launcher: str) -> None:
    load_all([f"train/launch@evaluate.launch={launcher}"])


def test_evaluation_refuses_to_shard() -> None:
    with pytest.raises(InputError, match="each process holds the whole model"):
        load_all(["train/launch@evaluate.launch=fsdp2"])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_loads(experiment: str) -> None:
    load_all(overrides(experiment))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_is_headed_by_its_command(experiment: str) -> None:
    text = Path(f"conf/experiment/{experiment}.yaml").read_text()
    assert f"# dvc exp run -S experiment={experiment}" in text


def test_keys_are_not_booleans_of_yaml_1_1() -> None:
    """n, y, no, on, off would become true and false."""
    for path in Path("conf").rglob("*.yaml"):
        keys = [line.split(":")[0].strip() for line in path.read_text().splitlines()]
        assert not {"n", "y", "no", "yes", "on", "off"} & set(keys), path


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_no_key_is_invisible_to_the_run_cache(experiment: str) -> None:
    """DVC leaves keys of these names out of its run cache's digest, in params too, so that a run
    with another value would be given the old outs: docs/decisions/0004-no-param-named-size.md."""
    text = params.compose(overrides(experiment))
    content = OmegaConf.to_container(OmegaConf.create(text))

    def keys(node: object) -> set[str]:
        if isinstance(node, list):
            return set().union(*(keys(each) for each in node))
        if isinstance(node, dict):
            return {str(key) for key in node}.union(*(keys(value) for value in node.values()))
        return set()

    assert not {"size", "nfiles"} & keys(content)
