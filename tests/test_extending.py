"""The files and commands of docs/extending.md work exactly as the page shows them."""

import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.hub import serve

PAGE = Path("docs/extending.md")
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
OTHERWISE = {  # The tests have their own environment.
    "source .venv/bin/activate": "true",
    "make params": "make --old-file .venv/.ready params",
}


@dataclass
class Followed:
    """The texts that the page shows, and where they should appear: an output or the card."""

    workspace: Workspace
    outputs: list[tuple[str, str]] = field(default_factory=list)
    cards: list[tuple[str, str]] = field(default_factory=list)


def blocks() -> Iterator[tuple[str, str, str]]:
    """Yield the prose before each block of the page, the block's language and the block."""
    parts = re.split(r"^```(\w+)\n(.*?)^```\n", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    yield from zip(parts[::3], parts[1::3], parts[2::3], strict=False)


@pytest.fixture(scope="module")
def followed(smoke: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Follow the page in a clone with results; a test hub serves a tiny model under the name."""
    folder = tmp_path_factory.mktemp("extending")
    found = Followed(smoke.copy(folder / "project"))
    top, output = found.workspace.path, ""
    shutil.copytree(top / "data/model/base", folder / "hub" / MODEL)
    (folder / "hub" / MODEL / "receipt.json").unlink()
    with serve(folder / "hub") as hub:
        online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        online["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        for prose, language, block in blocks():
            block = block.replace("/path/to/mathledger", str(top))
            if language in ("json", "yaml"):
                path = top / re.findall(r"`([\w/]+\.(?:jsonl|yaml))`", prose)[-1]
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.replace("  ...\n", textwrap.indent(output, "  ")))
            elif language == "bash":
                lines = [OTHERWISE.get(line, line) for line in block.splitlines()]
                run = found.workspace.run
                output = "".join(run("bash", "-c", line, **online) for line in lines)
            elif language == "text":
                found.outputs.append((block, output))
            else:
                found.cards.append((block, (top / "model_card/README.md").read_text()))
    return found


def test_the_commands_print_what_the_page_shows(followed: Followed) -> None:
    assert len(followed.outputs) == 4
    for expected, output in followed.outputs:
        assert expected in output


def test_the_card_shows_what_the_page_says(followed: Followed) -> None:
    assert len(followed.cards) == 2
    for expected, card in followed.cards:
        assert set(expected.splitlines()) <= set(card.splitlines())


def test_what_was_added_is_committed_and_in_the_reference(followed: Followed) -> None:
    run = followed.workspace.run
    assert run("git", "status", "--porcelain", "conf", "docs") == ""
    reference = run("git", "show", "HEAD:docs/configuration.md")
    for option in ("corpus=my_corpus", "benchmark=my_benchmark", "model=my_model"):
        assert f"`{option}`" in reference
