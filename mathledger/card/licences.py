"""Which licence a model has to go under, from those of what it was made of. It is no legal advice.

Whether the licence of a dataset binds a model that was trained on it is open; here it is taken to,
which is the careful reading. The licences that are known are in licences.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from mathledger.core.errors import InputError

# What binds derived work to more than notices and credit.
BINDING = ("share_alike", "restricted", "noncommercial")


@dataclass(frozen=True)
class Licence:
    key: str  # the hub's id, or ours where on_hub is False
    name: str
    kind: str  # see licences.yaml
    source: str | None  # where its text is, where that is not common knowledge
    on_hub: bool
    also_under: tuple[str, ...]  # keys that derived work may have in its place
    aliases: tuple[str, ...]


@cache
def licences() -> dict[str, Licence]:
    """All that are known, by key."""
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
    """Find a licence by key, name or alias, in any case; None if it is unknown."""
    wanted = text.strip().lower()
    for licence in licences().values():
        names = (licence.key, licence.name, *licence.aliases)
        if wanted in (name.lower() for name in names):
            return licence
    return None


def derived(base: str, corpora: Mapping[str, str]) -> Licence | None:
    """Derive the licence of a model that was made of a base model and corpora.

    It is the one that binds, or the base model's where none does; None where a licence is not
    known, so that nobody can say.

    Args:
        base: the base model's licence.
        corpora: the licence of each.

    Raises:
        InputError: two inputs bind it to different licences, or one allows no derived work.
    """
    licences_of = {name: find(text) for name, text in {"the base model": base, **corpora}.items()}
    known = {name: licence for name, licence in licences_of.items() if licence}
    for name, licence in known.items():
        if licence.kind == "no_derivatives":
            raise InputError(
                f"licences: {name} is under {licence.name}, which allows no derived work to be "
                "shared: leave it out"
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
            f"licences: {stated}. Each binds what is derived from it to itself, so that no licence "
            "fits this model: leave all but one of these out, or mend a licence in conf/"
        )
    if len(known) < len(licences_of):
        return None
    return fitting[0] if fitting else known["the base model"]


def unknown(licences_of: Mapping[str, str]) -> list[str]:
    """Return the names of the inputs whose licence is unknown."""
    return [name for name, text in licences_of.items() if find(text) is None]
