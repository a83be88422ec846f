"""Parse YAML as DVC does, and JSON without constants such as NaN."""

import functools
import json
import re
from typing import Any

from mathledger.core.errors import InputError

MAX_DEPTH = 200  # levels of a YAML file
# DVC and OmegaConf read 1e-05 as a number, as in YAML 1.2; PyYAML would require 1.0e-05.
FLOAT = re.compile(
    r"""[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+
    |\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.X,
)


@functools.cache
def _loader() -> Any:
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("Loader", (base,), {})
    # Replace the float resolvers; among those for one first character the first match wins.
    loader.yaml_implicit_resolvers = {  # type: ignore[attr-defined]
        key: [each for each in resolvers if each[0] != "tag:yaml.org,2002:float"]
        for key, resolvers in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))  # type: ignore[attr-defined]
    return loader


def _may_be_deep(text: str) -> bool:
    """Return False if indentation and brackets rule out more than MAX_DEPTH levels."""
    lines = (len(line) - len(line.lstrip()) + line.count("- ") for line in text.splitlines())
    explicit = text.count("? ") + text.count("[") + text.count("{")
    return max(lines, default=0) + explicit > MAX_DEPTH


def _expect_flat(text: str) -> None:
    """Raise ValueError for a text in which libyaml would recurse until the process crashes."""
    import yaml

    depth = 0
    for event in yaml.parse(text, _loader()):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels")


def parse_yaml(text: str, name: str) -> Any:
    """Parse a YAML text, with numbers as DVC reads them.

    Args:
        name: the file's name in errors.

    Raises:
        InputError: the text is not valid YAML.
    """
    import yaml

    try:
        if _may_be_deep(text):
            _expect_flat(text)
        return yaml.load(text, _loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{name} is not valid YAML: {said}") from None


def parse_json(text: str | bytes, name: str) -> Any:
    """Parse a JSON text.

    Args:
        name: the file's name in errors.

    Raises:
        InputError: the text is not valid JSON.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not a JSON number")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON: {error}") from None
