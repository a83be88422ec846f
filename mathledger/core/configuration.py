"""Check a section of params.yaml against its dataclass and name every key that is wrong."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mathledger.core.errors import InputError
from mathledger.core.secrets import without_secrets

PARAMS = Path("params.yaml")
CONF = Path("conf")
# Every section's dataclass uses this: unknown keys are errors, and "1e-5" is not a number.
STRICT = ConfigDict(extra="forbid", strict=True)

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")


def check_name(group: str, name: str) -> None:
    """Raise InputError unless the name of a corpus, benchmark or model is safe in shells and paths.

    dvc.yaml puts the name into commands and into the paths of outputs.
    """
    if not NAME.fullmatch(name):
        what = "model" if group == "models" else group
        raise InputError(
            f"{CONF}/{group}/: {name!r} cannot name a {what}: use only letters, digits, _ "
            "and -, and begin with a letter or a digit"
        )


def check(section: str, node: Any, into: Any) -> Any:
    """Return the section as a dataclass.

    Args:
        section: The section's dotted key, for the message.
        node: The section's content, as parsed from YAML.
        into: The dataclass, or a union of dataclasses discriminated by `kind`.

    Raises:
        InputError: Some keys are unknown, missing or of the wrong type; the message names them all.
    """
    try:
        # We validate JSON because strict validation of Python objects rejects dicts as instances.
        return TypeAdapter(into).validate_json(json.dumps(node), context={"section": section})
    except ValidationError as error:
        problems = []
        for item in error.errors():
            where = ".".join([section, *_keys(item["loc"], node)])
            text = {
                "unexpected_keyword_argument": "unknown key",
                "extra_forbidden": "unknown key",
                "missing": "missing key",
                "missing_argument": "missing key",
            }.get(item["type"], _message(item))
            problems.append(f"{where}: {text}")
        file = f"{PARAMS} (compiled from {CONF}/{section.split('.')[0]}/)"
        raise InputError(without_secrets(f"{file}: {'; '.join(problems)}")) from None


def _message(item: ErrorDetails) -> str:
    """Return what is wrong, in our own checks' words if they found it, with the value seen."""
    text = str(item["ctx"]["error"]) if item["type"] == "value_error" else item["msg"]
    is_section = isinstance(item["input"], dict)  # then the text names the keys that disagree
    return text if is_section or item["input"] is None else f"{text}, got {item['input']!r}"


def _keys(path: Iterable[str | int], node: Any) -> Iterator[str]:
    """Yield the keys of an error's path in the file.

    Pydantic also puts the chosen member of a union into the path; the file has no such key.
    """
    for key in path:
        is_dict = isinstance(node, dict)
        if is_dict and key not in node and key == node.get("kind"):
            continue
        yield str(key)
        node = node.get(key) if is_dict else None
