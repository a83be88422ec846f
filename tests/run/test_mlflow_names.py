"""MLflow takes every name, no two names become one, and no password is shown."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathledger.core.secrets import without_secrets
from mathledger.run.mlflow_names import (
    MAX_NAME,
    MAX_PARAM,
    fit_model_name,
    fit_name,
    fit_value,
)

ANY = st.text(st.characters(), max_size=400)
PATHS = st.text("ab.-/ :_()&\n\0é中\U0001d400%~", max_size=20)
LONG = st.builds(
    lambda text, count: text * count, st.text(min_size=1, max_size=9), st.integers(20, 900)
)
NAMES = ANY | PATHS | LONG


@pytest.fixture(scope="module")
def accepts() -> object:
    from mlflow.utils import validation

    return validation


@settings(deadline=None)
@given(NAMES)
@example("")
@example("/absolute")
@example("a//b/../c/./")
@example("in_by_source.Counting & Probability")
@example("C:\\data\\rows.jsonl")
@example("ends\n")
@example("..0")
def test_mlflow_takes_every_name(accepts: object, name: str) -> None:
    fitting = fit_name(name)
    accepts._validate_metric_name(fitting)  # type: ignore[attr-defined]
    accepts._validate_metric(fitting, 1.0, 1, 0)  # type: ignore[attr-defined]
    accepts._validate_param(fitting, "1")  # type: ignore[attr-defined]
    accepts._validate_tag(fitting, "1")  # type: ignore[attr-defined]
    model = fit_model_name(name)
    accepts._validate_logged_model_name(model)  # type: ignore[attr-defined]
    assert 0 < len(fitting) <= MAX_NAME and 0 < len(model) <= MAX_NAME
    fitting.encode(), model.encode()


@settings(deadline=None)
@given(NAMES, NAMES)
@example("a&b", "a(b")
@example("x" * 300, "x" * 301)
@example("a/", "a")
@example("", "_")
def test_no_two_names_become_one(one: str, other: str) -> None:
    for fit in (fit_name, fit_model_name):
        assert (fit(one) == fit(other)) == (one == other)
        assert fit(fit(one)) != fit(one) or fit(one) == one  # Two names never get the same result.


@settings(deadline=None)
@given(st.text(string.ascii_letters + string.digits + "_äé中", min_size=1, max_size=60))
def test_a_name_that_fits_stays(name: str) -> None:
    assert fit_name(f"corpus.{name}.rows") == f"corpus.{name}.rows"
    assert fit_name(f"mathledger.dep.data/{name}") == f"mathledger.dep.data/{name}"


@settings(deadline=None)
@given(ANY | LONG, ANY | LONG)
def test_values_fit_and_differ(one: str, other: str) -> None:
    for limit in (MAX_PARAM, 100):
        fitting = fit_value(one, limit)
        assert len(fitting) <= limit and "\0" not in fitting
        fitting.encode()
        if max(len(one), len(other)) > limit and one != other:
            assert fitting != fit_value(other, limit)


SECRET = st.text(string.ascii_letters + string.digits + ":@#!$%&*+=-_.", min_size=4, max_size=12)


@settings(deadline=None)
@given(
    SECRET.map(lambda text: f"Pw{text}"), st.sampled_from(["http", "postgresql+psycopg", "mysql"])
)
@example("Pw@:@", "http")
def test_no_password_is_shown(password: str, scheme: str) -> None:
    uri = f"{scheme}://someone:{password}@host.example:5000/db?x=1"
    shown = without_secrets(f"MLflow at {uri} cannot be used. It says: bad {password}", uri)
    assert password not in shown and "host.example:5000/db?x=1" in shown
    # A library may show the address in its own words, for which the URI is not known here.
    assert password not in without_secrets(f"API request to {uri}/api failed")
    assert password not in without_secrets(f"http://host/?token={password}".replace("&", ""))
