"""The audit finds what it should, through the command itself, and explains wrong input."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mathledger.audit import audit, card, inputs, report
from mathledger.audit.findings import ORDER
from mathledger.audit.types import Finding
from mathledger.cli import main

ROOT = Path(__file__).parent.parent.parent
CARDS = ROOT / "tests/audit/cards"
SEED, KNOWN = CARDS / "seed.md", CARDS / "known.yaml"
HEAD = "---\nlicense: mit\n---\n# Model-7B\n\n"


def findings(tmp_path: Path, text: str, **more: Any) -> dict[str, Finding]:
    """Audit a card with this text and return its findings by kind."""
    path = tmp_path / "card.md"
    path.write_text(text, encoding="utf-8")
    return {finding.kind: finding for finding in audit(path, **more).findings}


def points(found: dict[str, Finding], kind: str) -> str:
    return "\n".join(found[kind].points) if kind in found else ""


def test_the_report_in_docs_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(SEED), "--known", str(KNOWN)]) == 0
    assert capsys.readouterr().out == (ROOT / "docs/audit-seed-card.md").read_text("utf-8")


def test_json_says_the_same_as_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(SEED), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    result = audit(SEED)
    assert len(told["claims"]) == len(result.claims)
    assert [finding["kind"] for finding in told["findings"]] == [f.kind for f in result.findings]
    first = told["claims"][0]
    assert (first["line"], first["benchmark"], first["low"], first["whose"]) == (
        13,
        "aime",
        99,
        "this",
    )
    assert first["fits"][0]["n"] == 30 and first["fits"][0]["rounded"] is None
    assert first["missing"] == [
        "n",
        "revision",
        "prompt",
        "sampling",
        "grader",
        "predictions",
        "interval",
    ]


def test_findings_come_in_one_order_with_lines_and_what_settles_them() -> None:
    result = audit(SEED, known=KNOWN)
    kinds = [finding.kind for finding in result.findings]
    assert kinds == sorted(kinds, key=ORDER.index)
    assert all(finding.lines and finding.settles and finding.points for finding in result.findings)
    assert all(1 <= line <= result.card.num_lines for f in result.findings for line in f.lines)


def test_a_value_that_no_pass_gives_is_asked_about_unlike_a_rounded_one(
    tmp_path: Path,
) -> None:
    found = findings(tmp_path, f"{HEAD}AIME 2024: 97%. AIME 2025: 99%. AIME 2023: 96.6%.\n")
    asked = points(found, "one_pass")
    assert "AIME 2025 99%" in asked and "if this is one pass over 30 items" in asked
    assert "29/30 = 96.67% and 30/30 = 100%" in asked
    assert "AIME 2024" not in asked and "AIME 2023" not in asked
    assert "AIME 2024 97% (this model): if this is one pass" in points(found, "rounding")
    assert found["one_pass"].strength == found["rounding"].strength == "question"
    assert "impossible" not in found, "the card does not say that it was one pass"


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        ("AIME 2024 (pass@1): 65.0%", "one_pass"),
        ("AIME 2024 (avg@64): 65.0%", None),
        ("AIME 2024 (avg@2): 97.0%", None),  # Two rounded runs; 97.0 may be 97.
        ("AIME 2024 (avg@2): 97.4%", "impossible"),
        ("Greedy decoding for all results.\n\nAIME 2024: 65%", "impossible"),
        ("AIME 2024: 65%\n\nAll our reported scores are averaged over 64 runs.", None),
        ("AIME 2024: 65%\n\nWe report the averaged score of 32 repetitions.", None),
        ("AIME 2024: 65%\n\nScores come from 64 generations per query.", None),
        ("AIME 2024: 65%\n\nBenchmarks of fewer than 500 items are tested several times.", None),
        ("GSM8K: 65.00%", None),  # It may be 65, padded.
        ("SVAMP: 77.67%", None),  # One copy has 300 items, another 1,000.
        ("AIME 2024 (maj@8): 65%", None),
        ("AIME 2024 (pass@8): 65%", None),
    ],
)
def test_what_the_card_says_of_passes_decides_what_is_said(
    tmp_path: Path, card: str, kind: str | None
) -> None:
    found = findings(tmp_path, f"{HEAD}## Evaluation\n\n{card}\n")
    kinds = {"impossible", "one_pass"} & found.keys()
    assert kinds == ({kind} if kind else set())
    strength = {"impossible": "contradiction", "one_pass": "question"}
    assert all(found[one].strength == strength[one] for one in kinds)


def test_a_mean_over_subjects_and_an_approximate_value_are_not_tested(tmp_path: Path) -> None:
    found = findings(tmp_path, f"{HEAD}- MMLU: 61.3571234%\n- AIME 2024: ~98%\n")
    assert found["evidence"].lines == [6, 7] and "impossible" not in found
    assert "AIME 2024 ~98%" in points(found, "approximate")


def test_a_range_names_the_scores_in_it(tmp_path: Path) -> None:
    found = findings(tmp_path, f"{HEAD}AIME 2024: 95-99%\n")
    assert "one score lies in it, 29/30 = 96.67%; neither 95% nor 99% is one" in points(
        found, "range"
    )
    assert "impossible" not in found, "the range's finding says it"


def test_counts_that_do_not_fit(tmp_path: Path) -> None:
    rows = "| Benchmark | Score |\n|---|---|\n| AIME 2024 | 80% (23/30) |\n| GSM8K | 150/200 |\n"
    found = findings(tmp_path, HEAD + rows)
    assert "23 of 30 is 76.67%" in points(found, "miscounted")
    assert found["miscounted"].strength == "contradiction"
    assert "counted over 200 items; known are 1,319" in points(found, "recounted")
    assert found["recounted"].strength == "question"


def test_averages_gains_and_headlines_are_checked_against_their_numbers(tmp_path: Path) -> None:
    table = (
        "| Model | GSM8K | MATH | SVAMP | Average |\n|---|---|---|---|---|\n"
        "| A-7B | 50.0 | 20.0 | 80.0 | 50.0 |\n| B-7B | 60.0 | 30.0 | 75.0 | 55.0 |\n"
        "| Model-7B | 70.0 | 40.0 | 85.0 | {} |\n"
    )
    assert "average 65." in points(findings(tmp_path, HEAD + table.format("72.0")), "average")
    assert "average" not in findings(tmp_path, HEAD + table.format("65.0"))
    other = table.replace("| B-7B | 60.0", "| B-7B | 61.5").replace(
        "| A-7B | 50.0", "| A-7B | 51.5"
    )
    found = findings(tmp_path, HEAD + other.format("66.0"))
    assert not {"average", "average_if"} & found.keys(), "averaged in another way"
    said = f"{HEAD}GSM8K goes from 50.0% to 61.0%, a gain of {{}} points.\n"
    assert "gain" in findings(tmp_path, said.format(14))
    assert "gain" not in findings(tmp_path, said.format(11))
    headline = f"{HEAD}It averages {{}} across three benchmarks.\n\n" + table.format("65.0")
    assert "headline" in findings(tmp_path, headline.format("72.1"))
    assert "headline" not in findings(tmp_path, headline.format("65.0"))


def test_values_that_differ_are_named_unless_conditions_or_digits_explain_them(
    tmp_path: Path,
) -> None:
    found = findings(tmp_path, f"{HEAD}GSM8K: 70%.\n\nGSM8K: 72%.\n")
    assert "70%" in points(found, "inconsistent")
    assert found["inconsistent"].strength == "question"
    same = f"{HEAD}GSM8K: 72%.\n\nGSM8K: 72.1%.\n"
    assert "inconsistent" not in findings(tmp_path, same)
    shots = f"{HEAD}## A\n\nGSM8K (5-shot): 70%.\n\n## B\n\nGSM8K (8-shot): 72%.\n"
    found = findings(tmp_path, shots)
    assert found["evidence"].lines == [8, 12] and "inconsistent" not in found


def test_evidence_that_is_stated_is_not_called_missing(tmp_path: Path) -> None:
    """A temperature in usage code says nothing about the evaluation."""
    text = "## Evaluation\n\nGreedy, 5-shot, lm-evaluation-harness.\n\n- GSM8K: 72.7% ± 1.2\n"
    found = findings(tmp_path, HEAD + text)
    told = [line.split(" states ")[1].partition("; ") for line in found["evidence"].points]
    assert {what for what, _, _ in told} == {
        "the number of items",
        "the benchmark's revision",
        "the predictions",
    }
    assert all(settles.endswith(" would be enough.") for _, _, settles in told)
    two = findings(tmp_path, f"{HEAD}GSM8K: 72.7% (95% CI, n=200).\n\nSVAMP: 80.1%.\n")
    assert "1 of 2 claims do not state an interval (line 8);" in points(two, "evidence")
    usage = "GSM8K: 72.7%\n\n```python\ngenerate(temperature=0.7)\n```\n"
    assert "how answers were sampled" in points(findings(tmp_path, HEAD + usage), "evidence")


def test_training_sets_that_hold_the_source_bear_on_years_before_their_end(tmp_path: Path) -> None:
    """NuminaMath-CoT dates from 2024, so it cannot hold AIME 2025."""
    head = "---\nlicense: mit\ndatasets: [AI-MO/NuminaMath-CoT]\n---\n# M\n\n"
    assert "amc_aime" in points(findings(tmp_path, f"{head}AIME 2024: 50%\n"), "overlap")
    assert "overlap" not in findings(tmp_path, f"{head}AIME 2025: 50%\n")
    told = f"{HEAD}Unlike NuminaMath-CoT models, ours has AIME 2024: 50%\n"
    assert "overlap" not in findings(tmp_path, told), "a name alone is not a training set"
    told = f"{HEAD}It was trained on NuminaMath-CoT. AIME 2024: 50%\n"
    assert "amc_aime" in points(findings(tmp_path, told), "overlap")


@pytest.mark.parametrize(
    ("front_matter", "expected"),
    [
        ("license: mit\nbase_model: google/gemma-7b", "under the Gemma terms"),
        ("license: mit\ndatasets: [nvidia/OpenMathInstruct-1]", "under the NVIDIA licence"),
        ("license: apache-2.0\nbase_model: acme/secret", ""),
        ("license: gemma\nbase_model: google/gemma-7b", ""),
        ("license: mit\nbase_model: mistralai/Mistral-7B-v0.1", ""),
    ],
)
def test_licences_against_those_of_the_inputs(
    tmp_path: Path, front_matter: str, expected: str
) -> None:
    found = findings(tmp_path, f"---\n{front_matter}\n---\n# M\n")
    assert expected in points(found, "licence") and bool(expected) == ("licence" in found)


@pytest.mark.parametrize(
    ("text", "licences"),
    [
        ("The list of arguments is provided by calling `knapweed -h` on the terminal.", []),
        ("The scheme is available to generate recipes in minutes: [Usage](docs/usage.md).", []),
        ("The configuration can be found in the files provided by [Lynchet](https://a.b).", []),
        ("Nothing.", []),
        ("- **License:** Non-commercial license", ["Non-commercial license"]),
        ("| Attribute | Details |\n|---|---|\n| **License** | MIT |", ["MIT"]),
        ("M-7B is released under the Apache 2.0 license.", ["Apache 2.0 license"]),
        ("## License\n\nApache 2.0, see the file.", ["Apache 2.0, see the file"]),
        ("## Licences of the projects that we use\n\n- License: GPL", []),
        ("The dataset is licensed under MIT.", []),
    ],
)
def test_a_licence_counts_where_it_is_said_of_the_model(
    tmp_path: Path, text: str, licences: list[str]
) -> None:
    path = tmp_path / "card.md"
    path.write_text(f"# M-7B\n\n{text}\n")
    result = audit(path)
    assert [one.text for one in result.licences] == licences
    found = [finding.kind for finding in result.findings]
    assert ("no_licence" in found) == (not licences) and "licence" not in found


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("Most base models like `meta-llama/Llama-3.2-1B` have no chat template.", []),
        ("Changing the base model from llama-2-7B to Mistral-7b lifts GSM8K.", []),
        ("This model is fine-tuned from meta-llama/Llama-2-7b-hf.", ["meta-llama/Llama-2-7b-hf"]),
        ("M-7B is based on the powerful Mistral-7B-v0.1 model.", ["Mistral-7B-v0.1"]),
        ("Base model: google/gemma-7b", ["google/gemma-7b"]),
        ("Rival-7B is fine-tuned from meta-llama/Llama-2-7b-hf.", []),
    ],
)
def test_a_base_is_one_that_is_said_of_this_model(
    tmp_path: Path, text: str, bases: list[str]
) -> None:
    path = tmp_path / "card.md"
    path.write_text(f"# M-7B\n\n{text}\n")
    assert [name for name, _ in inputs.read(card.read(path)).base] == bases


@pytest.mark.parametrize(
    ("lines", "kind", "expected"),
    [
        (
            "max_steps: 5500\nbatch_size = 8\ngradient_accumulation: 4\nNuminaMath-CoT (859K)",
            "training",
            "176,000 examples: 20.5% of the 859,000 rows",
        ),
        (
            "- train_batch_size: 8\n- num_devices: 3\n- total_train_batch_size: 64",
            "training_sum",
            "gives an effective batch of 64; 8 x 3 is 24",
        ),
        ("- train_batch_size: 8\n- gradient_accumulation_steps: 4\n- total_batch_size: 64", "", ""),
        ("- train_batch_size: 1\n- num_devices: 8\n- total_train_batch_size: 4", "", ""),
        (
            "batch_size: 10, num_epochs: 3, max_steps: 100\n\nWe train on NuminaMath-CoT (859K)",
            "training",
            "3 epochs (line 6) of 859,000 rows would take 257,700 steps",
        ),
        (
            "| Dataset | Size |\n|---|---|\n| A | 100K |\n| B | 50K |\n| Total | 2M |",
            "training_sum",
            "The sets add up to 150,000 rows; the card's total is 2M",
        ),
        ("train_batch_size: 8, gradient_accumulation_steps: 4, effective_batch_size: 32", "", ""),
        ("batch_size: 0, effective_batch_size: 32, max_steps: 0", "", ""),
        ("| Source | Number of tokens |\n|---|---|\n| competition_math | 1.6 M |", "", ""),
    ],
)
def test_the_arithmetic_of_training(tmp_path: Path, lines: str, kind: str, expected: str) -> None:
    found = findings(tmp_path, f"---\nlicense: mit\n---\n## Training data\n\n{lines}\n")
    assert expected in points(found, kind)
    assert {"training", "training_sum"} & found.keys() == ({kind} if kind else set())


def test_published_results_are_compared_with_their_own_conditions() -> None:
    """~80 agrees with one of two published numbers; 97.3 and 95.8 are far from ~80."""
    told = {finding.kind: finding for finding in audit(SEED, known=KNOWN).findings}["published"]
    assert [line.split("(")[0] for line in told.points] == [
        "Line 46: AIME ~80% for DeepSeek R1 14B. That agrees with 80.0 ",
        "Line 48: MATH ~80% for o3-mini. Published: 97.3 ",
    ]


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that exits with status 2 and return its one line of error."""
    assert main(["audit", *(str(argument) for argument in arguments)]) == 2
    told = capsys.readouterr()
    assert not told.out and told.err.count("\n") == 1
    return told.err


