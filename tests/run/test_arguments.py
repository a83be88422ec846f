"""A stage that is run by hand takes its item and nothing else; a mistake is one line."""

import importlib
from pathlib import Path

import pytest

STAGES = sorted(path.stem for path in Path("stages").glob("[a-z]*.py") if path.stem != "params")
ITEMS = {"prepare": "CORPUS", "download_corpus": "CORPUS", "download_benchmark": "BENCHMARK"}
ITEMS |= {"download_models": "MODEL", "probe": "MODEL", "evaluate": "model benchmark"}


def error(stage: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the only line that a stage prints before it exits with status 2."""
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"stages.{stage}").main()
    shown = capsys.readouterr()
    assert ended.value.code == 2 and not shown.out
    (line,) = shown.err.splitlines()
    assert f"; usage: python -m stages.{stage}" in line
    return line


@pytest.mark.parametrize("stage", STAGES)
def test_arguments_that_a_stage_does_not_take_are_refused(
    stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ITEMS.get(stage, "").split()
    monkeypatch.setattr("sys.argv", [f"stages.{stage}", *given, "junk"])
    assert "error: unrecognized arguments: junk" in error(stage, capsys)


@pytest.mark.parametrize("stage", ITEMS)
def test_an_item_that_is_missing_or_unknown_is_named(
    stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [f"stages.{stage}"])
    missing = ", ".join(ITEMS[stage].split())
    assert f"the following arguments are required: {missing}" in error(stage, capsys)
    if stage != "evaluate":  # Its two arguments name one item of dvc.yaml, which DVC looks up.
        monkeypatch.setattr("sys.argv", [f"stages.{stage}", "nosuch"])
        kind = ITEMS[stage].lower()
        assert f"params.yaml has no {kind} 'nosuch', only " in error(stage, capsys)
