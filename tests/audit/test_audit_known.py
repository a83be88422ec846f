"""The facts that the audit knows by name are consistent."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mathledger.audit import audit, known
from mathledger.card.licences import licences
from mathledger.cli import main
from mathledger.filters.decision import EVIDENCE

ROOT = Path(__file__).parent.parent.parent
SEED = ROOT / "tests/audit/cards/seed.md"
ENTRIES = yaml.safe_load((ROOT / "mathledger/audit/benchmarks.yaml").read_text())


@pytest.mark.parametrize("key", ENTRIES)
def test_a_benchmark_is_found_by_each_of_its_names(key: str) -> None:
    for name in (ENTRIES[key]["name"], *ENTRIES[key].get("aliases", [])):
        assert [mention.key for mention in known.mentions(f"On {name}: 50%")] == [key], name


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("AIME24, AIME'24, AIME-2024, aime_2024", ["aime24"] * 4),
        ("AIME 24%", ["aime"]),
        ("MATH500 and MATH 500 and MATH (500)", ["math500"] * 3),
        ("MATH, math, Math", ["math"]),
        ("GSM8K GSM-8K gsm8k openai/gsm8k", ["gsm8k"] * 4),
        ("MMLU-Pro, MMLU-Redux-2, TR-MMLU, CMMLU", ["mmlu_pro", None, None, "cmmlu"]),
        ("HumanEval+, HumanEval, MMLU+", ["humaneval_plus", "humaneval", None]),
        ("MATH-Vision, MATH-Odyssey, OpenMath, MATHematics", ["mathvision", None]),
        ("Minerva 540B, Minerva, minerva", ["minerva"]),
        ("FrontierMath Tier 1, FrontierMath", ["frontiermath_tier1", "frontiermath"]),
    ],
)
def test_a_name_is_known_or_it_is_not(text: str, keys: list[str | None]) -> None:
    assert [mention.key for mention in known.mentions(text)] == keys


def test_every_fact_has_a_source_and_names_what_exists() -> None:
    every = known.benchmarks()
    for benchmark in every.values():
        assert benchmark.family is None or benchmark.family in every
        for size in benchmark.sizes:
            assert size.n > 0 and size.source.startswith("https://"), benchmark
            date.fromisoformat(size.seen)
    for model in known.models():
        assert model.licence in licences() and model.source.startswith("https://")
        date.fromisoformat(model.seen)
    for corpus in known.corpora().values():
        assert corpus.licence in licences() and corpus.licence_source.startswith("https://")
        date.fromisoformat(corpus.seen)
        for held in corpus.overlaps:
            assert set(held.benchmarks) <= every.keys() and held.source.startswith("https://")


@pytest.mark.parametrize("key", ["math", "math500"])
def test_levels_and_subjects_add_up_to_all_items(key: str) -> None:
    benchmark = known.benchmarks()[key]
    levels = [n for name, n in benchmark.subsets.items() if name.startswith("level")]
    subjects = [n for name, n in benchmark.subsets.items() if not name.startswith("level")]
    assert sum(levels) == sum(subjects) == benchmark.sizes[0].n


@pytest.mark.parametrize("key", ["aime24", "aime25", "amc12", "gsm8k", "math500"])
def test_sizes_are_those_that_the_pipeline_pins(key: str) -> None:
    """The sizes equal those in conf/benchmark/, which pins each file by digest."""
    pinned = yaml.safe_load((ROOT / f"conf/benchmark/{key}.yaml").read_text())["source"]
    assert pinned["num_rows"] in [size.n for size in known.benchmarks()[key].sizes]


@pytest.mark.parametrize(
    ("key", "sizes"),
    [
        ("svamp", [1000, 300]),
        ("olympiadbench", [674, 675]),
        ("amc23", [40, 83]),
        ("gpqa", [448, 198, 546]),
    ],
)
def test_copies_of_other_sizes_are_known(key: str, sizes: list[int]) -> None:
    benchmark = known.benchmarks()[key]
    assert [size.n for size in benchmark.sizes] == sizes and not benchmark.is_fixed


def test_the_pipelines_own_evidence_is_counted(tmp_path: Path) -> None:
    """Rows and items that the filter found count, but a variant is another problem."""
    hits = [
        ("r1", "AI-MO/NuminaMath-CoT", "math500", "i1", "same"),
        ("r2", "AI-MO/NuminaMath-CoT", "math500", "i1", "rephrase"),
        ("r3", "AI-MO/NuminaMath-CoT", "math500", "i2", "variant"),
        ("r4", "mine", "gsm8k", "i3", "contained"),
        ("r5", "mine", "chain_sum", "i4", "same"),
    ]
    names = ("id", "corpus", "benchmark", "item_id", "class")
    rows = [dict(zip(names, hit, strict=True)) for hit in hits]
    pq.write_table(pa.Table.from_pylist(rows, schema=EVIDENCE), tmp_path / "evidence.parquet")
    found = {f.kind: f for f in audit(SEED, data=tmp_path).findings}["measured"]
    assert found.points == [
        "AI-MO/NuminaMath-CoT: 1 item of MATH-500 in 2 rows.",
        "mine, which the card does not name: 1 item of chain_sum in 1 row, "
        "1 item of GSM8K in 1 row.",
    ]


def test_data_without_a_benchmark_or_a_corpus_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["audit", str(SEED), "--data", str(tmp_path)]
    assert main(arguments) == 2
    assert "holds no benchmark that the card names, such as " in capsys.readouterr().err
    items = tmp_path / "HuggingFaceH4/MATH-500/test.jsonl"
    items.parent.mkdir(parents=True)
    items.write_text('{"problem": "What is 1 + 1?"}\n')
    assert main(arguments) == 2
    assert "holds no corpus" in capsys.readouterr().err
    (tmp_path / "corpus.jsonl").write_text("{broken\n")
    assert main(arguments) == 2
    assert "corpus.jsonl, row 0: not JSON" in capsys.readouterr().err
