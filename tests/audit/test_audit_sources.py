"""Cards come from files, folders and the hub; audits go to JSON, a page and an exit status."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mathledger.audit import audit
from mathledger.audit.fetch import fetch, is_name
from mathledger.cli import main
from tests.hub import commit_of, serve

ROOT = Path(__file__).parent.parent.parent
CARDS = ROOT / "tests/audit/cards"
SEED = CARDS / "seed.md"
SCHEMA = json.loads((ROOT / "docs/audit.schema.json").read_text(encoding="utf-8"))
CARD = "---\nlicense: mit\n---\n# Kestrel-7B\n\n| Model | GSM8K |\n|---|---|\n"
CARD += "| Kestrel-7B | 80.1 |\n| Rival-7B | 70.2 |\n"
ENTRIES = """\
- dataset: {id: math-ai/aime25, task_id: aime25, revision: 5503434ddd75}
  value: 100
  notes: maj@16
  source: {url: "https://example.org/logs", name: logs}
- dataset: {id: openai/gsm8k, task_id: main}
  value: 91.0
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Serve a hub with one model and point the client at it, with an empty cache."""
    folder = tmp_path / "hub"
    repo = folder / "acme/Kestrel-7B"
    (repo / ".eval_results").mkdir(parents=True)
    (repo / "README.md").write_text(CARD)
    (repo / ".eval_results/math.yaml").write_text(ENTRIES)
    (folder / "acme/No-Card-7B").mkdir()
    (folder / "acme/No-Card-7B/config.json").write_text("{}")
    with serve(folder) as served:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", served.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", f"{tmp_path / 'cache'}")
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", f"{tmp_path / 'token'}")
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            served.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", served.url)
        yield served


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that exits with status 2 and return its one line of error."""
    assert main(["audit", *arguments]) == 2
    told = capsys.readouterr()
    assert not told.out and told.err.count("\n") == 1
    return told.err


