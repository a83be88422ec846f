"""What is printed to pin a source reads back as it was, whatever the files are called."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.paths import given_path
from mathledger.data import pins

TEXTS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=30
)
ODD = st.text("#: '\"~()\n\t%&!{}[],|>@`\\$ äé中-.e+1", min_size=1, max_size=12)
NUMBERS = st.sampled_from(
    ["1e5", "1_000", "0x1F", ".5", ".inf", "null", "~", "on", "No", "1:30", "2026-01-01"]
)


@settings(deadline=None, max_examples=50)
@given(TEXTS | ODD | NUMBERS | st.floats().map(str))
@example("-")
@example("? a")
@example("${oc.env:HOME}")
@example("\u2028\ufeff")
def test_any_text_reads_back(text: str) -> None:
    line = pins.yaml_text(text)
    assert "\n" not in line
    for content in (f"files:\n  {line}: {line}\n", f"files: {{{line}: {line}}}\n"):
        assert yaml.safe_load(content) == {"files": {text: text}}
    assert OmegaConf.to_container(OmegaConf.create(f"a:\n  {line}: b\n")) == {"a": {text: "b"}}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        (TEXTS | ODD | NUMBERS).map(lambda name: name.replace("/", "_")[:60]),
        min_size=1,
        max_size=4,
    )
)
def test_the_files_of_a_folder_read_back(tmp_path: Path, names: list[str]) -> None:
    folder = tmp_path / "it's (mine): #1"
    folder.mkdir()
    wanted = {}
    for name in names:
        path = folder / name
        if name not in (".", "..") and not path.exists():
            path.write_text(name)
            if not name.startswith("."):
                wanted[str(path)] = sha256(path)
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lines.append)
        pins._print_files(pins.local_pins([str(folder)]))
    shutil.rmtree(folder)
    text = "\n".join(lines)
    assert (yaml.safe_load(text)["files"] or {}) == wanted
    assert OmegaConf.to_container(OmegaConf.create(text)) == {"files": wanted or None}


def test_a_name_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"YAML has no spelling for the name .*: rename the file"):
        pins.yaml_text("a\udcff.jsonl")


def test_links_keep_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the hub's cache, where snapshots/ holds links to files named by their digests."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/2543c7").write_text("{}")
    snapshot = tmp_path / "snapshots/main/data"
    snapshot.mkdir(parents=True)
    (snapshot / "train.jsonl").symlink_to("../../../blobs/2543c7")
    (snapshot / ".DS_Store").write_text("")
    (tmp_path / "mine").symlink_to(snapshot)
    monkeypatch.chdir(tmp_path)
    for text in (str(snapshot), "snapshots/main", "mine", "mine/train.jsonl"):
        ((path, digest),) = pins.local_pins([text])
        assert Path(path).name == "train.jsonl" and digest == sha256(snapshot / "train.jsonl")


def test_a_path_of_the_user_counts_from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", "/checkout")
    monkeypatch.setenv("HOME", "/home/me")
    assert given_path("mine.jsonl") == Path("/checkout/mine.jsonl")
    assert given_path("~/mine (1).jsonl") == Path("/home/me/mine (1).jsonl")
    assert given_path("/abs/~/a") == Path("/abs/~/a")
    with pytest.raises(InputError, match="~nobody-here/a: there is no such user"):
        given_path("~nobody-here/a")