# A few lines of aliases that stand for 10 to the 20 values.
BOMB = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20))
LAUGHS = f"---\na0: &a0 x\n{BOMB}\nmodel_name: *a19\n---\n# A\n".encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"# A\n\nok \xff\xfe\n", "line 3: not UTF-8 (byte 0xff)"),
        ("# A\n".encode("utf-16")[:-1], "line 1: not UTF-16"),
        ("# A\n".encode("utf-16-le"), "holds null bytes"),
        (b"<!DOCTYPE html>\n<html><body>AIME 97%</body></html>", "is an HTML page, not Markdown"),
        (b"\n<html lang='en'>", "is an HTML page, not Markdown"),
        (b"---\nlicense: [mit\nbase: x\n---\n# A\n", "invalid YAML in the front matter"),
        (b"---\nlicense: mit\n\tx: y\n---\n", "line 3: invalid YAML in the front matter"),
        (b"---\n- a\n- b\n---\n# A\n", "not `key: value` lines"),
        (b"---\nlicense: mit\n# A\n", "not closed"),
        (b"---\nx: " + b"[" * 100_000 + b"\n---\n", "line 2: more than 50 levels"),
        (LAUGHS, "aliases that stand for more than 1,000,000 values"),
        (b"---\nx: !!python/object:os.system {}\n---\n", "invalid YAML in the front matter"),
    ],
)
def test_a_card_that_is_none_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, expected: str
) -> None:
    path = tmp_path / "card.md"
    path.write_bytes(content)
    assert expected in error_of(capsys, path)


