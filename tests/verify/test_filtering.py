"""The link `data` quotes no training row where a benchmark is private: a row may copy an item."""

from pathlib import Path
from typing import Any

import pytest

from mathledger.chain.chain import Chain
from mathledger.core.files import write_json, write_text
from mathledger.verify import filtering
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

SECRET = "how many points lie within the disc"


@pytest.mark.parametrize("is_private", [True, False])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_a_changed_row_is_quoted_only_where_nothing_is_private(
    is_private: bool, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(_: Project, __: str | None, out: Path) -> dict[str, Any]:
        write_text(out / f"train{suffix}", '{"problem": "another"}\n')
        return {"num": 1}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(filtering, "_stages", lambda _: iter([("mix", None)]))
    monkeypatch.setattr(filtering, "RERUN", {"mix": again})
    write_text(Path(f"data/mix/train{suffix}"), f'{{"problem": "{SECRET}"}}\n')
    write_json(Path("metrics/mix.json"), {"num": 2})
    project = Project(Chain("workspace", None, tmp_path), VerifyOptions())
    source = {"kind": "local", "private": is_private}
    project.__dict__["settings"] = {"benchmark": {"exam": {"source": source}}, "corpus": {}}
    row, metric = filtering.again(project)
    assert f"data/mix/train{suffix}" in row and (SECRET in row) == (not is_private)
    assert metric == "metrics/mix.json: num is 2, but recomputing gives 1"
