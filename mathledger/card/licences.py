"""Derive a model's licence from the licences of its inputs. This is not legal advice.

It is an open question whether a dataset's licence binds a model trained on it. We assume that it
does, which is the cautious reading. licences.yaml lists the known licences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from mathledger.core.errors import InputError

# These kinds of licence bind derived work to more than notices and credit.
BINDING = ("share_alike", "restricted", "noncommercial")


@dataclass(frozen=True)
class Licence:
    """A known licence, as licences.yaml describes it."""

    key: str  # the hub's id, or ours if on_hub is False
    name: str
    kind: str  # see licences.yaml
    source: str | None  # address of the text, if it is not a standard licence
    on_hub: bool
    also_under: tuple[str, ...]  # keys of other licences that derived work may use
    aliases: tuple[str, ...]


@cache
def licences() -> dict[str, Licence]:
    """Return all known licences by key."""
    import yaml

    text = resources.files("mathledger.card").joinpath("licences.yaml").read_text(encoding="utf-8")
    return {
        key: Licence(
            key,
            entry["name"],
            entry["kind"],
            entry.get("source"),
            entry.get("on_hub", True),
            tuple(entry.get("also_under", [])),
            tuple(entry.get("aliases", [])),
        )
        for key, entry in yaml.safe_load(text).items()
    }


def find(text: str) -> Licence | None:
    """Find a licence by key, name or alias, ignoring case; return None if it is unknown."""
    wanted = text.strip().lower()
    for licence in licences().values():
        names = (licence.key, licence.name, *licence.aliases)
        if wanted in (name.lower() for name in names):
            return licence
    return None


def derived(base: str, corpora: Mapping[str, str]) -> Licence | None:
    """Derive the licence of a model from those of its base model and corpora.

    Args:
        base: the base model's licence.
        corpora: each corpus's licence.

    Returns:
        The binding licence, or the base model's if none binds; None if any licence is unknown.

    Raises:
        InputError: two inputs bind the model to different licences, or one forbids derived work.
    """
    licences_of = {name: find(text) for name, text in {"the base model": base, **corpora}.items()}
    known = {name: licence for name, licence in licences_of.items() if licence}
    for name, licence in known.items():
        if licence.kind == "no_derivatives":
            raise InputError(
                f"licences: {name} is under {licence.name}, which forbids sharing derived work: "
                "remove this input"
            )
    binding = {name: licence for name, licence in known.items() if licence.kind in BINDING}
    fitting = [
        licence
        for licence in binding.values()
        if all(each is licence or licence.key in each.also_under for each in binding.values())
    ]
    if binding and not fitting:
        stated = "; ".join(f"{name} is under {each.name}" for name, each in binding.items())
        raise InputError(
            f"licences: {stated}. Each requires its own licence for derived work, so no licence "
            "fits this model: remove all but one of these inputs, or correct a licence in conf/"
        )
    if len(known) < len(licences_of):
        return None
    return fitting[0] if fitting else known["the base model"]


def unknown(licences_of: Mapping[str, str]) -> list[str]:
    """Return the names of the inputs with an unknown licence."""
    return [name for name, text in licences_of.items() if find(text) is None]