def test_a_card_of_the_hub_states_its_commit_and_is_read_from_the_cache_offline(
    hub: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "acme/Kestrel-7B", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == "acme/Kestrel-7B" and told["commit"] == commit_of("acme/Kestrel-7B")
    own = [(c["benchmark"], c["text"], c["whose"]) for c in told["claims"] if not c["file"]]
    assert own == [("gsm8k", "80.1", "this"), ("gsm8k", "70.2", "other")]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    fetched = fetch("acme/Kestrel-7B")
    assert fetched.commit == told["commit"] and fetched.note and "cache" in fetched.note


def test_what_a_leaderboard_shows_is_compared_with_its_note_and_the_card(
    hub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched = fetch(f"acme/Kestrel-7B@{commit_of('acme/Kestrel-7B')}")
    result = audit(fetched.path, repo=fetched.repo, fetched=fetched)
    shown = [claim for claim in result.claims if claim.where == "eval-results"]
    assert [(c.benchmark, c.text, c.metric) for c in shown] == [
        ("aime25", "100", "maj@16"),
        ("gsm8k", "91.0", None),
    ]
    assert shown[0].stated["revision"] == "revision 5503434ddd75"
    found = {finding.kind: finding for finding in result.findings}["leaderboard"]
    assert found.strength == "question"
    assert "its own note calls it maj@16" in found.points[0]
    assert "the card gives GSM8K 80.1 (line 8)" in found.points[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("acme/Missing-7B", "the hub has no model acme/Missing-7B, or it is private"),
        ("acme/Kestrel-7B@nope", "acme/Kestrel-7B has no revision nope"),
        ("acme/No-Card-7B", "acme/No-Card-7B has no model card"),
        ("acme/Gated-7B", "acme/Gated-7B is gated: accept its terms on the hub"),
    ],
)
def test_a_repository_without_a_card_gives_one_line(
    hub: Any, capsys: pytest.CaptureFixture[str], name: str, expected: str
) -> None:
    if "Gated" in name:
        (hub.folder / "acme/Gated-7B").mkdir()
        hub.gated.add("acme/Gated-7B")
    assert expected in error_of(capsys, name)


def test_without_network_and_cache_there_is_one_line(
    hub: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "the cache has no copy" in error_of(capsys, "acme/Kestrel-7B")


def test_a_file_is_distinguished_from_a_name() -> None:
    assert is_name("acme/Kestrel-7B") and is_name("acme/Kestrel-7B@v1.0")
    assert not any(map(is_name, ("cards/README.md", "README", "a/b/c", "acme/x.html")))


def test_a_folder_gives_a_line_for_each_card_and_what_two_of_them_differ_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/one.md").write_text(CARD)
    (tmp_path / "two.md").write_text(CARD.replace("70.2", "75.9").replace("Kestrel", "Heron"))
    (tmp_path / "broken.md").write_bytes(b"\xff\xff\n")
    (tmp_path / "notes.txt").write_text("GSM8K: 1%")
    assert main(["audit", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "| acme/one.md | 2 | 1 | 1 | 0 | 0 |" in out
    assert "| broken.md | not read: " in out and "notes.txt" not in out
    assert "GSM8K, Rival-7B: 70.2 (acme/one.md, line 9), 75.9 (two.md, line 9)." in out
    assert main(["audit", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, SCHEMA)
    assert [entry["file"] for entry in told] == ["acme/one.md", "broken.md", "two.md"]
    assert "names one model" in error_of(capsys, str(tmp_path), "--model", "acme/Kestrel-7B")


@pytest.mark.parametrize("card", sorted(CARDS.glob("*.md")), ids=lambda path: path.stem)
def test_json_fits_its_schema(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(card), "--json"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)


def test_the_schema_refuses_what_it_does_not_name() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"card": "x"}, SCHEMA)


def test_the_page_shows_what_the_report_says_and_hurts_no_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.md"
    card.write_text(CARD.replace("Rival-7B", "<script>alert(1)</script>Rival-7B"))
    page = tmp_path / "page.html"
    assert main(["audit", str(card), "--html", str(page)]) == 0
    assert not capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and "Rival-7B" in text and "Missing" in text
    assert main(["audit", str(CARDS), "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    for name in ("seed.md", "prose.md"):
        assert f'id="card-{name}"' in text and f'href="#card-{name}"' in text
    missing = error_of(capsys, str(card), "--html", str(tmp_path / "no/x"))
    assert f"{tmp_path / 'no'} does not exist: create it" in missing


@pytest.mark.parametrize(
    ("text", "fail_on", "status"),
    [
        ("AIME 2024: 80% (23/30)", "contradiction", 1),
        ("AIME 2024: 98%", "contradiction", 0),
        ("AIME 2024: 98%", "question", 1),
        ("GSM8K: 80.1%", "question", 0),
        ("GSM8K: 80.1%", "missing", 1),
        ("GSM8K: 80.1%", None, 0),
    ],
)
def test_an_author_can_let_continuous_integration_fail(
    tmp_path: Path, text: str, fail_on: str | None, status: int
) -> None:
    card = tmp_path / "card.md"
    card.write_text(f"---\nlicense: mit\n---\n# Kestrel-7B\n\n{text}\n")
    options = ["--fail-on", fail_on] if fail_on else []
    assert main(["audit", str(card), *options]) == status


def test_the_name_of_the_repository_tells_a_family_apart(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    rows = "| Model | GSM8K |\n|---|---|\n| Kestrel-7B | 80.1 |\n| Kestrel-13B | 85.2 |\n"
    card.write_text(f"# Kestrel\n\n{rows}")
    assert [claim.whose for claim in audit(card).claims] == ["this", "this"]
    own = audit(card, repo="acme/Kestrel-13B").claims
    assert [claim.whose for claim in own] == ["family", "this"]
    named = tmp_path / "acme__Kestrel-7B.md"
    named.write_text(card.read_text())
    assert [claim.whose for claim in audit(named).claims] == ["this", "family"]


def test_the_project_s_own_card_audits_clean() -> None:
    """The tuned scores are this model's, and nothing that a reader needs is missing."""
    result = audit(ROOT / "model_card/README.md")
    own = [claim for claim in result.claims if claim.whose == "this"]
    assert len(own) >= 8 and not any(claim.whose == "unclear" for claim in result.claims)
    assert all(claim.model in (None, "tuned") for claim in own)
    assert [finding.title for finding in result.findings] == []


def test_a_repository_that_was_renamed_says_so(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub redirects the old name; the audit reads the card and reports the new name."""

    class Info:
        id, sha = "acme/Kestrel-7B", commit_of("acme/Kestrel-7B")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: Info)
    fetched = fetch("old/Kestrel-7B")
    assert fetched.repo == "acme/Kestrel-7B"
    assert fetched.note == "old/Kestrel-7B was renamed: the hub calls it acme/Kestrel-7B now."
