"""The reference page and the editor schemas cover every key that the code accepts."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from omegaconf import OmegaConf

from docs import configuration, params_schema
from mathledger.run.compose import compose


@pytest.mark.slow
def test_the_page_is_current() -> None:
    assert configuration.PAGE.read_text(encoding="utf-8") == configuration.page(), (
        "run `make params` and commit docs/configuration.md"
    )


def leaves(node: object, is_named: Callable[[str], bool], path: str = "") -> Iterator[str]:
    """Yield the paths of all values; keys that are names become NAME, as on the page."""
    if not isinstance(node, dict):
        yield path
        return
    for key, value in node.items():
        name = "NAME" if is_named(path) else key
        yield from leaves(value, is_named, f"{path}.{name}".removeprefix("."))


@pytest.mark.parametrize("overrides", [[], ["train=qlora", "evaluate=server", "reinforce=grpo"]])
def test_every_key_of_the_compiled_file_is_on_the_page(overrides: list[str]) -> None:
    lines = configuration.PAGE.read_text(encoding="utf-8").splitlines()
    types = {row.split("`")[1]: row for row in lines if row.startswith("| `")}
    content = OmegaConf.to_container(OmegaConf.create(compose(overrides)))
    for path in leaves(content, lambda path: any(row.startswith(f"{path}.NAME.") for row in types)):
        is_named_by_user = "->" in types.get(path.rpartition(".")[0], "")
        is_in_a_title = path == "evaluated_models" or path.endswith("source.kind")
        assert path in types or is_named_by_user or is_in_a_title, path


def test_every_key_has_a_meaning() -> None:
    rows = [
        row for row in configuration.PAGE.read_text("utf-8").splitlines() if row.startswith("| `")
    ]
    assert rows and not [row for row in rows if row.split(" | ")[-1].strip(" |") == ""]


def test_the_schemas_are_current() -> None:
    files = params_schema.files()
    present = {params_schema.SETTINGS, *params_schema.FOLDER.iterdir()}
    assert present == set(files), "run `make params` and commit docs/schemas/ and .vscode/"
    for path, content in files.items():
        assert path.read_text(encoding="utf-8") == content, f"run `make params` and commit {path}"


def schema_of(path: Path) -> Any:
    """Return the schema with which an editor checks the file."""
    associated = json.loads(params_schema.SETTINGS.read_text(encoding="utf-8"))["yaml.schemas"]
    names = [
        name
        for name, globs in associated.items()
        for glob in ([globs] if isinstance(globs, str) else globs)
        if fnmatch(str(path.parent), str(Path(glob).parent)) and fnmatch(path.name, Path(glob).name)
    ]
    (name,) = names
    return schema_in(Path(name))


@cache
def schema_in(file: Path) -> Any:
    """Read a schema and check it, once for all files that it describes."""
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def mistakes(path: Path, content: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema_of(path))
    return [error.message for error in validator.iter_errors(content)]


@pytest.mark.parametrize(
    "path", [Path("params.yaml"), *sorted(Path("conf").rglob("*.yaml"))], ids=str
)
def test_a_file_is_right_by_its_schema_and_a_mistyped_key_is_not(path: Path) -> None:
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    assert not mistakes(path, content)
    assert "'sed' was unexpected" in " ".join(mistakes(path, content | {"sed": 1}))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("conf/experiment/mine.yaml", {"train": {"learning_rte": 1e-4}}),
        ("conf/experiment/mine.yaml", {"train": {"learning_rate": "fast"}}),
        ("conf/experiment/mine.yaml", {"model": {"source": {"kind": "hubb"}}}),
        ("conf/train/mine.yaml", {"lora": {"load_in_4bit": "nf4"}}),
        ("conf/train/launch/mine.yaml", {"sharding": "fsdp"}),
        ("conf/benchmark/mine.yaml", {"task": {"until": "###"}}),
        ("conf/corpus/mine.yaml", {"mix": {"weight": 2}}),
        ("conf/corpus/mine.yaml", {"source": {"kind": "local", "files": {"a": "beef"}}}),
    ],
)
def test_a_wrong_value_is_wrong_by_the_schema(path: str, content: object) -> None:
    assert mistakes(Path(path), content)


def test_a_complete_file_lacks_no_key() -> None:
    content: Any = OmegaConf.to_container(OmegaConf.load("params.yaml"))
    del content["train"]["seed"]
    assert mistakes(Path("params.yaml"), content) == ["'seed' is a required property"]
