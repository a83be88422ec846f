"""A statement that contradicts itself, or stands twice, is not a second person's word."""

import contextlib
import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger import signing
from mathledger.chain.chain import LEDGER, Chain
from mathledger.core.files import write_json
from mathledger.reproduce import public_key
from mathledger.verify import statements
from mathledger.verify.chances import chances
from tests.conftest import ROOT
from tests.reproduce.test_reproduce import key_in

pytest.importorskip("model_signing")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Return a project with a ledger and a key, as the current folder."""
    top = tmp_path_factory.mktemp("project")
    (top / LEDGER).parent.mkdir()
    shutil.copy(ROOT / LEDGER, top / LEDGER)
    key_in(top)
    with contextlib.chdir(top):
        yield Chain("workspace", None, top)


def findings(holds: list[bool]) -> list[dict[str, Any]]:
    return [
        {"level": level, "is_equal": is_held, "holds": is_held, "equal": [], "tolerance": "none",
         "moved": [] if is_held else ["a byte"]}
        for level, is_held in zip(statements.LEVELS, holds, strict=False)
    ]  # fmt: skip


def statement(chain: Chain, **changes: Any) -> dict[str, Any]:
    """Return the content of a statement that everything up to V3 holds."""
    sample = {
        "nonce": "0", "num_all": 40, "num_drawn": 8, "num_same_text": 8, "num_same_verdict": 8,
        "num_better_before": 0, "num_better_again": 0, "p_value": 1.0, "chances": chances(40, 8),
    }  # fmt: skip
    own = {
        "ledger_sha256": chain.ledger_sha256, "commit": "0" * 40, "level": "V3",
        "findings": findings([True] * 4), "sample": sample, "hardware": {}, "packages": {},
        "signer": {"name": "Ada", "identity": None, "identity_provider": None},
    }  # fmt: skip
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [statements.subject(chain).content()],
        "predicateType": statements.PREDICATE_TYPE,
        "predicate": {**own, **changes},
    }


def sign(path: Path) -> None:
    """Sign a statement with the key of the project."""
    config = signing.signing_config(signing.Key(Path("key.pem")))
    with statements.alone(path) as folder:
        signing.sign(folder, path.with_name(statements.SIGNATURE), config)


def seen(chain: Chain, *contents: dict[str, Any]) -> list[statements.Seen]:
    """Sign statements, whatever they say, and read them as `verify` does."""
    shutil.rmtree("statements", ignore_errors=True)
    for number, content in enumerate(contents):
        path = Path(f"statements/{number}") / statements.FILE
        write_json(path, content)
        path.with_name(statements.KEY).write_bytes(public_key(Path("key.pem")))
        sign(path)
    return statements.read(chain)


def test_a_consistent_statement_is_shown(chain: Chain) -> None:
    (found,) = seen(chain, statement(chain))
    assert found.faults == () and found.is_about and "Ada (key " in found.line
    assert "V3 responses" in found.line


@settings(deadline=None, max_examples=25, suppress_health_check=[*HealthCheck])
@given(st.lists(st.booleans(), max_size=5), st.sampled_from([None, *statements.LEVELS]))
def test_a_level_that_the_findings_do_not_reach_is_a_fault(
    chain: Chain, holds: list[bool], level: str | None
) -> None:
    found = findings(holds)
    reached = [None, *statements.LEVELS][[*holds, False].index(False)]
    sample = statement(chain)["predicate"]["sample"] if len(holds) > 3 else None
    (one,) = seen(chain, statement(chain, findings=found, level=level, sample=sample))
    assert (one.faults == ()) == (level == reached)
    assert ("not valid" in one.line) == (level != reached)


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": findings([True] * 5)[1:], "level": "V4"},
        {"findings": [{**each, "moved": ["a byte"]} for each in findings([True] * 4)]},
        {"sample": None},
        {"findings": findings([True]), "level": "V0"},  # with a sample
    ],
)
def test_a_statement_that_contradicts_itself_is_not_valid(
    chain: Chain, changes: dict[str, Any]
) -> None:
    (one,) = seen(chain, statement(chain, **changes))
    assert "not valid" in one.line


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_drawn", 80), ("num_same_text", 9), ("num_all", 41), ("chances", {"1": 0.0})],
)
def test_a_sample_that_cannot_be_is_not_valid(chain: Chain, key: str, value: Any) -> None:
    sample = statement(chain)["predicate"]["sample"] | {key: value}
    (one,) = seen(chain, statement(chain, sample=sample))
    assert "the numbers of its sample contradict each other" in one.line


def test_a_copy_counts_once(chain: Chain) -> None:
    """The copy has a signature of its own, which is valid."""
    first, second = seen(chain, statement(chain), statement(chain))
    assert first.faults == () and second.faults == ("it repeats statements/0",)


def test_a_statement_about_another_file_is_not_about_this_ledger(chain: Chain) -> None:
    content = statement(chain)
    content["subject"][0]["digest"]["sha256"] = "0" * 64
    (one,) = seen(chain, content)
    assert not one.is_about and "about another ledger" in one.line


def test_a_name_cannot_write_a_second_line(chain: Chain) -> None:
    name = "Ada\nstatements/9: Grace (key 0): V4 training" + " x" * 500
    content = statement(chain, signer={"name": name, "identity": None, "identity_provider": None})
    (one,) = seen(chain, content)
    assert one.faults == () and "\n" not in one.line and len(one.line) < 500


@pytest.mark.slow
@settings(deadline=None, max_examples=20, suppress_health_check=[*HealthCheck])
@given(st.booleans(), st.booleans(), st.sampled_from(["Ada", "Grace"]))
def test_a_copy_counts_once_however_it_is_written(
    chain: Chain, has_sample: bool, has_other_nonce: bool, name: str
) -> None:
    """Whoever signs a copy, under whatever name, drew no sample of their own."""
    levels = 4 if has_sample else 3
    changes = {"findings": findings([True] * levels), "level": f"V{levels - 1}"}
    one = statement(chain, **changes, **({} if has_sample else {"sample": None}))
    other = copy.deepcopy(one)
    other["predicate"]["signer"]["name"] = name
    other = dict(reversed(other.items()))  # another order of the keys
    if has_sample and has_other_nonce:
        other["predicate"]["sample"]["nonce"] = "1"
    first, second = seen(chain, one, other)
    is_new = has_other_nonce if has_sample else name != "Ada"
    assert first.faults == () and ("it repeats statements/0" not in second.faults) == is_new


def test_a_key_that_stands_twice_is_a_fault(chain: Chain) -> None:
    """The signature covers both values, of which Python reads the last."""
    seen(chain, statement(chain))
    path = Path("statements/0") / statements.FILE
    text = path.read_text()
    path.write_text(text.replace('"level": "V3"', '"level": "V4",\n    "level": "V3"', 1))
    sign(path)
    (found,) = statements.read(chain)
    assert found.faults == ("it is not formatted as `mathledger reproduce` writes it",)


def test_only_what_is_signed_is_published(chain: Chain) -> None:
    seen(chain, statement(chain))
    Path("statements/0/award.html").write_text("97%")
    names = [path.name for path in statements.files(Path("statements/0"))]
    assert names == [statements.FILE, statements.SIGNATURE, statements.KEY]


def test_a_file_that_nobody_signed_next_to_a_statement_is_a_fault(chain: Chain) -> None:
    seen(chain, statement(chain))
    Path("statements/0/proof.md").write_text("97%")
    Path("statements/0/more").symlink_to("../../docs", target_is_directory=True)
    (one,) = statements.read(chain)
    wanted = "nobody signed more, which lies next to it: remove it"
    assert one.faults == (wanted, wanted.replace("more", "proof.md"))
