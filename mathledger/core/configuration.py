"""Check a section of params.yaml against its dataclass, and name every key that is wrong."""

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mathledger.core.errors import InputError

PARAMS = Path("params.yaml")
CONF = Path("conf")
# For every section's dataclass: unknown keys are errors, and "1e-5" is not a number.
STRICT = ConfigDict(extra="forbid", strict=True)


def check(section: str, node: Any, into: Any) -> Any:
    """Return the section as a dataclass.

    Args:
        section: its dotted key, for the message.
        node: its content, as YAML gives it.
        into: the dataclass, or a union of dataclasses told apart by `kind`.

    Raises:
        InputError: names every unknown, missing and ill-typed key.
    """
    try:
        # From JSON, since strict validation of Python objects wants instances where we have dicts.
        return TypeAdapter(into).validate_json(json.dumps(node))
    except ValidationError as error:
        problems = []
        for item in error.errors():
            # Pydantic puts the chosen member of a union into the path; it is no key of the file.
            keys = [str(key) for key in item["loc"] if key != _kind(node)]
            where = ".".join([section, *keys])
            text = {
                "unexpected_keyword_argument": "unknown key",
                "extra_forbidden": "unknown key",
                "missing": "missing key",
                "missing_argument": "missing key",
            }.get(item["type"], f"{item['msg']}, got {item['input']!r}")
            problems.append(f"{where}: {text}")
        raise InputError(
            f"{PARAMS} (compiled from {CONF}/{section.split('.')[0]}/): " + "; ".join(problems)
        ) from None


def _kind(node: Any) -> str | None:
    """Return the `kind` of a section that is one of several dataclasses."""
    return str(node["kind"]) if isinstance(node, dict) and "kind" in node else None
