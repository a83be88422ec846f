"""Convert settings between a tree and flat values by dotted key, and compare two sets of values."""

from collections.abc import Iterator, Mapping
from typing import Any


class Absent:
    """Stands for the value of a missing key, since null is a value."""


ABSENT = Absent()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a tree's values by dotted key.

    >>> flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3})
    {'a.b': 1, 'a.c.d': 2, 'e': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def value_at(tree: Any, key: str) -> Any:
    """Return the value at a dotted key, or ABSENT if the key does not exist.

    >>> value_at({"a": {"b": 1}}, "a.b")
    1
    """
    for part in key.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return ABSENT
        tree = tree[part]
    return tree


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key whose values differ, with both values; a missing key has the value ABSENT."""
    for key in dict.fromkeys([*old, *new]):
        values = old.get(key, ABSENT), new.get(key, ABSENT)
        if values[0] != values[1]:
            yield key, *values


def param_differences(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the differences of flat params; a section that one side lacks is one difference.

    >>> list(param_differences({"train.lora": None}, {"train.lora.r": 16, "train.lora.alpha": 32}))
    [('train.lora', None, {'r': 16, 'alpha': 32})]
    """
    sections: dict[str, tuple[Any, Any]] = {}
    for key, a, b in differences(old, new):
        other = old if a is ABSENT else new if b is ABSENT else None
        section = key if other is None else _missing_section(key, other)
        sections[section] = _section(old, section), _section(new, section)
    for section, values in sections.items():
        yield section, *values


def _missing_section(key: str, flat: Mapping[str, Any]) -> str:
    """Return the shortest section that contains the key but no key of `flat`."""
    parts = key.split(".")
    for end in range(1, len(parts)):
        section = ".".join(parts[:end])
        if not any(other.startswith(section + ".") for other in flat):
            return section
    return key


def _section(flat: Mapping[str, Any], section: str) -> Any:
    """Return the value of a key, or the keys and values of a section."""
    if section in flat:
        return flat[section]
    start = section + "."
    return {key[len(start) :]: flat[key] for key in flat if key.startswith(start)} or ABSENT
