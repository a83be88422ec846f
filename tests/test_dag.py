"""dvc.yaml and stages/ agree: each stage has one name and one section and declares its rooms."""

import ast
import itertools
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathledger.card import replicates
from mathledger.core.paths import is_code
from mathledger.evaluation import reruns
from mathledger.filters import reviewed
from tests.conftest import clean_environment

STAGES: dict[str, Any] = {
    name: stage.get("do", stage)  # A foreach repeats its `do`.
    for name, stage in yaml.safe_load(Path("dvc.yaml").read_text())["stages"].items()
}
LAUNCHERS = {name: f"${{{name}.launch.command}}" for name in ("train", "evaluate")}
LAUNCHERS["reinforce"] = "${item.launch.command}"
MODULES = {path.stem for path in Path("stages").glob("*.py")} - {"__init__", "params"}
# An edit here changes no result and must not retrain a model. These modules record a run, share the
# machine between runs, and read and compose params.yaml.
NOT_DEPS = {"mathledger/run"}
# A stage may read its own section, that of its matrix item, and these shared sections.
# `probe` asks a model as `evaluate` does.
SHARED_SECTIONS = {"corpus", "benchmark", "engine", "model", "models", "prompt", "evaluate"}


def room(module: Path) -> str:
    """Return the folder of the package that a module is in, the unit of cache invalidation."""
    return Path(*module.parts[:2]).as_posix()


def imports(path: Path) -> set[Path]:
    """Return the package's modules that a file imports, also inside functions and indirectly."""
    found: set[Path] = set()
    todo = [path]
    while todo:
        for module in imported(todo.pop()) - found:
            found.add(module)
            if room(module) not in NOT_DEPS:
                todo.append(module)
    return found


@cache
def imported(path: Path) -> set[Path]:
    """Return the package's modules that a file itself imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {
        Path(name.replace(".", "/") + ".py") for name in names if name.startswith("mathledger")
    }
    return {file for file in files if file.exists()}


def entries(stage: dict[str, Any], kind: str) -> list[str]:
    return [next(iter(e)) if isinstance(e, dict) else e for e in stage.get(kind, [])]


def test_stages_are_the_modules() -> None:
    assert set(STAGES) == MODULES


@pytest.mark.parametrize("name", STAGES)
def test_command_runs_the_module(name: str) -> None:
    items = "".join(f" ${{item.{key}}}" for key in STAGES[name].get("matrix", {}))
    assert STAGES[name]["cmd"] == f"{LAUNCHERS.get(name, 'python')} -m stages.{name}{items}"


@pytest.mark.parametrize("name", STAGES)
def test_stage_is_described_and_tested(name: str) -> None:
    assert STAGES[name]["desc"]
    assert Path(f"tests/test_{name}.py").exists()


@pytest.mark.parametrize("name", STAGES)
def test_code_dependencies_are_declared(name: str) -> None:
    own = Path(f"stages/{name}.py")
    needed = {own.as_posix()} | {room(module) for module in imports(own)} - NOT_DEPS
    declared = {dep for dep in entries(STAGES[name], "deps") if is_code(dep)}
    inputs = [*reviewed.FILES.values(), replicates.FILE, reruns.FILE]
    assert declared == needed | {path.as_posix() for path in inputs if path.parent.name == name}


def test_no_stage_is_imported() -> None:
    """A stage owns its paths and passes them on; params.py compiles and is only for people."""
    for path in [*Path("mathledger").rglob("*.py"), *Path("stages").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from stages|import stages)", text, re.MULTILINE), path


@pytest.mark.parametrize("name", STAGES)
def test_params_are_the_stages_own_section_or_a_shared_one(name: str) -> None:
    sections = {param.split(".")[0] for param in STAGES[name]["params"]}
    if name == "model_card":  # The card reads every section.
        assert sections == {path.name for path in Path("conf").iterdir() if path.is_dir()} - {
            "experiment",
            "ablation",
        } | {"evaluated_models"}
    else:
        assert sections <= SHARED_SECTIONS | {name}
    if not name.startswith("download_"):
        assert name in sections and Path(f"conf/{name}").is_dir()


@pytest.mark.parametrize("name", STAGES)
def test_every_section_that_the_code_loads_is_declared(name: str) -> None:
    loaded = re.findall(r'params\.load\(\s*f?"([^"]+)"', Path(f"stages/{name}.py").read_text())
    assert loaded
    declared = [re.sub(r"\$\{item\.\w+\}", "*", param) for param in STAGES[name]["params"]]
    for section in loaded:
        wanted = re.sub(r"\{\w+\}", "*", section)
        assert any(wanted == d or wanted.startswith(d + ".") for d in declared), section


@pytest.mark.parametrize("name", STAGES)
def test_outs_carry_the_stages_name(name: str) -> None:
    models = {"download_model": "data/model/base", "train": "data/model/tuned"}
    models["download_models"] = "data/model/${item.model}"
    models["reinforce"] = "data/model/reinforced"
    for out in entries(STAGES[name], "outs"):
        allowed = (
            f"data/{name}",
            f"lineage/{name}",
            models.get(name, "-"),
        )
        assert out == "model_card" or out.startswith(allowed), out
    for metric in entries(STAGES[name], "metrics"):
        assert metric.startswith(f"metrics/{name}"), metric
    for plot in entries(STAGES[name], "plots"):
        assert plot.startswith((f"plots/{name}/", f"lineage/{name}.csv")), plot


def test_every_stage_but_the_card_has_all_outs_in_the_cache() -> None:
    """If one output is not cached, DVC never restores the stage from its run cache."""
    for name in set(STAGES) - {"model_card"}:
        assert not [out for out in STAGES[name]["outs"] if isinstance(out, dict)], name


def test_every_data_dependency_is_made_by_a_stage() -> None:
    outs = list(itertools.chain(*(entries(stage, "outs") for stage in STAGES.values())))
    for name, stage in STAGES.items():
        for dep in entries(stage, "deps"):
            if dep.startswith("data/"):
                prefix = dep.split("${")[0].rstrip("/")
                assert any(out.startswith(prefix) or dep.startswith(out) for out in outs), (
                    name,
                    dep,
                )


@pytest.mark.slow
def test_importing_a_stage_does_not_import_torch_trl_or_mlflow() -> None:
    """These imports take seconds, so only the functions that use the packages import them."""
    import subprocess
    import sys

    modules = ", ".join(f"stages.{name}" for name in sorted(MODULES))
    code = f"import sys, {modules}; print(*sorted({{'torch', 'trl', 'mlflow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_what_python_and_editors_leave_in_a_room_is_not_a_change(tmp_path: Path) -> None:
    shutil.copy(".dvcignore", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room/module.py").write_text("one = 1\n")
    (tmp_path / "dvc.yaml").write_text("stages: {stage: {cmd: 'true', deps: [room]}}\n")

    def run(*command: str) -> str:
        environment = clean_environment()
        return subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)

    run("dvc", "init", "--quiet", "--no-scm")
    run("dvc", "repro", "--quiet")
    for name in ("__pycache__/module.pyc", ".module.py.swp", "module.py~", ".#module.py", "#a.py#"):
        (tmp_path / "room" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "room" / name).write_text("left")
    assert json.loads(run("dvc", "status", "--json")) == {}
    (tmp_path / "room/module.py").write_text("one = 2\n")
    assert json.loads(run("dvc", "status", "--json")) == {
        "stage": [{"changed deps": {"room": "modified"}}]
    }
