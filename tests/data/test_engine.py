"""The engine gives the same bytes for any files, row groups and order, on threads and on Ray."""

import json
import random
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bench.make_corpus import MIN_ROWS, write_corpus
from mathledger.core.errors import InputError
from mathledger.core.tables import read_rows, write_rows
from mathledger.data import engine
from mathledger.data.benchmarks import ALL_ITEM
from mathledger.text import canonical
from tests.conftest import Workspace
from tests.test_deduplicate import FIRST, STORY, plant

pytestmark = pytest.mark.kernels

STAGES = ("deduplicate", "decontaminate")


def outputs(workspace: Workspace) -> dict[str, bytes]:
    files = [file for stage in STAGES for file in (workspace.path / "data" / stage).glob("*.*")]
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def done(start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Run the two stages as configured on corpora with every kind of copy and a leak."""
    workspace = start.copy(tmp_path_factory.mktemp("engine") / "project")
    workspace.python("-m", "stages.download_benchmark", "tiny_chain_sum")
    benchmark = workspace.path / "data/download_benchmark/tiny_chain_sum/all_items.parquet"
    write_rows(benchmark, [row | {"problem": STORY} for row in read_rows(benchmark)], ALL_ITEM)
    plant(workspace)
    for stage in STAGES:
        workspace.python("-m", f"stages.{stage}")
    return workspace


@pytest.mark.parametrize(
    ("setting", "instead", "row_group_size"),
    [
        ("num_threads: null", "num_threads: 1", 1),
        ("num_threads: null", "num_threads: 2", 7),
    ],
)
def test_the_engine_writes_the_same_bytes(
    done: Workspace, tmp_path: Path, setting: str, instead: str, row_group_size: int
) -> None:
    copy = in_row_groups(done.copy(tmp_path / "project"), row_group_size)
    assert len(outputs(done)) == 7 and made_anew(copy, {setting: instead}) == outputs(done)


def in_row_groups(workspace: Workspace, num_rows: int) -> Workspace:
    """Rewrite the inputs of the two stages with this many rows per row group."""
    for file in (workspace.path / "data/prepare").glob("*/kept.parquet"):
        pq.write_table(pq.read_table(file), file, row_group_size=num_rows)
    return workspace


def made_anew(workspace: Workspace, replacements: dict[str, str]) -> dict[str, bytes]:
    """Return the outputs of the two stages, run again with another text in params.yaml."""
    params = workspace.path / "params.yaml"
    for setting, instead in replacements.items():
        assert setting in params.read_text()
        params.write_text(params.read_text().replace(setting, instead))
    for stage in STAGES:
        shutil.rmtree(workspace.path / "data" / stage)
        workspace.python("-m", f"stages.{stage}")
    return outputs(workspace)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Start a cluster of three Ray nodes; the first has no CPU, so the others do all the work.

    The nodes run in a different folder from the stages.
    """
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


# A task takes long enough for the second node's worker to start while the first node's is busy.
NODES = """\
import sys, time
from pathlib import Path
import numpy, ray
from mathledger.data import engine

def node(column):
    time.sleep(0.1)
    place = bytes.fromhex(ray.get_runtime_context().get_node_id())
    return numpy.tile(numpy.frombuffer(place, numpy.uint8), (len(column), 1))

address = sys.argv[1] if sys.argv[1:] else None
engine.start(engine.Params("ray", None, address))
rows = Path("data/prepare/tiny_numinamath_cot/kept.parquet")
found = engine.map_rows(rows, ["problem"], node, 28)
print(*{f"node:{row.tobytes().hex()}" for row in found})
"""


def nodes(workspace: Workspace, *address: str) -> set[str]:
    """Return the nodes that worked on the rows of a file, as each reports."""
    return set(re.findall("node:([0-9a-f]+)", workspace.python("-c", NODES, *address)))


def test_the_nodes_of_a_cluster_share_the_rows_and_make_the_same_bytes(
    done: Workspace, tmp_path: Path, cluster: Any
) -> None:
    """Without an address a new Ray is started, although a cluster runs on this machine."""
    copy = in_row_groups(done.copy(tmp_path / "project"), 1)
    address = f"ray_address: {cluster.address}"
    settings = {"runner: native": "runner: ray", "ray_address: null": address}
    assert made_anew(copy, settings) == outputs(done)
    others = {node.node_id for node in cluster.worker_nodes}
    assert nodes(copy, cluster.address) == others
    assert not nodes(copy) & {*others, cluster.head_node.node_id}


@pytest.fixture(scope="module")
def raw_rows(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Return a generated corpus with near and exact copies."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, MIN_ROWS, seed=0)
    files = sorted((folder / "numinamath_cot").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(file) for file in files])
    return pa.concat_tables([table, table.slice(0, 100)])


@pytest.mark.slow
def test_the_generated_corpus_has_the_same_bytes_again(tmp_path: Path) -> None:
    first, second = (write_corpus(tmp_path / name, MIN_ROWS, seed=0) for name in "ab")
    assert first["files"] and first == second


def arranged(workspace: Workspace, table: pa.Table, num_files: int) -> dict[str, pa.Table]:
    """Return the outputs of the data stages for a corpus in this many files, without origins."""
    folder = workspace.path / "data/download_corpus" / FIRST
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = -(-len(table) // num_files)
    for number in range(num_files):
        pq.write_table(table.slice(number * size, size), folder / f"{number:02}.parquet")
    names = {file.name: {} for file in folder.iterdir()}
    (folder / "receipt.json").write_text(json.dumps({"files": names}))
    found = {}
    for stage in (f"prepare {FIRST}", *STAGES):
        workspace.python("-m", *f"stages.{stage}".split())
        for file in (workspace.path / "data" / stage.replace(" ", "/")).glob("*.parquet"):
            content = pq.read_table(file)
            places = {"origin_file", "origin_row"} & set(content.column_names)
            found[f"{stage}/{file.name}"] = content.drop_columns([*places])
    return found


def test_neither_files_nor_their_order_change_a_row(done: Workspace, raw_rows: pa.Table) -> None:
    file = done.path / "params.yaml"
    file.write_text(file.read_text().replace("check_answers: true", "check_answers: false"))
    first = arranged(done, raw_rows, 1)
    assert len(first) == 9 and all(len(table) for name, table in first.items() if "kept" in name)
    assert len(first["deduplicate/removed.parquet"]) > 100
    order = list(range(len(raw_rows)))
    random.Random(7).shuffle(order)
    for num_files, table in ((8, raw_rows), (64, raw_rows.take(order))):
        assert arranged(done, table, num_files) == first


def lengths(column: pa.Array) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    time.sleep(random.random() / 100)  # Threads finish in any order.
    return np.array([[len(text)] for text in column.to_pylist()], np.uint8).reshape(-1, 1)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore the runner afterwards."""
    monkeypatch.setattr(engine, "_settings", engine._settings)
    yield


@given(
    texts=st.lists(st.text(max_size=9), max_size=60),
    row_group_size=st.integers(1, 70),
    num_threads=st.integers(1, 5),
    chance=st.randoms(use_true_random=False),
)
@pytest.mark.usefixtures("settings")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_rows_come_back_in_the_order_of_the_file(
    tmp_path: Path, texts: list[str], row_group_size: int, num_threads: int, chance: random.Random
) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table({"text": pa.array(texts, pa.string())})
    pq.write_table(table, path, row_group_size=row_group_size)
    engine.start(engine.Params("native", num_threads, None))
    found = engine.map_rows(path, ["text"], lengths, 1)
    assert found.tolist() == [[len(text)] for text in texts]
    flags = np.array([chance.random() < 0.1 for _ in texts], np.bool_)
    wanted = [text for text, flag in zip(texts, flags, strict=True) if flag]
    found = engine.map_rows(path, ["text"], lengths, 1, flags)
    assert found.tolist() == [[len(text)] for text in wanted]
    parts = engine.stream_column(path, "text", flags)
    assert [text for part in parts for text in part.to_pylist()] == wanted


@pytest.mark.usefixtures("settings")
def test_memory_is_bounded_by_the_threads_and_not_by_the_file(tmp_path: Path) -> None:
    """At most one row group more than there are threads waits to be used."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ["a"] * 100}), path, row_group_size=1)
    begun: list[int] = []

    def count(column: pa.Array) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        begun.append(1)
        return np.zeros((len(column), 1), np.uint8)

    engine.start(engine.Params("native", 2, None))
    for used, _ in enumerate(engine.stream_rows(path, ["text"], count, 1)):
        time.sleep(0.002)
        assert len(begun) <= used + 3
    assert len(begun) == 100


def test_an_error_in_a_kernel_reaches_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": [None, "a"]}), path)
    with pytest.raises(ValueError, match="no nulls"):
        engine.map_rows(path, ["text"], lambda texts: canonical.keys(texts).view(np.uint8), 16)
    with pytest.raises(InputError, match=r"rows\.gone is missing: run `dvc repro`"):
        engine.map_rows(path.with_suffix(".gone"), ["text"], lengths, 1)


@pytest.mark.usefixtures("settings")
def test_a_missing_ray_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"engine=ray: ray is not.*'\.\[ray\]'"):
        engine.start(engine.Params("ray", None, None))


@pytest.mark.usefixtures("settings")
def test_an_address_without_a_cluster_is_one_line() -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=r"engine\.ray_address=auto: start one with `ray start"):
        engine.start(engine.Params("ray", None, "auto"))
