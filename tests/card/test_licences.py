"""A model's licence follows from the licences of its inputs, or is refused."""

from datetime import date

import pytest
import yaml

from mathledger.card import licences
from mathledger.core.errors import InputError
from tests.conftest import ROOT, Workspace


@pytest.mark.parametrize(
    ("base", "corpora", "key"),
    [
        ("Apache-2.0", {"a": "MIT", "b": "CC-BY-4.0"}, "apache-2.0"),
        ("MIT License", {"a": "odc-by"}, "mit"),
        ("deepseek", {"a": "Apache-2.0"}, "deepseek"),
        ("Apache-2.0", {"a": "cc-by-sa-4.0"}, "cc-by-sa-4.0"),
        ("Apache-2.0", {"a": "cc-by-nc-4.0", "b": "cc-by-nc-sa-4.0"}, "cc-by-nc-sa-4.0"),
        ("llama3", {"a": "unknown"}, None),
        ("nobody knows", {}, None),
    ],
)
def test_the_licence_that_binds_is_the_models(
    base: str, corpora: dict[str, str], key: str | None
) -> None:
    found = licences.derived(base, corpora)
    assert (found.key if found else None) == key


@pytest.mark.parametrize(
    ("base", "corpora", "named"),
    [
        ("llama3", {"web": "cc-by-sa-4.0"}, "web is under CC-BY-SA-4.0"),
        ("gemma", {"web": "cc-by-nc-4.0"}, "the base model is under the Gemma terms"),
        (
            "mit",
            {"web": "CC BY ND 4.0"},
            "web is under CC-BY-ND-4.0, which forbids sharing",
        ),
        ("unknown", {"a": "deepseek", "b": "cc-by-sa-4.0"}, "b is under CC-BY-SA-4.0"),
    ],
)
def test_licences_that_conflict_are_refused_and_named(
    base: str, corpora: dict[str, str], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        licences.derived(base, corpora)


def test_the_order_of_the_inputs_does_not_matter() -> None:
    keys = list(licences.licences())
    for one in keys:
        for other in keys:
            found = []
            for first, second in ((one, other), (other, one)):
                try:
                    derived = licences.derived("mit", {"a": first, "b": second})
                    found.append(derived.key if derived else None)
                except InputError:
                    found.append("refused")
            assert found[0] == found[1], (one, other)


def test_a_conflict_is_refused_before_anything_is_trained(workspace: Workspace) -> None:
    output = workspace.python(
        "-m", "stages.params", "experiment=smoke", "model.source.licence=llama3",
        "corpus.tiny_numinamath_cot.source.licence=cc-by-sa-4.0", ok=False,
    )  # fmt: skip
    assert output.startswith("error: licences: the base model is under the Llama 3 licence; ")


def test_every_model_of_conf_has_a_licence_with_all_its_corpora() -> None:
    """All licences are known and compatible, except for `local`, whose owner states it."""

    def stated(group: str) -> dict[str, str]:
        files = [*(ROOT / "conf" / group).glob("*.yaml"), *(ROOT / "conf" / group).glob("*/*.yaml")]
        sources = {path: yaml.safe_load(path.read_text()).get("source") for path in files}
        return {
            path.stem: each["licence"] for path, each in sources.items() if isinstance(each, dict)
        }

    corpora = stated("corpus")
    assert licences.unknown(corpora) == ["local"]
    del corpora["local"]
    assert {"numinamath_cot", "train_1M", "practice_openmathinstruct2"} <= corpora.keys()
    for name, base in stated("model").items():
        assert licences.derived(base, corpora) == licences.find(base) is not None, name


def test_every_licence_says_where_and_when_it_was_read() -> None:
    text = (ROOT / "mathledger/card/licences.yaml").read_text(encoding="utf-8")
    for key, entry in yaml.safe_load(text).items():
        assert "source" in entry or entry.get("on_hub", True), key
        assert entry["recorded"] <= date.today(), key
