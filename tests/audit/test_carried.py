"""The audit names every claim on a card that the ledger next to it does not give, in any form."""

import json
from pathlib import Path

import pytest

from mathledger.audit import audit
from mathledger.audit.types import Finding
from mathledger.card import card, statement
from mathledger.core.errors import InputError
from tests.conftest import ROOT

LEDGER = json.loads((ROOT / "model_card/ledger.json").read_text(encoding="utf-8"))
# The tuned model's accuracy on chain_sum.
ACCURACY = LEDGER["predicate"]["benchmarks"][0]["models"]["tuned"]["accuracy"]
CARD = card.text(statement.parse(LEDGER, "ledger.json").predicate)


def findings(folder: Path, text: str, ledger: str | None = None) -> list[Finding]:
    (folder / "README.md").write_text(text, encoding="utf-8")
    if ledger is not None:
        (folder / "ledger.json").write_text(ledger)
    kinds = ("not_in_ledger", "other_version")
    return [each for each in audit(folder / "README.md").findings if each.kind in kinds]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledger.json").write_text(json.dumps(LEDGER))
    return tmp_path


def test_a_card_as_the_ledger_renders_it_has_no_foreign_line(folder: Path) -> None:
    assert findings(folder, CARD) == []


@pytest.mark.slow
def test_a_line_in_any_form_is_named(folder: Path) -> None:
    forms = {
        "table row": ("## By level", "| AIME 2025 | 30 of 30: 100% |\n\n## By level"),
        "sentence": ("## Limits", "It solves 95% of AIME 2025.\n\n## Limits"),
        "HTML": ("## Limits", "<td>AIME 2025</td><td>100</td>\n\n## Limits"),
        "image": ("![Loss](", "![AIME 2025: 100%]("),
        "model-index": (f"value: {ACCURACY}", "value: 0.975"),
        "changed cell": (f"{ACCURACY * 100:.0f}% [", "97% ["),
    }
    for name, (old, new) in forms.items():
        assert old in CARD, name
        (found,) = findings(folder, CARD.replace(old, new, 1))
        assert found.kind == "not_in_ledger" and found.strength == "contradiction", name
        assert len(found.points) == 1 and found.points[0].startswith(f"Line {found.lines[0]}: ")


def test_a_leaderboard_value_that_is_not_a_score_of_the_ledger_is_named(folder: Path) -> None:
    (folder / ".eval_results").mkdir()
    entry = "- dataset: {id: org/gsm_symbolic, task_id: gsm_symbolic}\n  value: %s\n"
    file = folder / ".eval_results/x.yaml"
    file.write_text(entry % f"{ACCURACY * 100:.2f}")
    assert findings(folder, CARD) == []
    file.write_text(entry % "90.62")
    (found,) = findings(folder, CARD)
    assert "90.62" in found.points[0] and "not a score in the ledger" in found.points[0]


def test_another_ledger_says_nothing_and_a_damaged_one_is_one_line(folder: Path) -> None:
    assert findings(folder, CARD + "9 of 9\n", '{"predicateType": "another"}') == []
    with pytest.raises(InputError, match=r"ledger.json cannot be read"):
        findings(folder, CARD, "{")


def test_a_card_of_another_version_is_a_question(folder: Path) -> None:
    lines = "".join(f"Sentence {number} of another version.\n" for number in range(400))
    (found,) = findings(folder, lines)
    assert found.kind == "other_version" and found.strength == "question"