def test_a_path_that_is_not_a_card_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist" in error_of(capsys, tmp_path / "card.md")
    assert "is a folder without cards" in error_of(capsys, tmp_path)
    assert "has no model-index" in error_of(capsys, SEED, "--model-index")
    assert "is not a folder" in error_of(capsys, SEED, "--data", tmp_path / "missing")
    assert "does not exist" in error_of(capsys, SEED, "--known", tmp_path / "missing.yaml")
    (tmp_path / "known.yaml").write_text(f"- a0: &a0 x\n  {BOMB.replace(chr(10), chr(10) + '  ')}")
    assert "aliases that stand for" in error_of(capsys, SEED, "--known", tmp_path / "known.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("model: x", "must be a list of model, benchmark, value and source"),
        ("- {model: x, benchmark: AIME, value: 1}", "entry 1: needs benchmark, model, source"),
        ("- {model: x, benchmark: Nope, value: 1, source: s}", "benchmark 'Nope' is not one of"),
        ("- {model: x, benchmark: AIME, value: many, source: s}", "'many' is not a percentage"),
        ("- {model: x, benchmark: AIME, value: 420, source: s}", "from 0 to 100"),
        ("- [", "is not valid YAML"),
    ],
)
def test_a_file_of_results_that_is_none_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, expected: str
) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(content)
    assert expected in error_of(capsys, SEED, "--known", path)


