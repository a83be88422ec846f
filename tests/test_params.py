"""conf/ compiles to params.yaml, and mistakes are reported before any stage runs."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.core import configuration
from mathledger.core.errors import InputError
from mathledger.run import params
from mathledger.run.compose import compose
from stages import params as stage
from tests.conftest import ROOT, Workspace, clean_environment


def test_the_installed_command_composes_without_the_project_on_its_path(tmp_path: Path) -> None:
    """The script `mathledger` does not import from the current folder, as `python -m` does."""
    (tmp_path / "mathledger").symlink_to(ROOT / "mathledger")
    code = "from mathledger.run.compose import compose; print(compose([]), end='')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=ROOT,
        env=clean_environment() | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == configuration.PARAMS.read_text(), done.stderr


def test_committed_snapshot_is_what_conf_compiles_to() -> None:
    assert configuration.PARAMS.read_text() == compose([])


def test_check_names_the_line_that_differs(workspace: Workspace) -> None:
    text = (workspace.path / "params.yaml").read_text()
    (workspace.path / "params.yaml").write_text(text.replace("seed: 42", "seed: 43", 1))
    shown = workspace.python("-m", "stages.params", "--check", "experiment=smoke", ok=False)
    assert "-  seed: 43" in shown and "run `make params`" in shown


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.learning_rte=1e-4", "learning_rte"),
        ("train.warmup_ratio=0.1", "no key train.warmup_ratio; did you mean train.warmup_steps?"),
        ("train=3", "does not compose: Config group override must be"),
        ("train.learning_rate=-1", "train.learning_rate: Input should be greater than 0, got -1"),
        ("train.launch.command='a; b'", "the shell would read ';' as more than that"),
        ("train.attn_implementation=org/kernel", "train.attn_implementation: Input should be"),
        ("+train.foo=3", "train.foo: unknown key"),
        ("train.learning_rate=fast", "train.learning_rate: Input should be a valid number"),
        ("train.max_length=1.5", "train.max_length"),
        ("~train.seed", "train.seed: missing key"),
        ("train=lora9", "lora9"),
        ("benchmark=[]", "no benchmark is chosen"),
        ("prompt.template=hello", "prompt.template: {problem} must be the template's"),
        (
            "prompt.template='{{problem}}'",
            "once or more; write literal braces twice: {{ }}, got '{{problem}}'",
        ),
        ("benchmark.champ.source.sha256=abc", "benchmark.champ.source.sha256"),
        ("+benchmark.champ.colour=red", "colour: unknown key"),
        ("+extra.section=1", "extra: unknown section"),
    ],
)
def test_a_wrong_override_is_one_error_that_names_the_key(
    override: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = configuration.PARAMS.read_text()
    monkeypatch.setattr("sys.argv", ["stages.params", override])
    with pytest.raises(SystemExit) as ended:
        stage.main()
    shown = str(ended.value)
    assert shown.startswith("error: ") and message in shown
    assert configuration.PARAMS.read_text() == before


def test_a_section_edited_by_hand_is_checked_when_a_stage_reads_it(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    configuration.PARAMS.write_text("mix: {seed: 1, max_examples: null, validation_rate: '0.1'}\n")
    from mathledger.filters import mix

    with pytest.raises(InputError, match=r"mix\.validation_rate: .*got '0\.1'"):
        params.load("mix", mix.Params)
    with pytest.raises(InputError, match=r"params\.yaml has no corpus"):
        params.load("corpus.x.mix", mix.Corpus)


def test_scientific_notation_is_a_number() -> None:
    """PyYAML by itself reads 1e-05 as a string."""
    assert "learning_rate: 1.0e-05" in compose(["train.learning_rate=1e-5"])


BROKEN = [
    "a: [1\n b: {", "5\n", "a: 1\na: 2\n", "a: &x\n  b: *x\n", "\0", "a: \tb\n\tc: 1", "'a", "{",
    "a: !!python/object:os.system 1\n", "? [1, 2]\n: 3\n", "null: 3\n", "a: ${\n", "a: *b\n",
    "%YAML 9\n---\na: 1\n", "--- 1\n--- 2\n", "a: 1: 2\n",
]  # fmt: skip
# What YAML and OmegaConf read as something other than text.
SIGNS = st.text("ab1: \n\t-[]{}'\"&*!?|>%@`#,.~$\\\0\u00e9\ud7ff", max_size=30)


SMALL = """\
defaults:
  - prompt: boxed
  - train: full
  - benchmark: [champ]
  - _self_
"""


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Work next to a conf/ with few of our files, which composes in half of the time."""
    top = tmp_path_factory.mktemp("broken")
    files = "prompt/boxed", "train/full", "train/launch/python", "benchmark/champ"
    for name in (*files, "benchmark/task/default"):
        path = top / f"conf/{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / f"conf/{name}.yaml", path)
    (top / "conf/config.yaml").write_text(SMALL)
    with contextlib.chdir(top):
        compose([])
        yield top / "conf"


@contextlib.contextmanager
def written(path: Path, text: str) -> Iterator[None]:
    """Give a file another content, and put the old one back afterwards."""
    old = path.read_bytes()
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        yield
    finally:
        path.write_bytes(old)


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["train/full.yaml", "config.yaml"])
def test_a_file_that_is_no_yaml_is_named(conf: Path, name: str, text: str) -> None:
    with written(conf / name, text), pytest.raises(InputError) as error:
        compose([])
    message = str(error.value)
    assert message.startswith(f"conf/{name} is not a YAML file of keys and values: ")
    assert message.endswith(": correct the file") and "\n" not in message


@settings(deadline=None, max_examples=40, suppress_health_check=[*HealthCheck])
@given(st.sampled_from(["train/full.yaml", "config.yaml", "benchmark/champ.yaml"]), SIGNS)
def test_whatever_a_file_holds_it_composes_or_an_error_says_why(
    conf: Path, name: str, text: str
) -> None:
    with written(conf / name, text):
        try:
            compose([])
        except InputError as error:
            assert "\n" not in str(error) and not str(error).endswith(": ")
