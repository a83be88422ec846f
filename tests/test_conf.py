"""Every option and experiment of conf/ composes, and all of their sections load."""

import copy
import itertools
import re
import shlex
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from mathledger.core.errors import InputError
from mathledger.run import compose as compose_module
from mathledger.run.compose import compose
from stages import params

GROUPS = sorted(path for path in Path("conf").iterdir() if path.is_dir())
SEVERAL = ("corpus", "benchmark", "models")  # Groups of which several options may be chosen.
OPTIONS = [
    (group.name, option.stem)
    for group in GROUPS
    for option in sorted(group.glob("*.yaml"))
    if group.name not in ("experiment", "ablation", *SEVERAL)
]
DEFAULTS = {
    group: option
    for chosen in yaml.safe_load(Path("conf/config.yaml").read_text())["defaults"]
    if chosen != "_self_"
    for group, option in chosen.items()
}
LAUNCHERS = sorted(path.stem for path in Path("conf/train/launch").glob("*.yaml"))
# Values that the user must supply, by option.
WANTED = {
    "local": "{group}.local.source.files={{a.jsonl: " + "a" * 64 + "}}",
    "frontiermath_tier1": "{group}.frontiermath_tier1.source.files={{a.jsonl: " + "a" * 64 + "}}",
    "deepseek_math_7b_rl": "model.source={{kind: hub, licence: deepseek, repo: a/b, revision: "
    + "a" * 40
    + ", files: {{config.json: null}}}}",
}
WANTED["hub"] = "{group}.hub.source={{kind: hub, licence: unknown, repo: a/b, revision: "
WANTED["hub"] += "a" * 40 + ", files: {{config.json: null}}}}"
WANTED["served"] = "{group}.served.source.model=m"
EXPERIMENTS = sorted(path.stem for path in Path("conf/experiment").glob("*.yaml"))
ABLATIONS = sorted(path.stem for path in Path("conf/ablation").glob("*.yaml"))


def overrides(experiment: str) -> list[str]:
    """Return overrides that choose the experiment and supply the user's values."""
    text = Path(f"conf/experiment/{experiment}.yaml").read_text()
    return [f"experiment={experiment}"] + [
        wanted.format(group="") for option, wanted in WANTED.items() if option in text
    ]


@cache
def composed(*overrides: str) -> str:
    """Compose once for all tests that read the same overrides; composing takes 0.1 s."""
    return compose(list(overrides))


@cache
def parsed(*overrides: str) -> Any:
    return OmegaConf.to_container(OmegaConf.create(composed(*overrides)))


def content_of(*overrides: str) -> Any:
    """Return the parsed text of params.yaml, which the caller may change."""
    return copy.deepcopy(parsed(*overrides))


def load_all(overrides: list[str]) -> None:
    params.check_all(content_of(*overrides))


def test_default_options_load_by_name() -> None:
    """An error names the option's group, because it names the key."""
    load_all([f"{group}={option}" for group, option in OPTIONS if option == DEFAULTS[group]])


@pytest.mark.parametrize(
    ("group", "option"), [each for each in OPTIONS if each[1] != DEFAULTS[each[0]]]
)
def test_option_loads(group: str, option: str) -> None:
    overrides = [f"{group}={option}"]
    if option in WANTED:
        overrides.append(WANTED[option].format(group=group))
    load_all(overrides)


@pytest.mark.slow
@pytest.mark.parametrize("group", SEVERAL)
def test_all_options_load_together(group: str) -> None:
    """An error names the option, because it names the key."""
    options = sorted(path.stem for path in Path(f"conf/{group}").glob("*.yaml"))
    wanted = [WANTED[option].format(group=group) for option in options if option in WANTED]
    load_all([f"{group}=[{','.join(options)}]", *wanted])


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launcher_loads_for_both_trainings(launcher: str) -> None:
    groups = ("train/launch", "train/launch@reinforce.grpo.launch")
    load_all(["reinforce=grpo", *(f"{group}={launcher}" for group in groups)])


@pytest.mark.parametrize("launcher", ["python", "ddp"])
def test_evaluation_has_launchers_that_do_not_shard(launcher: str) -> None:
    load_all([f"train/launch@evaluate.launch={launcher}"])


def test_evaluation_refuses_to_shard() -> None:
    with pytest.raises(InputError, match="evaluation cannot shard a model"):
        load_all(["train/launch@evaluate.launch=fsdp2"])


PRESETS = [
    path for path in sorted(Path("conf/evaluate").glob("*.yaml")) if "(read " in path.read_text()
]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_makers_settings_name_their_source_and_go_with_every_engine(path: Path) -> None:
    assert re.search(r"^# https://\S+(\n#)? \(read \d{4}-\d\d-\d\d", path.read_text(), re.M)
    content = content_of(f"evaluate={path.stem}")
    content["evaluate"]["backend"] = "vllm"
    params.check_all(content)
    server = {"base_url": "http://h/v1/x", "model": None, "software": "vllm"}
    content["evaluate"]["server"] = server | {"max_retries": 1, "timeout_s": 9}
    for backend in ("local-completions", "local-chat-completions"):
        content["evaluate"]["backend"] = backend
        params.check_all(content)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_loads(experiment: str) -> None:
    load_all(overrides(experiment))


