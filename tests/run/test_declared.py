"""A stage run by hand ends with a clear error if the project has no such stage."""

from pathlib import Path

import pytest

from mathledger.core.errors import InputError
from mathledger.run.declared import declared

PIPELINE = """
stages:
  one:
    matrix:
      name: ${names}
    cmd: echo ${item.name}
    params: [names]
  none:
    foreach: ${nothing}
    do:
      cmd: echo ${key}
      params: [names]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text("names: {a: 1, b: 2}\nnothing: {}\n")
    return tmp_path


@pytest.mark.parametrize("name", ["other", "one", "one@c", "none"])
def test_a_name_that_is_not_a_single_stage_is_refused(project: Path, name: str) -> None:
    with pytest.raises(InputError, match="names no such stage"):
        declared(name)


def test_a_stage_of_a_matrix_is_found(project: Path) -> None:
    _, _, params, _ = declared("one@a")
    assert params == {"names.a": 1, "names.b": 2}


def test_params_that_do_not_fit_are_refused(project: Path) -> None:
    (project / "params.yaml").write_text("nothing: {}\n")
    with pytest.raises(InputError, match=r"run `python -m stages\.params`"):
        declared("one@a")
