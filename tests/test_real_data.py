"""The options of conf/ for real corpora and benchmarks, on samples of the real repositories.

The samples have the real columns, but are rebuilt: their digests and counts take the place of the
pinned ones, and their commits are the test hub's.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from mathledger.core import configuration
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_rows
from mathledger.data import benchmarks as download_benchmark
from mathledger.data import sources
from mathledger.data.canary_forms import CONTROLS
from mathledger.run.compose import compose
from mathledger.run.params import read
from mathledger.text import canonical
from stages import params
from tests.conftest import Workspace
from tests.hub import SHARED, commit_of, serve

BENCHMARKS = {"aime24": 30, "aime25": 30, "amc12": 83, "gsm8k": 1319, "math500": 500}
CORPORA = {"numinamath_cot": 17_072, "openmathinstruct2": 7_576}
OVERRIDES = [f"corpus=[{','.join(CORPORA)}]", f"benchmark=[{','.join(BENCHMARKS)}]"]
# These two samples are the real files.
SAME_BYTES = {"aime25", "math500"}

needs_samples = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no samples in {SHARED}")


def composed(*overrides: str) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.create(compose(list(overrides))))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def test_real_corpora_and_benchmarks_compose_together() -> None:
    params.check_all(composed(*OVERRIDES))


@pytest.mark.parametrize(
    ("split", "num_files", "num_rows"),
    [
        ("train", 32, 13_972_791),
        ("train_1M", 3, 1_000_000),
        ("train_2M", 6, 2_000_000),
        ("train_5M", 14, 5_000_000),
    ],
)
def test_a_split_of_openmathinstruct2_is_one_override(
    split: str, num_files: int, num_rows: int
) -> None:
    content = composed("corpus=[openmathinstruct2]", f"corpus/openmathinstruct2={split}")
    params.check_all(content)
    source = content["corpus"]["openmathinstruct2"]["source"]
    assert (source["split"], source["num_rows"]) == (split, num_rows)
    last = f"data/{split}-{num_files - 1:05d}-of-{num_files:05d}.parquet"
    assert len(source["files"]) == num_files and list(source["files"])[-1] == last


@pytest.fixture(scope="module")
def real(start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which all of them were downloaded from the samples."""
    workspace = start.copy(tmp_path_factory.mktemp("real") / "project")
    workspace.python("-m", "stages.params", *OVERRIDES)
    file = workspace.path / "params.yaml"
    content = read(file)
    for group, counts in (("corpus", CORPORA), ("benchmark", BENCHMARKS)):
        for name, num_rows in counts.items():
            on_the_sample(content[group][name]["source"], num_rows, name in SAME_BYTES)
    file.write_text(OmegaConf.to_yaml(OmegaConf.create(content)))
    stages = [("-m", "stages.download_corpus", name) for name in CORPORA]
    stages += [("-m", "stages.download_benchmark", name) for name in BENCHMARKS]
    with serve(SHARED) as hub, ThreadPoolExecutor(max_workers=2) as pool:

        def download(stage: tuple[str, ...]) -> str:
            return workspace.python(*stage, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0")

        list(pool.map(download, stages))
    return workspace


def on_the_sample(source: dict[str, Any], num_rows: int, is_same: bool) -> None:
    """Pin what the test's hub serves: its commit, and all files of the sample of that split."""
    repo = f"datasets/{source['repo']}"
    source["revision"], source["num_rows"] = commit_of(repo), num_rows
    if is_same:
        return
    first = Path(next(iter(source["files"])))
    pattern = f"{first.name.split('-')[0]}-*{first.suffix}"
    found = sorted((SHARED / repo / first.parent).glob(pattern))
    source["files"] = {str(path.relative_to(SHARED / repo)): None for path in found}


@needs_samples
@pytest.mark.parametrize(("name", "num_rows"), CORPORA.items())
def test_a_real_corpus_comes_whole(real: Workspace, name: str, num_rows: int) -> None:
    folder = real.path / "data/download_corpus" / name
    receipt = read(folder / "receipt.json")
    assert receipt["num_rows"] == num_rows
    found = sum(len(read_rows(folder / file)) for file in receipt["files"])
    assert found == num_rows


@needs_samples
@pytest.mark.parametrize(("name", "num_items"), BENCHMARKS.items())
def test_every_item_of_a_real_benchmark_is_evaluated(
    real: Workspace, name: str, num_items: int
) -> None:
    folder = real.path / "data/download_benchmark" / name
    items = read_rows(folder / "items.parquet")
    assert len(items) == len(read_rows(folder / "all_items.parquet")) == num_items
    if name != "math500":
        assert all(row["answer"].lstrip("-").isdigit() for row in items)


@needs_samples
@pytest.mark.parametrize(
    ("name", "beginning", "answer", "subsets"),
    [
        ("aime24", "Every morning Aya goes for a $9$-kilometer-long walk", "204", {"year": "2024"}),
        ("aime25", "Find the sum of all integer bases $b>9$", "70", {}),
        ("amc12", "$\\frac{m}{n}$ is the Irreducible fraction value of", "142", {}),
        ("gsm8k", "Janet\u2019s ducks lay 16 eggs per day", "18", {}),
        ("gsm8k", "Carla is downloading a 200 GB file", "160", {}),
        (
            "math500",
            "Convert the point $(0,3)$",
            r"\left( 3, \frac{\pi}{2} \right)",
            {"subject": "Precalculus", "level": "2"},
        ),
    ],
)
def test_a_known_item_has_its_answer(
    real: Workspace, name: str, beginning: str, answer: str, subsets: dict[str, str]
) -> None:
    items = read_rows(real.path / "data/download_benchmark" / name / "items.parquet")
    (item,) = [row for row in items if row["problem"].startswith(beginning)]
    assert (item["answer"], dict(item["subsets"])) == (answer, subsets)


@needs_samples
def test_no_answer_of_gsm8k_keeps_a_comma(real: Workspace) -> None:
    items = read_rows(real.path / "data/download_benchmark/gsm8k/items.parquet")
    written = [row for row in items if "," in row["solution"].rsplit("####", 1)[1]]
    assert written and not [row for row in items if "," in row["answer"]]


@needs_samples
def test_the_public_samples_of_frontiermath_fit_the_private_benchmark(tmp_path: Path) -> None:
    """Tier 1 is evaluated, the rest is only searched for; and nobody is shown a text."""
    file = SHARED / "private/frontiermath_public_samples.jsonl"
    pin = f"benchmark.frontiermath_tier1.source.files={{{file}: '{sha256(file)}'}}"
    content = composed("benchmark=[frontiermath_tier1]", pin)
    params.check_all(content)
    node = content["benchmark"]["frontiermath_tier1"]
    source = configuration.check("benchmark.x.source", node["source"], sources.BenchmarkSource)
    mapping = configuration.check(
        "benchmark.x.mapping", node["mapping"], download_benchmark.Mapping
    )
    rows, _ = download_benchmark.read(source, mapping, tmp_path)
    kept, left_out = download_benchmark.select(rows, mapping)
    assert [row["id"] for row in kept] == [
        "fm-sample-klein",
        "fm-sample-perimeter",
        "fm-sample-s5",
    ]
    assert len(rows) == 8 and {row["reason"] for row in left_out} == {"other_subset"}


@pytest.fixture(scope="module")
def filtered(real: Workspace) -> Workspace:
    """The samples after the filters. Nearly all of the second corpus is in the first as well."""
    file = real.path / "params.yaml"
    content = read(file)
    content["prepare"]["check_answers"] = False
    content["deduplicate"]["max_removed_rate"] = 1.0
    file.write_text(OmegaConf.to_yaml(OmegaConf.create(content)))
    for name in CORPORA:
        real.python("-m", "stages.prepare", name)
    real.python("-m", "stages.deduplicate")
    real.python("-m", "stages.decontaminate")
    return real


def metrics(workspace: Workspace, stage: str) -> Any:
    return json.loads((workspace.path / f"metrics/{stage}.json").read_text())


@needs_samples
def test_the_corpora_hold_the_same_train_rows(filtered: Workspace) -> None:
    """MATH's and GSM8K's train rows stand in both."""
    copies = metrics(filtered, "deduplicate")["removed_by_kept_corpus"]["openmathinstruct2"]
    assert copies["numinamath_cot"] > 7000


@needs_samples
def test_math_train_holds_aime_and_amc_problems(filtered: Workspace) -> None:
    path = filtered.path / "data/deduplicate/kept.parquet"
    table = pq.read_table(path, columns=["source", "problem"])
    keys = canonical.keys(table["problem"]).view("V16").ravel().tolist()
    sources_of: dict[bytes, set[str]] = {}
    for key, source in zip(keys, table["source"].to_pylist(), strict=True):
        sources_of.setdefault(key, set()).add(source)
    assert sum({"math", "amc_aime"} <= found for found in sources_of.values()) >= 100


@needs_samples
def test_of_the_benchmarks_only_close_siblings_are_found(filtered: Workspace) -> None:
    """The samples end in 2021: an AIME 2024 or 2025 hit would be a false one."""
    found = metrics(filtered, "decontaminate")
    by_benchmark = found["contaminated_rows_by_benchmark"]
    assert not {"aime24", "aime25"} & by_benchmark.keys()
    assert 0 < by_benchmark["math500"] <= 0.002 * found["num_in"]
    assert by_benchmark["gsm8k"] <= 0.001 * found["num_in"]


@needs_samples
def test_canaries_of_real_items_are_found(filtered: Workspace) -> None:
    for form, count in metrics(filtered, "decontaminate")["canaries"].items():
        if form in CONTROLS:
            assert count["num_found"] <= 0.02 * count["num"], form
        elif form != "rephrased":
            assert count["num_found"] >= 0.99 * count["num"], form
