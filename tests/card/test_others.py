"""Other people's models have a table of their own on the card, apart from claims."""

import json
from functools import cache
from pathlib import Path

import pytest

from mathledger.card import card, plot_tables, plots, scores, statement
from mathledger.card.ledger import Ledger, OtherModel, StatedScore
from mathledger.card.views.scores import final_model, others_table, score_table
from mathledger.run import params

SERVED = OtherModel(
    kind="server",
    name="org/m",
    revision="as served",
    licence="unknown",
    about="A model behind a server.",
    base_url="http://127.0.0.1:8000/v1",
    said={"owned_by": "vllm"},
    is_probed=False,
)


@cache
def with_rival() -> Ledger:
    """Return the committed ledger with another model, whose responses are those of the base."""
    content = json.loads(Path("model_card/ledger.json").read_text(encoding="utf-8"))
    ledger = statement.parse(content, "ledger.json").predicate
    benchmarks = []
    for entry in ledger.benchmarks:
        (against,) = [each for each in entry.comparisons if each.against == "base"]
        tested = against.model_copy(update={"against": "rival"})
        benchmarks.append(
            entry.model_copy(
                update={
                    "models": {**entry.models, "rival": entry.models["base"]},
                    "comparisons": [*entry.comparisons, tested],
                }
            )
        )
    claim = StatedScore(
        model="rival",
        benchmark="champ",
        low=0.97,
        high=0.97,
        source="its card",
        is_evaluated=True,
    )
    return ledger.model_copy(
        update={"benchmarks": benchmarks, "others": {"rival": SERVED}, "claims": [claim]}
    )


def test_the_pipelines_last_model_stays_the_cards_model() -> None:
    ledger = with_rival()
    assert ledger.models == ["base", "tuned", "rival"]
    assert (ledger.own_models, final_model(ledger)) == (["base", "tuned"], "tuned")
    content = {"evaluated_models": ledger.models, "models": {"rival": {}}}
    assert params.final_model(content) == "tuned"
    assert "download_models@rival" in statement.stage_names(
        {**content, "corpus": {}, "benchmark": {}, "reinforce": {}}
    )


def test_each_other_model_is_tested_against_the_final_one_alone() -> None:
    rows = [[{"correct": number % 2 == 0}] for number in range(8)]
    pairs = scores.comparisons({"base": rows, "tuned": rows, "one": rows, "two": rows})
    assert [(each.model, each.against) for each in pairs] == [
        ("tuned", "base"),
        ("tuned", "one"),
        ("tuned", "two"),
    ]


def test_measured_rows_and_claims_are_apart() -> None:
    ledger = with_rival()
    text = card.text(ledger)
    measured = text.split("## Other models, measured here")[1].split("\n## ")[0]
    claimed = text.split("## Claims of other cards")[1].split("\n## ")[0]
    own = text.split("## Scores")[1].split("\n## ")[0]
    assert "rival" not in own and "its card" not in measured
    for entry in ledger.benchmarks:
        assert f"| {entry.benchmark} | rival |" in measured
    assert "97%" in claimed and "not measured here" in " ".join(claimed.split())
    assert len(others_table(ledger).splitlines()) == 2 + 2 * len(ledger.benchmarks)
    assert "rival" not in score_table(ledger)


@pytest.mark.parametrize("is_served", [True, False])
def test_the_card_says_that_the_weights_behind_a_server_are_not_known(is_served: bool) -> None:
    change = {} if is_served else {"base_url": None, "said": None, "is_probed": True}
    other = SERVED.model_copy(update=change)
    text = card.text(with_rival().model_copy(update={"others": {"rival": other}}))
    assert ("weights are not known" in text) == is_served
    assert ("It says about itself: owned_by: vllm." in text) == is_served
    assert ("completed no halves of problems" in text) == is_served


def test_a_ledger_with_others_reads_back(tmp_path: Path) -> None:
    ledger = with_rival()
    assert Ledger.read(ledger.content(), "ledger") == ledger


def test_a_model_has_the_same_colour_whatever_others_there_are() -> None:
    few = plots._colors(["base", "tuned"])
    many = plots._colors(["base", "tuned", *(f"other{n}" for n in range(7))])
    assert many.items() >= few.items() and len(many) == 9
    rows = plot_tables.scores(with_rival())
    assert plots.scores(rows, []) and plots.lengths(plot_tables.lengths(with_rival()))
