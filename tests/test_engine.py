"""The same bytes on any number of threads, from any row groups, on Daft's own runner and on Ray."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.common import engine
from tests.conftest import Workspace, make_workspace
from tests.test_deduplicate import plant

OUTS = ("kept", "removed", "families")


def outputs(workspace: Workspace) -> dict[str, bytes]:
    folder = workspace.path / "data/deduplicate"
    return {out: (folder / f"{out}.parquet").read_bytes() for out in OUTS}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The stage deduplicate, run as configured on corpora that hold every kind of copy."""
    workspace = make_workspace(tmp_path_factory.mktemp("engine") / "project", "smoke")
    plant(workspace)
    workspace.python("-m", "stages.deduplicate")
    return workspace


@pytest.mark.parametrize(
    ("setting", "instead", "row_group_size"),
    [
        ("num_threads: null", "num_threads: 1", 1),
        ("num_threads: null", "num_threads: 2", 7),
        ("runner: native", "runner: ray", 7),
    ],
)
def test_deduplicate_writes_the_same_bytes(
    done: Workspace, tmp_path: Path, setting: str, instead: str, row_group_size: int
) -> None:
    copy = Workspace(tmp_path / "project")
    shutil.copytree(done.path, copy.path)
    shutil.rmtree(copy.path / "data/deduplicate")
    for file in (copy.path / "data/prepare").glob("*/kept.parquet"):
        pq.write_table(pq.read_table(file), file, row_group_size=row_group_size)
    params = copy.path / "params.yaml"
    assert setting in params.read_text()
    params.write_text(params.read_text().replace(setting, instead))
    copy.python("-m", "stages.deduplicate")
    assert outputs(copy) == outputs(done)


def test_rows_come_back_in_the_order_of_the_file(tmp_path: Path) -> None:
    names = [f"{number:032x}" for number in range(500)]
    texts = [str(number) * (number % 9) for number in range(500)]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": names, "text": texts}), path, row_group_size=11)

    def length(column: pa.Array) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        return np.array([[len(text)] for text in column.to_pylist()], np.uint8)

    found = engine.map_rows(path, ["text"], length, 1)
    assert found.ravel().tolist() == [len(text) for text in texts]
