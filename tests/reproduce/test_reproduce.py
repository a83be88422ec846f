"""A second person reproduces results and signs a statement, which `verify` shows."""

import contextlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from scipy.stats import hypergeom

from mathledger.chain.chain import LEDGER, Chain
from mathledger.evaluation.engines.engine import Request
from mathledger.evaluation.spot_check import draw as drawn_by_the_stage
from mathledger.publish import results_card
from mathledger.reproduce import drawing, levels, training
from mathledger.verify import chances, links, statements
from tests.conftest import Workspace

KEYS = [
    (model, benchmark, f"item{number}", repeat)
    for model in ("base", "tuned")
    for benchmark in ("champ", "exam")
    for number in range(7)
    for repeat in range(2)
]


def test_each_link_is_part_of_a_level() -> None:
    known = {name for names in levels.LINKS.values() for name in names}
    made = {link.name for link in (*links.LINKS, *links.DEEP)}
    assert made - known == {"generation"}  # V3 draws its own sample


def test_the_chance_of_a_forger_is_that_of_a_draw_without_replacement() -> None:
    for num_all, num_drawn, num_forged in ((10, 3, 2), (352, 32, 11), (5, 5, 1), (8, 2, 8)):
        expected = hypergeom(num_all, num_forged, num_drawn).pmf(0)
        assert chances.chance(num_all, num_drawn, num_forged) == pytest.approx(expected)


def test_the_draw_needs_ledger_commit_and_nonce() -> None:
    seeds = {drawing.seed("a", "b", "c"), drawing.seed("x", "b", "c")}
    seeds |= {drawing.seed("a", "x", "c"), drawing.seed("a", "b", "x")}
    assert len(seeds) == 4 and drawing.seed("a", "b", "c") in seeds


def test_the_stages_draw_what_the_draw_over_all_pairs_chose() -> None:
    seed, number = drawing.seed("ledger", "commit", "nonce"), 17
    shares = drawing.draw(KEYS, number, seed)
    assert sum(shares.values()) == number
    chosen = set()
    for pair, share in shares.items():
        requests = [
            Request(item, repeat, [], "", [], None)
            for model, benchmark, item, repeat in KEYS
            if (model, benchmark) == pair
        ]
        random.Random(3).shuffle(requests)  # the order of the requests does not matter
        for each in drawn_by_the_stage(requests, share, pair, seed):
            chosen.add((*pair, each.item_id, each.repeat))
    in_order = sorted(
        KEYS,
        key=lambda key: drawing.place(seed, key[0], key[1], key[2], str(key[3])),
    )
    assert chosen == set(in_order[:number])


def test_every_response_is_drawn_equally_often() -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for nonce in range(600):
        counts += drawing.draw(KEYS, 4, drawing.seed("ledger", "commit", str(nonce)))
    assert all(abs(count - 600) < 75 for count in counts.values())  # 3.5 standard deviations


def test_a_second_training_has_its_own_store_and_the_callers_choice_of_telemetry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "_MLFLOW_X", "DVC_ROOT", "DVC_EXP_NAME")
    for name in (*foreign, "MLFLOW_DISABLE_TELEMETRY", "HF_TOKEN"):
        monkeypatch.setenv(name, "x")
    own = training.environment()
    assert not own.keys() & set(foreign)
    assert own["MLFLOW_DISABLE_TELEMETRY"] == own["HF_TOKEN"] == "x"


def key_in(folder: Path) -> Path:
    """Write a new private key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / "key.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_a_second_person_reproduces_everything_and_signs(
    smoke_copy: Workspace, tmp_path: Path
) -> None:
    top = smoke_copy.path
    shown = smoke_copy.python(
        *("-m", "mathledger", "reproduce", "--level", "V4", "--responses", "3"),
        *("--private-key", str(key_in(tmp_path)), "--name", "Ada Example"),
        *("--overrides", "experiment=smoke"),
    )
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith("V")] == [
        [level, "holds"] for level in levels.LEVELS
    ]
    assert "moved" not in shown and "3 of 3 responses" in shown
    assert "model.safetensors" not in shown and "have the same bytes" in shown
    (folder,) = (top / "statements").iterdir()
    with contextlib.chdir(top):
        (seen,) = statements.read(Chain.open())
        assert seen.statement
        own = seen.statement.predicate
        assert (own.level, own.signer.name) == ("V4", "Ada Example") and own.sample
        assert seen.is_about and not seen.faults
        assert all(found.is_equal and found.holds for found in own.findings)
        seed = drawing.seed(own.ledger_sha256, own.commit, own.sample.nonce)
        assert len(seed) == 64  # all that another person needs to draw the same sample
        assert "Ada Example (key " in seen.line and "V4 training" in seen.line
        assert statements.highest([seen]) == "V4 training: the model was trained again"
        card = results_card(Chain.open().ledger, [], [], [seen])
        assert "the highest level being V4 training" in card and "Ada Example" in card
        # Another ledger: the signature stays valid, and the line says so.
        ledger = Path(LEDGER)
        content = json.loads(ledger.read_text())
        content["predicate"]["name"] = "another"
        ledger.write_text(json.dumps(content))
        (other,) = statements.read(Chain.open())
        assert not other.faults and not other.is_about and "another ledger" in other.line
        # A changed statement: the signature does not fit.
        path = folder / statements.FILE
        path.write_text(path.read_text().replace("Ada", "Eve"))
        (forged,) = statements.read(Chain.open())
        assert forged.faults and "not valid" in forged.line
        path.write_text("{")
        (torn,) = statements.read(Chain.open())
        assert torn.statement is None and "not valid" in torn.line
