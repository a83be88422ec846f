"""The ledger consists of typed records, refuses bad values and survives a round trip."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs import ledger_schema
from mathledger.card import ledger, statement
from mathledger.core.errors import InputError
from tests.conftest import ROOT

CONTENT: dict[str, Any] = json.loads((ROOT / "model_card/ledger.json").read_text("utf-8"))
NAME = "model_card/ledger.json"


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the committed ledger with one value changed; `...` deletes it."""
    content = copy.deepcopy(CONTENT)
    node: Any = content
    *parents, last = path.split(".")
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return content


def test_the_schema_is_the_one_of_the_records() -> None:
    """`make params` writes the schema."""
    assert (ROOT / ledger_schema.SCHEMA).read_text("utf-8") == ledger_schema.text()
    jsonschema.Draft202012Validator.check_schema(statement.schema())


def test_the_committed_ledger_is_written_again_to_the_byte() -> None:
    found = statement.parse(CONTENT, NAME)
    assert statement.text(found.predicate.content()) == statement.text(CONTENT["predicate"])
    assert statement.digest(found.predicate.content()) == statement.digest(CONTENT["predicate"])


SCORE = "predicate.benchmarks.0.models.tuned"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{SCORE}.accuracy", 97, "less than or equal to 1, got '97'"),
        (f"{SCORE}.accuracy", "0.4", "valid number, got '0.4'"),
        (f"{SCORE}.num_items", 1.5, "valid integer, got '1.5'"),
        (f"{SCORE}.num_items", True, "valid integer, got 'True'"),
        (f"{SCORE}.num_items", -1, "greater than or equal to 0, got '-1'"),
        (f"{SCORE}.num_items", ..., "missing key"),
        (f"{SCORE}.weight", 1, "unknown key"),
        (f"{SCORE}.samples_sha256", "abc", "should match pattern"),
        ("predicate.num_comparisons", None, "valid integer, got 'None'"),
        ("predicate.extra", {}, "unknown key"),
        ("predicate.code.stages", "x", "should match pattern"),
        ("predicate.benchmarks", [], "at least 1 item"),
        ("subject", [], "at least 1 item"),
        ("extra", 1, "unknown key"),
        ("_type", "other", "Input should be 'https://in-toto.io/Statement/v1'"),
    ],
)
def test_what_is_wrong_is_refused_by_its_key(path: str, value: Any, said: str) -> None:
    content = changed(path, value)
    with pytest.raises(InputError) as raised:
        statement.parse(content, NAME)
    message = str(raised.value)
    assert message.startswith(f"{NAME}: {path}: ") and said in message and "\n" not in message
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, statement.schema())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_of_json_is_refused(value: float) -> None:
    for path in (f"{SCORE}.mean_num_tokens", "predicate.params.train.learning_rate"):
        with pytest.raises(InputError, match="not JSON compliant"):
            statement.parse(changed(path, value), NAME)
    with pytest.raises(ValueError, match="finite number"):
        ledger.Interval(value=value, low=0.0, high=0.0)


@settings(max_examples=40, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_json_breaks_the_reader(value: Any) -> None:
    """A random value in place of a part is read, or refused in one line."""
    for path in (SCORE, "predicate.stages", "predicate.memorisation.twins.rows", "predicate"):
        try:
            statement.parse(changed(path, value), NAME)
        except InputError as error:
            assert "\n" not in str(error)


def older_ledgers() -> list[str]:
    """Return the committed ledgers, newest first, since they became statements."""
    log = subprocess.run(
        ["git", "log", "--format=%h", "--", NAME], cwd=ROOT, capture_output=True, text=True
    )
    texts = [
        subprocess.run(
            ["git", "show", f"{commit}:{NAME}"], cwd=ROOT, capture_output=True, text=True
        ).stdout
        for commit in log.stdout.split()
    ]
    return [text for text in texts if '"predicateType": "urn:mathledger:ledger:1"' in text]


def test_older_ledgers_are_read() -> None:
    """Ledgers of all commits are read; keys that were added later stay missing."""
    for text in older_ledgers():
        content = json.loads(text)
        found = statement.parse(content, NAME).predicate
        assert found.benchmarks[0].models["tuned"].accuracy is not None
        if "code" in content["predicate"]:
            assert found.content() == content["predicate"]


def test_the_first_ledgers_had_the_code_with_each_stage() -> None:
    content = copy.deepcopy(CONTENT)
    own = {"inputs": {"data/mix": "a" * 32 + ".dir"}, "code": {"stages/train.py": "b" * 32}}
    content["predicate"]["stages"] = {"train": own}
    del content["predicate"]["code"], content["predicate"]["licence"]
    found = statement.parse(content, NAME).predicate
    assert found.stages == {"train": own["inputs"]} and found.code == {} and not found.licence


def test_a_file_that_is_not_a_statement_is_named(tmp_path: Path) -> None:
    for content in (None, [], {}, {"predicateType": "urn:other", "predicate": {}}):
        with pytest.raises(InputError, match=f"{NAME} is not a statement about a ledger"):
            statement.parse(content, NAME)
