"""Parse YAML as DVC does, and JSON without constants such as NaN."""

import functools
import json
import re
from collections.abc import Iterable
from typing import Any

from mathledger.core.errors import InputError

MAX_DEPTH = 200  # levels of a YAML file
MAX_VALUES = 1_000_000  # of a YAML file, with an alias counted as all that it stands for
REPLACED = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
# DVC and OmegaConf read 1e-05 as a number, as in YAML 1.2; PyYAML would require 1.0e-05.
FLOAT = re.compile(
    r"""[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+
    |\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.X,
)


@functools.cache
def _loader() -> Any:
    """Return a loader that reads dates as texts, and refuses a key that a mapping has twice."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]
        # Among the resolvers for one first character the first match wins.
        yaml_implicit_resolvers = {  # noqa: RUF012
            key: [each for each in resolvers if each[0] not in REPLACED]
            for key, resolvers in base.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if key.tag == "tag:yaml.org,2002:str"]
            if len(keys) != len(set(keys)):
                twice = next(key for key in keys if keys.count(key) > 1)
                line = node.start_mark.line + 1
                raise ValueError(f"the mapping of line {line} has the key {twice!r} twice")
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))
    return Loader


def _may_be_deep(text: str) -> bool:
    """Return False if indentation and brackets rule out more than MAX_DEPTH levels."""
    lines = (len(line) - len(line.lstrip()) + line.count("- ") for line in text.splitlines())
    explicit = text.count("? ") + text.count("[") + text.count("{")
    return max(lines, default=0) + explicit > MAX_DEPTH


def expect_small(events: Iterable[Any], max_depth: int = MAX_DEPTH, first_line: int = 1) -> None:
    """Raise ValueError for YAML that would exhaust the stack or the memory.

    libyaml recurses until the process crashes. A few lines of aliases of aliases stand for billions
    of values, which take no memory until somebody walks through them.

    Args:
        events: what yaml.parse yields.
        first_line: number of the text's first line in its file.
    """
    import yaml

    open_sizes: list[tuple[str | None, int]] = [(None, 0)]
    sizes: dict[str | None, int] = {}
    for event in events:
        anchor, size = getattr(event, "anchor", None), 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_sizes.append((anchor, 1))
            if len(open_sizes) > max_depth + 1:
                line = event.start_mark.line + first_line
                raise ValueError(f"line {line}: more than {max_depth} levels")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_sizes.pop()
            sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[anchor] = size
        outer, before = open_sizes.pop()
        open_sizes.append((outer, before + size))
        if before + size > MAX_VALUES:
            line = event.start_mark.line + first_line
            raise ValueError(f"line {line}: aliases that stand for more than {MAX_VALUES:,} values")


def parse_yaml(text: str, name: str) -> Any:
    """Parse a YAML text, with numbers as DVC reads them.

    Args:
        name: the file's name in errors.

    Raises:
        InputError: the text is not valid YAML.
    """
    import yaml

    try:
        if _may_be_deep(text) or ("&" in text and "*" in text):
            expect_small(yaml.parse(text, _loader()))
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
