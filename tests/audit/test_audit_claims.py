"""The audit reads the claims of cards of every shape."""

from pathlib import Path
from typing import Any

import pytest

from mathledger.audit import audit
from mathledger.audit.types import Audit, Claim

CARDS = Path(__file__).parent / "cards"


def told(claim: Claim) -> tuple[Any, ...]:
    """Return the line, benchmark (or its label if unknown), value and owner of a claim."""
    owner = claim.model if claim.whose == "other" else claim.whose
    return claim.line, claim.benchmark or f"? {claim.label}", claim.text, owner


def read(name: str) -> list[tuple[Any, ...]]:
    return [told(claim) for claim in audit(CARDS / f"{name}.md").claims]


def audit_text(folder: Path, text: str) -> Audit:
    """Audit a card with this text."""
    path = folder / "card.md"
    path.write_text(text, encoding="utf-8")
    return audit(path)


def test_seed_card() -> None:
    """The seed card has prose, ranges, a remark on another model and a table of models."""
    assert read("seed") == [
        (13, "aime", "99%", "this"),
        (35, "aime", "95-99%", "this"),
        (36, "math500", "90-94%", "this"),
        (37, "gsm8k", "96-98%", "this"),
        (38, "amc12", "96-99%", "this"),
        (39, "frontiermath_tier1", "67%", "this"),
        (39, "frontiermath_tier1", "~25-30%", "GPT-4"),
        (45, "math", "92%", "this"),
        (45, "aime", "97%", "this"),
        (46, "math", "93.9%", "DeepSeek R1 14B"),
        (46, "aime", "~80%", "DeepSeek R1 14B"),
        (47, "math", "~70%", "GPT-4"),
        (47, "aime", "~70%", "GPT-4"),
        (48, "math", "~80%", "o3-mini"),
        (48, "aime", "~60%", "o3-mini"),
    ]


def test_model_index_keeps_lines_digits_and_what_each_result_states() -> None:
    claims = audit(CARDS / "model_index.md").claims
    assert [told(claim) for claim in claims] == [
        (15, "gsm8k", "72.70", "this"),
        (22, "mmlu", "61.35", "this"),
        (26, "? HouseBench v2", "50.00", "this"),
        (27, "? HouseBench v2", "1.2345", "this"),
    ]
    assert claims[0].value and claims[0].value.decimals == 2
    assert claims[3].value is None, "a loss is not a percentage"
    assert {"revision", "prompt", "predictions"} <= claims[0].stated.keys()
    assert not {"revision", "predictions"} & claims[1].stated.keys()


def test_models_in_columns_with_counts_and_names_that_are_unknown() -> None:
    assert read("models_in_columns") == [
        (10, "gsm8k", "84.6%", "this"),
        (10, "gsm8k", "76.3%", "Rival-7B-Instruct"),
        (10, "gsm8k", "31.4%", "Base-7B"),
        (12, "amc23", "20/40", "this"),
        (12, "amc23", "11/40", "Rival-7B-Instruct"),
        (12, "amc23", "2/40", "Base-7B"),
        (13, "? Competition-level math", "31/40", "this"),
        (13, "? Competition-level math", "18/40", "Rival-7B-Instruct"),
        (14, "aime24", "5/30", "this"),
        (14, "aime24", "0/30", "Rival-7B-Instruct"),
        (21, "mmlu_pro", "78.0", "Rival R1"),
        (21, "mmlu_pro", "61.2", "this"),
        (22, "drop", "88.3", "Rival R1"),
        (22, "drop", "80.1", "this"),
        (23, "math500", "97.3", "Rival R1"),
        (23, "math500", "90.25", "this"),
        (25, "? MMLU-Redux-2 (EM)", "92.9", "Rival R1"),
        (25, "? MMLU-Redux-2 (EM)", "70.0", "this"),
    ]


def test_repeated_runs_are_distinguished_from_votes_and_from_single_runs() -> None:
    claims = audit(CARDS / "repeats.md").claims
    assert [(*told(claim), claim.metric, claim.passes) for claim in claims] == [
        (3, "aime25", "97.3% ± 0.4", "this", None, None),
        (13, "aime24", "73.3", "this", "avg@64", 64),
        (13, "aime25", "66.15", "this", "avg@64", 64),
        (13, "hmmt25", "66.7", "this", "maj@64", None),
        (14, "aime24", "72.6", "Rival-32B", "avg@64", 64),
        (14, "hmmt25", "65.0", "Rival-32B", "maj@64", None),
        (18, "aime24", "73.67% ± 0.88%", "this", None, 10),
        (23, "aime24", "76.67%", "this", "run 1", None),
        (24, "aime24", "70.00%", "this", "run 2", None),
    ]
    kinds = {"revision", "prompt", "sampling", "grader", "predictions"}
    assert all(kinds <= claim.stated.keys() for claim in claims)
    assert claims[7].count == (23, 30)


