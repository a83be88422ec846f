"""Read YAML as DVC reads it, and JSON without the constants that JSON does not have."""

import functools
import json
import re
from typing import Any

from mathledger.core.errors import InputError

# What DVC and OmegaConf read as a number: YAML 1.2 has 1e-05, for which PyYAML wants 1.0e-05.
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
    # Floats first: of the resolvers of one first character the earliest that matches wins.
    loader.yaml_implicit_resolvers = {  # type: ignore[attr-defined]
        key: [each for each in resolvers if each[0] != "tag:yaml.org,2002:float"]
        for key, resolvers in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))  # type: ignore[attr-defined]
    return loader


def parse_yaml(text: str, name: str) -> Any:
    """The content of a YAML file, with numbers read as DVC reads them.

    Args:
        name: how the file is called in errors.
    """
    import yaml

    try:
        return yaml.load(text, _loader())
    except yaml.YAMLError as error:
        raise InputError(f"{name} is not valid YAML: {error}") from None


def parse_json(text: str | bytes, name: str) -> Any:
    """The content of a JSON file.

    Args:
        name: how the file is called in errors.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number of JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON: {error}") from None
