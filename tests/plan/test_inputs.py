"""The plan reads the lengths of rows from an existing mix."""

from pathlib import Path
from typing import Any

import pytest

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.plan import inputs

LINEAGE: dict[str, Any] = {
    "stage": "mix",
    "item": None,
    "experiment": None,
    "git_revision": "0" * 40,
    "code_is_dirty": False,
    "deps": {},
    "params": {"mix.seed": 7},
    "mlflow_run_id": "1" * 32,
    "packages": {},
    "hardware": {"cpu": "one"},
    "started": "2026-01-01T00:00:00+00:00",
    "seconds": 1.0,
}


def test_rows_are_measured_only_of_a_mix_with_these_params(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not inputs.is_made_with("mix", {"mix.seed": 7})
    write_json(Path("lineage/mix.json"), LINEAGE)
    assert inputs.is_made_with("mix", {"mix.seed": 7, "train.seed": 1})
    assert not inputs.is_made_with("mix", {"mix.seed": 8})


def test_a_damaged_lineage_is_one_line_with_file_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(Path("lineage/mix.json"), {k: v for k, v in LINEAGE.items() if k != "params"})
    with pytest.raises(InputError, match=r"^lineage/mix\.json: params: missing key; run"):
        inputs.is_made_with("mix", {})