def sweep(command: list[str]) -> list[list[str]]:
    """Return the overrides of each experiment that `dvc exp run --queue` makes from a command."""
    from dvc.utils.hydra import get_hydra_sweeps

    chosen = [value for flag, value in itertools.pairwise(command) if flag == "-S"]
    return [each["params.yaml"] for each in get_hydra_sweeps({"params.yaml": chosen})]


def head(group: str, option: str) -> str:
    """Return the comment at the top without Hydra's line."""
    lines = Path(f"conf/{group}/{option}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(line.removeprefix("# ") for line in lines[1:end])


@pytest.mark.parametrize(
    ("group", "option"),
    [("experiment", each) for each in EXPERIMENTS] + [("ablation", each) for each in ABLATIONS],
)
def test_experiments_and_ablations_are_headed_by_their_command(group: str, option: str) -> None:
    """The command is a shell line that chooses the option and composes."""
    command = shlex.split(head(group, option).splitlines()[0].split("   ")[0])
    assert command[:3] == ["dvc", "exp", "run"]
    wanted = overrides(option)[1:] if group == "experiment" else []
    for each in sweep(command):
        assert f"{group}={option}" in each
        load_all(each + wanted)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_is_a_whole_recipe(experiment: str) -> None:
    text = Path(f"conf/experiment/{experiment}.yaml").read_text()
    for group in ("corpus", "benchmark", "model"):
        assert f"override /{group}:" in text


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_ablation_states_a_hypothesis_and_is_named(ablation: str) -> None:
    assert re.search(r"^Hypothesis: \w", head("ablation", ablation), re.MULTILINE)
    assert " --name " in head("ablation", ablation).splitlines()[0]


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_ablation_changes_what_a_run_computes(ablation: str) -> None:
    """At least one value of a sweep must change something, or the ablation answers no question."""
    command = shlex.split(head("ablation", ablation).splitlines()[0])
    assert {composed(*each) for each in sweep(command)} - {composed()}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.slow
def test_ablation_goes_with_any_experiment(ablation: str, experiment: str) -> None:
    load_all([*overrides(experiment), f"ablation={ablation}"])


def test_two_ablations_at_once() -> None:
    content = content_of("experiment=smoke", "ablation=[lora,no_dedup]")
    assert content["train"]["lora"] and content["deduplicate"]["action"] == "keep"


def test_keys_are_not_booleans_of_yaml_1_1() -> None:
    """YAML 1.1 would read n, y, no, on and off as booleans."""
    for path in Path("conf").rglob("*.yaml"):
        keys = [line.split(":")[0].strip() for line in path.read_text().splitlines()]
        assert not {"n", "y", "no", "yes", "on", "off"} & set(keys), path


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_no_key_is_invisible_to_the_run_cache(experiment: str) -> None:
    """DVC omits keys with these names from its run cache's digest, even in params.

    A run with another value would get the old outputs: docs/decisions/0004-no-param-named-size.md.
    """
    content = content_of(*overrides(experiment))

    def keys(node: object) -> set[str]:
        if isinstance(node, list):
            return set().union(*(keys(each) for each in node))
        if isinstance(node, dict):
            return {str(key) for key in node}.union(*(keys(value) for value in node.values()))
        return set()

    assert not {"size", "nfiles"} & keys(content)


@pytest.mark.parametrize("line", ["", "# @package corpus.local\n"])
def test_a_corpus_that_is_not_called_as_its_file_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users who copy a file tend to forget its first line."""
    shutil.copytree("conf", tmp_path / "conf")
    text = Path("conf/corpus/local.yaml").read_text()
    mine = text.replace("# @package corpus.local\n", line)
    (tmp_path / "conf/corpus/mine.yaml").write_text(mine)
    monkeypatch.setattr(compose_module, "CONF", tmp_path / "conf")
    wanted = "corpus/mine.yaml: the first line must be `# @package corpus.mine`"
    with pytest.raises(InputError, match=wanted):
        compose(["experiment=smoke"])


@pytest.mark.parametrize("name", ["my rows", "rows;ls", "-rows", "rows.v2"])
def test_a_corpus_whose_name_a_shell_would_misread_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dvc exp run` composes without the checks of `stages.params`."""
    shutil.copytree("conf", tmp_path / "conf")
    text = Path("conf/corpus/local.yaml").read_text()
    (tmp_path / f"conf/corpus/{name}.yaml").write_text(
        text.replace("corpus.local", f"corpus.{name}")
    )
    monkeypatch.setattr(compose_module, "CONF", tmp_path / "conf")
    with pytest.raises(InputError, match=f"'{re.escape(name)}' cannot name a corpus"):
        compose(["experiment=smoke"])
