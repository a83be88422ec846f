"""docs/configuration.md has every key that the code knows, as code and conf/ have it today."""

from collections.abc import Callable, Iterator

import pytest
from omegaconf import OmegaConf

from docs import configuration
from mathledger.run.compose import compose


def test_the_page_is_current() -> None:
    assert configuration.PAGE.read_text(encoding="utf-8") == configuration.page(), (
        "run `make params`, and commit docs/configuration.md"
    )


def leaves(node: object, is_named: Callable[[str], bool], path: str = "") -> Iterator[str]:
    """The paths of all values; keys that are names are called NAME, as on the page."""
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
        is_in_a_title = path == "models" or path.endswith("source.kind")
        assert path in types or is_named_by_user or is_in_a_title, path


def test_every_key_has_a_meaning() -> None:
    rows = [
        row for row in configuration.PAGE.read_text("utf-8").splitlines() if row.startswith("| `")
    ]
    assert rows and not [row for row in rows if row.split(" | ")[-1].strip(" |") == ""]
