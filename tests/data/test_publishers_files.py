"""The options of conf/ for published corpora and benchmarks fit the publishers' files.

Each test reads files of our own in the published columns, types and layout (tests/samples.py) and,
where ../shared/hub is present, samples of the published files. The digests and counts of the
samples take the place of the pinned ones.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from mathledger.audit import known
from mathledger.core import configuration
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_rows
from mathledger.data import benchmarks, formats, local, receipts, sources
from mathledger.data.canary_forms import CONTROLS
from mathledger.filters import decontaminate, deduplicate, prepare
from mathledger.filters.items import read_items
from mathledger.run.compose import compose
from mathledger.text import canonical
from stages import params
from tests import real_data, samples
from tests.samples import Samples

pytestmark = [pytest.mark.slow, pytest.mark.kernels]

BENCHMARKS = {"aime24": 30, "aime25": 30, "amc12": 83, "gsm8k": 1319, "math500": 500}
CORPORA = {"numinamath_cot": 17_072, "openmathinstruct2": 7_576}
OVERRIDES = [f"corpus=[{','.join(CORPORA)}]", f"benchmark=[{','.join(BENCHMARKS)}]"]
PRIVATE_PIN = f"benchmark.frontiermath_tier1.source.files={{a.jsonl: {'0' * 64}}}"


def composed(*overrides: str) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.create(compose(list(overrides))))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


CONTENT = composed(*OVERRIDES)
HAS_HUB = real_data.HUB.exists()
needs_hub = real_data.needs(
    real_data.HUB, "the tests of this module on published files; they ran on our own"
)


@pytest.fixture(scope="module", params=["own", *(["published"] if HAS_HUB else [])], name="files")
def make_files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    if request.param == "own":
        return samples.write_samples(tmp_path_factory.mktemp("hub"))
    private = real_data.HUB / "private/frontiermath_public_samples.jsonl"
    return Samples(real_data.DATASETS, private, BENCHMARKS | CORPORA)


def pinned_locally(group: str, name: str, files: Samples) -> dict[str, str]:
    """Return path and digest of each sample of the files that an option of conf/ names.

    A sample may have a different number of shards than the published split.
    """
    source = CONTENT[group][name]["source"]
    first = Path(next(iter(source["files"])))
    pattern = f"{first.stem.split('-')[0]}*{first.suffix}"
    found = sorted((files.root / source["repo"] / first.parent).glob(pattern))
    return {str(path): sha256(path) for path in found}


def download_benchmark(name: str, files: Samples, folder: Path) -> list[dict[str, Any]]:
    """Write the benchmark as the stage does; return its items."""
    pins = pinned_locally("benchmark", name, files)
    source = sources.LocalBenchmark(kind="local", licence="own", files=pins, private=False)
    mapping = configuration.check(
        "mapping", CONTENT["benchmark"][name]["mapping"], benchmarks.Mapping
    )
    out = folder / "data/download_benchmark" / name
    rows = benchmarks.read(source, mapping, benchmarks.fetch(source, out / "source"))
    benchmarks.write(source, mapping, rows, out)
    return read_rows(out / "items.parquet")


@dataclass(frozen=True)
class Filtered:
    """A project folder with the outputs of all data stages, and their metrics."""

    folder: Path
    files: Samples
    items: dict[str, list[dict[str, Any]]]
    prepare: dict[str, Any]
    deduplicate: dict[str, Any]
    decontaminate: dict[str, Any]


@pytest.fixture(scope="module")
def filtered(files: Samples, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filtered]:
    """Download, prepare, deduplicate and decontaminate, by the functions that the stages call."""
    folder = tmp_path_factory.mktemp("filtered")
    items = {name: download_benchmark(name, files, folder) for name in BENCHMARKS}
    limits = configuration.check("prepare", CONTENT["prepare"], prepare.Params)
    # Checking the answers of all published rows takes minutes; tests/grading reads them.
    limits = replace(limits, check_answers=files.root != real_data.DATASETS)
    prepared = {}
    for name in CORPORA:
        raw = folder / "data/download_corpus" / name
        pins = pinned_locally("corpus", name, files)
        paths = local.fetch_local(sources.Local(kind="local", licence="own", files=pins), raw)
        receipts.write_receipt(raw, {}, sum(map(formats.count_rows, paths)))
        mapping = configuration.check(
            "mapping", CONTENT["corpus"][name]["mapping"], prepare.Mapping
        )
        out = folder / "data/prepare" / name
        prepared[name] = prepare.filter_rows(name, raw, out, mapping, limits)
    settings = configuration.check("deduplicate", CONTENT["deduplicate"], deduplicate.Params)
    # Nearly all of the second corpus is in the first as well.
    settings = replace(settings, max_removed_rate=1.0)
    kept = [folder / "data/prepare" / name / "kept.parquet" for name in CORPORA]
    deduplicated = deduplicate.filter_rows(kept, folder / "data/deduplicate", settings, [])
    search = configuration.check("decontaminate", CONTENT["decontaminate"], decontaminate.Params)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        every = read_items(Path("data/download_benchmark"), CONTENT["benchmark"])
        found = decontaminate.filter_rows(
            Path("data/deduplicate/kept.parquet"), every, Path("data/decontaminate"), search, []
        )
    yield Filtered(folder, files, items, prepared, deduplicated, found)


def test_published_corpora_and_benchmarks_compose_together() -> None:
    params.check_all(CONTENT)


@pytest.mark.parametrize(("name", "num_items"), BENCHMARKS.items())
def test_the_pinned_size_of_a_benchmark_is_a_size_that_the_audit_knows(
    name: str, num_items: int
) -> None:
    """The configuration and the audit's list of benchmarks state the same number of items."""
    pinned = CONTENT["benchmark"][name]["source"]["num_rows"]
    (benchmark,) = [each for each in known.benchmarks().values() if name in each.folders]
    assert pinned == num_items and pinned in [size.n for size in benchmark.sizes]
    source = CONTENT["benchmark"][name]["source"]
    for file in source["files"]:
        path = f"{source['repo']}/{file}"
        assert any(fnmatch(path, pattern) for pattern in benchmark.files), path


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


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_comes_whole(filtered: Filtered, name: str) -> None:
    raw = filtered.folder / "data/download_corpus" / name
    num_rows = sum(len(read_rows(path)) for path in raw.glob("*.parquet"))
    assert num_rows == filtered.prepare[name]["num_in"] == filtered.files.num_rows[name]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_item_of_a_benchmark_is_evaluated(filtered: Filtered, name: str) -> None:
    folder = filtered.folder / "data/download_benchmark" / name
    items, everything = filtered.items[name], read_rows(folder / "all_items.parquet")
    assert len(items) == len(everything) == filtered.files.num_rows[name]
    if name != "math500":
        assert all(row["answer"].lstrip("-").isdigit() for row in items)