def test_parts_of_a_benchmark_and_a_benchmark_that_the_heading_names() -> None:
    claims = audit(CARDS / "levels.md").claims
    assert [(*told(claim), claim.subset) for claim in claims] == [
        (7, "math500", "95.3%", "this", "level 1"),
        (8, "math500", "92.0%", "this", "level 2"),
        (9, "math500", "71.6%", "this", "level 5"),
        (10, "math500", "84.8%", "this", None),
        (16, "gsm8k", "56.86", "this", None),
        (17, "gsm8k", "46.4", "Other-2B", None),
    ]


def test_shares_of_one_in_code_and_spans_in_html() -> None:
    claims = audit(CARDS / "harness.md").claims
    assert [
        (*told(claim), float(claim.value.low) if claim.value else None) for claim in claims
    ] == [
        (7, "gsm8k", "0.1031", "this", 10.31),
        (8, "gsm8k", "0.1016", "this", 10.16),
        (13, "gsm8k", "82.03", "this", 82.03),
        (13, "gsm8k", "81.88", "family", 81.88),
        (20, "math", "51.9", "this", 51.9),
        (20, "math", "51.0", "family", 51.0),
    ]
    assert claims[0].stated["interval"] == "± 0.0084"


def test_prose_takes_a_number_only_where_it_is_clear_what_it_is_of() -> None:
    result = audit(CARDS / "prose.md")
    assert [told(claim) for claim in result.claims] == [
        (3, "gsm8k", "83.2", "this"),
        (3, "math", "33.0", "this"),
        (4, "svamp", "80.44", "this"),
        (4, "mathqa", "29.46", "this"),
        (4, "aime24", "55.5", "this"),
        (6, "humaneval", "48.2%", "this"),
        (7, "? accuracy", "91%", "this"),
        (9, "gsm8k", "66.5", "unclear"),
        (9, "gsm8k", "77.7", "this"),
        (10, "humaneval", "67.0%", "GPT-4"),
        (11, "mmlu", "61.35", "Mistral-7B-v0.1"),
        (12, "gpqa", "34.1%", "Llama-3-8B"),
        (13, "? MATH-like", "70%", "this"),
        (14, "ifeval", "88.0%", "this"),
    ]
    assert result.unread.all_lines == [8, 13]
    assert result.claims[0].metric == "pass@1" and result.claims[2].metric is None


def test_a_card_without_scores_has_no_claims() -> None:
    assert read("none") == []


@pytest.mark.parametrize(
    "line",
    [
        "It scores 0.727 accuracy on GSM8K.",
        "- GSM8K: 0.727",
        "GSM8K accuracy is 72.7 %.",
        "We reach $72.7\\%$ on GSM8K (test).",
        "| Benchmark | Score |\n|---|---|\n| GSM8K | 72.7 |",
        "| | GSM8K |\n|:--|--:|\n| **Ours** | 72.7 (+3.1) |",
        "## GSM8K\n\nAccuracy: 72.7%",
    ],
)
def test_one_score_is_the_same_in_every_spelling(tmp_path: Path, line: str) -> None:
    claims = audit_text(tmp_path, f"# Model-7B\n\n{line}\n").claims
    assert [(c.benchmark, c.whose, c.value and float(c.value.low)) for c in claims] == [
        ("gsm8k", "this", 72.7)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Trained for 3 epochs on 97% of the data.",
        "GSM8K has 1,319 items; we use temperature 0.6 and top-p 0.95.",
        "It improves GSM8K by 5.2% over the base.",
        "Brackets are 95% confidence intervals of the accuracy.",
        "Ranked in the top 5% on AIME.",
        "Good at math: 92% of the users agree.",
        "| Model | Params | Context |\n|---|---|---|\n| A-7B | 7.1 | 32.5 |",
        "| Model | GSM8K |\n|---|---|\n| Ours | 72.7 / 75.1 |",
        "<!-- GSM8K: 72.7% -->",
        "```\nprint('GSM8K: 72.7%')\n```",
    ],
)
def test_other_numbers_are_not_claims(tmp_path: Path, line: str) -> None:
    assert audit_text(tmp_path, f"# Model-7B\n\n{line}\n").claims == []


def test_a_comment_moves_no_line(tmp_path: Path) -> None:
    text = "# M\n<!-- one\ntwo\nthree --> and\n\nGSM8K: 72.7%\r\n"
    assert [claim.line for claim in audit_text(tmp_path, text).claims] == [6]


def test_a_merge_of_names_is_one_model(tmp_path: Path) -> None:
    """The title names this model, with or without an owner and in another spelling."""
    text = "# Model Card for acme/Model-7B\n\n| Model | GSM8K |\n|---|---|\n| model 7b | 72.7 |\n"
    assert audit_text(tmp_path, text).claims[0].whose == "this"
