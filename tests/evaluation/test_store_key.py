"""The key of the response store covers everything that determines a response, and no more."""

import shutil
from pathlib import Path

import pytest

from mathledger.evaluation.store_key import code_digest, decides
from tests.conftest import ROOT


@pytest.fixture
def package(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "mathledger", tmp_path / "mathledger", ignore=ignored))


def edited(package: Path, name: str) -> str:
    """Return the digest after an edit of one module, and revert the edit."""
    path = package / name
    text = path.read_text("utf-8")
    path.write_text(text + "# edited\n", "utf-8")
    digest = code_digest(package)
    path.write_text(text, "utf-8")
    return digest


def test_an_edit_of_what_decides_a_response_asks_again(package: Path) -> None:
    before = code_digest(package)
    assert before == code_digest()  # A copy has the same key.
    modules = ["evaluation/responses.py", "evaluation/settings.py", "core/hashing.py"]
    modules += [f"evaluation/engines/{path.name}" for path in package.glob("evaluation/engines/*")]
    for name in modules:
        assert name.endswith("__init__.py") or edited(package, name) != before, name


@pytest.mark.parametrize(
    "name",
    [
        "evaluation/statistics.py",
        "evaluation/samples.py",
        "evaluation/questions.py",  # The prompt and the seed are in each key.
        "grading/grades.py",
        "run/tracking.py",
        "card/report.py",
    ],
)
def test_an_edit_elsewhere_leaves_the_stored_responses_valid(package: Path, name: str) -> None:
    assert edited(package, name) == code_digest(package)


def test_a_module_that_moved_and_a_model_that_is_not_a_dependency_are_errors(package: Path) -> None:
    """The key is never computed without them."""
    (package / "evaluation/responses.py").rename(package / "evaluation/store.py")
    with pytest.raises(FileNotFoundError):
        code_digest(package)
    with pytest.raises(KeyError):
        decides(Path("data/model/tuned"), {}, {})


def test_the_key_names_model_code_settings_and_hardware() -> None:
    params = {"evaluate.seed": 1, "train.seed": 2}
    key = decides(Path("data/model/tuned"), {"data/model/tuned": "m"}, params)
    assert list(key) == ["model", "code", "settings", "hardware"]
    assert (key["model"], key["settings"]) == ("m", {"evaluate.seed": 1})