@pytest.mark.parametrize(
    ("name", "beginning", "answer", "subsets"),
    [
        # A zero-padded text, a whole number, a double, `#### 1,250`, a negative one, LaTeX.
        ("aime24", "How many subsets of", "77", {"year": "2024"}),
        ("aime24", "Find the number of zeros", "0", {"year": "2024"}),
        ("aime25", "Find the remainder when $7^{2025}$", "807", {}),
        ("amc12", "A right triangle has legs", "29", {}),
        ("gsm8k", "Nadia\u2019s ovens bake", "206", {}),
        ("gsm8k", "A stadium has 25 blocks", "1250", {}),
        ("gsm8k", "At noon it was 4 degrees", "-7", {}),
        (
            "math500",
            "Write the point $(1, \\sqrt{3})$",
            r"\left( 2, \frac{\pi}{3} \right)",
            {"subject": "Precalculus", "level": "2"},
        ),
        # Of the published files.
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
    filtered: Filtered, name: str, beginning: str, answer: str, subsets: dict[str, str]
) -> None:
    found = [row for row in filtered.items[name] if row["problem"].startswith(beginning)]
    if found:  # an item is in our files or in the published ones
        assert [(row["answer"], dict(row["subsets"])) for row in found] == [(answer, subsets)]


def test_the_known_items_are_where_they_are_looked_for(filtered: Filtered) -> None:
    """The test above reads eight items of our own files, six of the published ones."""
    cases = test_a_known_item_has_its_answer.pytestmark[0].args[1]  # type: ignore[attr-defined]
    num_found = sum(
        row["problem"].startswith(beginning)
        for name, beginning, *_ in cases
        for row in filtered.items[name]
    )
    assert num_found == (6 if filtered.files.root == real_data.DATASETS else 8)


def test_no_answer_of_gsm8k_keeps_a_comma(filtered: Filtered) -> None:
    items = filtered.items["gsm8k"]
    written = [row for row in items if "," in row["solution"].rsplit("####", 1)[1]]
    assert written and not [row for row in items if "," in row["answer"]]


def test_a_private_benchmark_is_evaluated_in_its_tier_alone(files: Samples, tmp_path: Path) -> None:
    """Items of other tiers or without a tier are only searched for."""
    content = composed("benchmark=[frontiermath_tier1]", PRIVATE_PIN)
    params.check_all(content)
    node = content["benchmark"]["frontiermath_tier1"]
    node["source"]["files"] = {str(files.private): sha256(files.private)}
    source = configuration.check("source", node["source"], sources.BenchmarkSource)
    assert isinstance(source, sources.LocalBenchmark) and source.private
    mapping = configuration.check("mapping", node["mapping"], benchmarks.Mapping)
    rows = benchmarks.read(source, mapping, benchmarks.fetch(source, tmp_path))
    kept, left_out = benchmarks.select(rows, mapping)
    raw = read_json_lines(files.private)
    assert len(rows) == len(raw)
    assert [row["id"] for row in kept] == sorted(row["id"] for row in raw if row["tier"] == 1)
    assert len(kept) + len(left_out) == len(rows) and left_out
    assert {row["reason"] for row in left_out} == {"other_subset"}


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_removed_for_the_reasons_that_the_files_give(filtered: Filtered) -> None:
    """A proof without an answer, a dict printed into a solution, a text in Chinese, a null chat;
    in our second corpus a solution that does not give the stated answer."""
    found = {name: each["removed_by_reason"] for name, each in filtered.prepare.items()}
    if filtered.files.root == real_data.DATASETS:
        # Each of these rows was read.
        reasons = {"foreign_script": 2, "no_final_answer": 2, "non_text": 1073, "proof": 11}
        reasons["too_long"] = 4
        assert found == {"numinamath_cot": reasons, "openmathinstruct2": {}}
        return
    reasons = dict.fromkeys(("foreign_script", "messages_differ", "non_text", "proof"), 1)
    assert found["numinamath_cot"] == reasons
    assert found["openmathinstruct2"] == {"answer_mismatch": 1}


def test_a_kept_row_has_an_answer_and_a_removed_one_its_evidence(filtered: Filtered) -> None:
    for name in CORPORA:
        folder = filtered.folder / "data/prepare" / name
        assert all(row["answer"] for row in read_rows(folder / "kept.parquet"))
        assert all(row["evidence"]["found"] for row in read_rows(folder / "removed.parquet"))


def test_the_corpora_hold_the_same_train_rows(filtered: Filtered) -> None:
    """Train rows of GSM8K, and in the published samples of MATH, are in both corpora."""
    copies = filtered.deduplicate["removed_by_kept_corpus"]["openmathinstruct2"]
    is_published = filtered.files.root == real_data.DATASETS
    assert copies["numinamath_cot"] > 7000 if is_published else copies["numinamath_cot"] == 1


def test_a_solution_of_its_own_is_not_a_duplicate(filtered: Filtered) -> None:
    """Several solutions of one problem stay, and so do problems with different numbers."""
    if filtered.files.root == real_data.DATASETS:
        table = pq.read_table(filtered.folder / "data/deduplicate/kept.parquet")
        assert table["corpus"].to_pylist().count("openmathinstruct2") > 0
        return
    counts = filtered.deduplicate
    assert counts["num_removed"] == 1 and counts["removed_by_reason"] == {"exact_duplicate": 1}


def test_only_copies_and_close_siblings_of_items_are_found(filtered: Filtered) -> None:
    """Our corpus holds one item, typed again. The published samples end in 2021, so that a hit of
    AIME 2024 or 2025 would be a false one."""
    found = filtered.decontaminate
    by_benchmark = found["contaminated_rows_by_benchmark"]
    if filtered.files.root != real_data.DATASETS:
        assert by_benchmark == {"math500": 1}
        (removed,) = read_rows(filtered.folder / "data/decontaminate/removed.parquet")
        assert canonical_text(removed["problem"]) == canonical_text(samples.RHOMBUS[0])
        return
    assert not {"aime24", "aime25"} & by_benchmark.keys()
    assert 0 < by_benchmark["math500"] <= 0.002 * found["num_in"]
    assert by_benchmark.get("gsm8k", 0) <= 0.001 * found["num_in"]


def canonical_text(problem: str) -> bytes:
    return bytes(canonical.keys(pa.array([problem])).tobytes())


# Copies in other words or with other names: nearly all are found.
OTHERWISE_TOLD = ("answer_wrapper", "ascii_math", "number_words", "renamed")


def test_canaries_are_found(filtered: Filtered) -> None:
    """Other typesetting is always found; other words and names usually are."""
    for form, count in filtered.decontaminate["canaries"].items():
        if form in CONTROLS:
            assert count["num_found"] <= 0.02 * count["num"], form
        elif form != "rephrased":
            least = 0.85 if form in OTHERWISE_TOLD else 0.99
            assert count["num_found"] >= least * count["num"], form


@needs_hub
def test_the_published_files_are_read_and_have_their_pinned_digests() -> None:
    """Two samples are whole files, so that they have the digests that conf/ pins."""
    for name in ("aime25", "math500"):
        source = CONTENT["benchmark"][name]["source"]
        for file, digest in source["files"].items():
            assert sha256(real_data.DATASETS / source["repo"] / file) == digest


def test_math_train_holds_aime_and_amc_problems(filtered: Filtered) -> None:
    """This holds for the published samples alone."""
    if filtered.files.root != real_data.DATASETS:
        return
    path = filtered.folder / "data/deduplicate/kept.parquet"
    table = pq.read_table(path, columns=["source", "problem"])
    keys = canonical.keys(table["problem"]).view("V16").ravel().tolist()
    sources_of: dict[bytes, set[str]] = {}
    for key, source in zip(keys, table["source"].to_pylist(), strict=True):
        sources_of.setdefault(key, set()).add(source)
    assert sum({"math", "amc_aime"} <= found for found in sources_of.values()) >= 100
