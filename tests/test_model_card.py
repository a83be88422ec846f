"""The card shows what the ledger holds, and no more."""

import json
import re

import pytest
from huggingface_hub import ModelCard

from stages import model_card
from stages.common import statistics
from stages.common.records import read_rows, sha256
from tests.conftest import Workspace


def test_front_matter_is_valid_and_holds_the_ledgers_scores(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())
    data = ModelCard.load(smoke.path / "model_card/README.md").data
    assert data.license == "apache-2.0" and data.library_name == "transformers"
    shown = {result.dataset_name: result.metric_value for result in data.eval_results}
    assert shown == {
        entry["benchmark"]: entry["models"]["tuned"]["accuracy"] for entry in ledger["benchmarks"]
    }


def test_ledger_can_be_recomputed_from_the_samples(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())
    for entry in ledger["benchmarks"]:
        for model, score in entry["models"].items():
            path = smoke.path / f"data/evaluate/{model}-{entry['benchmark']}/samples.parquet"
            assert score["samples_sha256"] == sha256(path)
            rows = read_rows(path)
            found = statistics.accuracy([row["correct"] for row in rows])
            assert score["num_items"] == len(rows)
            assert score["accuracy"] == round(found.value, 4)
            assert [score["low"], score["high"]] == [round(found.low, 4), round(found.high, 4)]


def test_ledgers_inputs_are_the_digests_of_the_lock(smoke: Workspace) -> None:
    import yaml

    lock = yaml.safe_load((smoke.path / "dvc.lock").read_text())["stages"]
    made = {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", [])}
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())
    for entry in ledger["benchmarks"]:
        for score in entry["models"].values():
            assert len(score["inputs"]) == 2
            for path, digest in score["inputs"].items():
                assert made[path] == digest


def test_every_score_on_the_card_stands_in_the_ledger(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())
    card = (smoke.path / "model_card/README.md").read_text()
    known = set()
    for entry in ledger["benchmarks"]:
        for score in entry["models"].values():
            known |= {
                (part["num_correct"], part["num_items"])
                for part in (score, score["items_without_overlap"])
            }
    shown = {(int(a), int(b)) for a, b in re.findall(r"(\d+) of (\d+): \d", card)}
    assert shown and shown <= known


def test_planted_rows_are_reported(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())
    assert {row["kind"]: (row["num_planted"], row["num_removed"]) for row in ledger["planted"]} == {
        "planted_wrong_answer": (2, 2),
        "planted_leak": (2, 2),
        "planted_exact_copy": (3, 3),
        "planted_near_copy": (3, 3),
    }
    for entry in ledger["benchmarks"]:
        assert entry["num_items_overlapping_training_candidates"] == 2


def test_the_report_shows_the_planted_leaks_beside_their_items(smoke: Workspace) -> None:
    page = (smoke.path / "model_card/report.html").read_text()
    pair = re.search(r"<article.*?planted_leak.*?</article>", page, flags=re.S)
    assert pair and "same <small>removed" in pair[0] and "tiny_chain_sum" in pair[0]


def test_the_filters_test_and_the_heat_map_are_dvc_plots(smoke: Workspace) -> None:
    for name, columns in (("contamination", "source,benchmark,num_rows"), ("canaries", "form,")):
        text = (smoke.path / f"plots/model_card/{name}.csv").read_text()
        assert text.startswith(columns)
        shown = smoke.run("dvc", "plots", "show", "--show-vega", name)
        assert text.splitlines()[1].split(",")[0] in shown


def test_funnel_never_widens(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())
    for counts in ledger["funnel"].values():
        assert counts == sorted(counts, reverse=True) and counts[-1] > 0


def test_links_and_pictures_are_there(smoke: Workspace) -> None:
    card = (smoke.path / "model_card/README.md").read_text()
    for target in re.findall(r"\]\(([^)]+)\)", card):
        assert (smoke.path / "model_card" / target).exists(), target


def test_the_usage_snippet_runs(smoke: Workspace) -> None:
    card = (smoke.path / "model_card/README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.S)
    shown = smoke.python("-c", code)
    assert "assistant" in shown


def test_two_runs_are_the_same_bytes(smoke_copy: Workspace) -> None:
    folder = smoke_copy.path / "model_card"
    before = {path.name: sha256(path) for path in folder.iterdir()}
    smoke_copy.repro("--force", "--single-item", "model_card")
    assert {path.name: sha256(path) for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("share", "num_items", "shown"), [(29 / 30, 30, "97"), (0.9, 500, "90.0"), (0.0, 12, "0")]
)
def test_percent_shows_no_more_than_an_item_is_worth(
    share: float, num_items: int, shown: str
) -> None:
    assert model_card.percent(share, num_items) == shown


def test_a_score_of_no_items_is_not_a_number() -> None:
    assert model_card.score_cell(model_card.score_of([])) == "no items"