def test_only_the_model_index_is_read_where_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text((CARDS / "model_index.md").read_text() + "\nGSM8K: 99.9%\n")
    assert len(audit(path).claims) == 5
    assert len(audit(path, only_model_index=True).claims) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "The model gets 97% on AIME and 88% on GSM8K. " * 20 + "\n\n",
        "| Model | AIME |\n|---|---|\n" + "| A-7B | 97% |\n" * 1000 + "\n",
        "[", "|", "*", "<table><a ", "<!-- a --> b ", "AIME " * 20, "1-2-3-", " " * 999 + "x\n",
    ],
    ids=lambda body: body[:12].strip() or "spaces",
)  # fmt: skip
def test_five_megabytes_of_anything_take_seconds(tmp_path: Path, body: str) -> None:
    """A backtracking expression would take hours; the slowest of these takes 9 s."""
    path = tmp_path / "card.md"
    path.write_text((HEAD + body * (5_000_000 // len(body)))[:5_000_000])
    done = subprocess.run(
        [sys.executable, "-m", "mathledger", "audit", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout.startswith("# Audit of card.md")


def test_more_claims_than_are_listed_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mathledger.audit.MAX_CLAIMS", 50)
    path = tmp_path / "card.md"
    path.write_text(HEAD + "AIME 2024: 50%.\n\n" * 51)
    result = audit(path)
    assert len(result.claims) == 50 and "has more claims" in report.markdown(result)


def test_rows_of_other_lengths_than_the_header(tmp_path: Path) -> None:
    """Missing cells are empty and extra cells are dropped, as GitHub shows them."""
    path = tmp_path / "card.md"
    path.write_text(f"{HEAD}| | GSM8K |\n|---|---|\n| Ours | 72.7 | 99.9 |\n| A-7B |\n|||GSM8K|\n")
    assert [claim.text for claim in audit(path).claims] == ["72.7"]
    path.write_text(f"{HEAD}| Score |\n|---|\n| 70.1 | GSM8K |\n")
    assert audit(path).claims == []


def test_a_cell_cannot_break_the_table_of_the_report(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text(f"{HEAD}| Model | GSM8K |\n|---|---|\n| A\\|B-7B | 72.7 |\n")
    row = next(line for line in report.markdown(audit(path)).splitlines() if "72.7" in line)
    assert row.replace("\\|", "").count("|") == 8 and "A\\|B-7B" in row


def test_a_reader_that_leaves_early_is_not_an_error() -> None:
    command = f"{sys.executable} -m mathledger audit {SEED} --known {KNOWN} | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "# Audit of seed.md\n" and not done.stderr


def test_nothing_heavy_is_imported() -> None:
    """Light imports let the command answer in a fraction of a second."""
    heavy = "{'numpy','pyarrow','scipy','numba','torch','mlflow','dvc','transformers','pydantic'}"
    code = (
        "import sys; from mathledger.cli import main; "
        f"main(['audit', {str(SEED)!r}, '--known', {str(KNOWN)!r}]); "
        f"print({heavy} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "set()\n"
