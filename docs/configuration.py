"""Write docs/configuration.md, the reference of all keys of conf/, from the code that checks them.

    python -m docs.configuration

A key's type and meaning come from its dataclass field, and its values from the options in conf/.
"""

import dataclasses
import json
import re
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from omegaconf import OmegaConf

from mathledger.core import configuration
from mathledger.run.compose import compose
from stages import params

PAGE = Path("docs/configuration.md")
HEAD = """\
# Configuration reference

<!-- Written by `python -m docs.configuration`; a test fails if it is out of date. -->

This page lists every key of [conf/](../conf), which compiles to `params.yaml`. `-S GROUP=OPTION`
chooses an option of a group; `corpus` and `benchmark` take several, as in `-S 'corpus=[A,B]'`.
`-S KEY=VALUE` sets a value, and `-S +KEY=VALUE` adds a key that no option sets. The values shown
are those of the default option; *(option: value)* marks an option with another value. Unknown keys,
missing keys and values of the wrong type are errors. The keys in `train`, `reinforce` and
`benchmark.NAME.task` are those of TRL, transformers and lm-evaluation-harness and mean the same.
"""
BELOW = "keys below"
WORDS = {int: "integer", float: "number", bool: "boolean", str: "text"}
NOTHING = object()


@dataclasses.dataclass(frozen=True)
class Key:
    path: str
    type: str
    default: Any  # The field's default, or NOTHING if it has none.
    meaning: str


# --- The dataclasses ------------------------------------------------------------------------------


def keys(into: Any, path: str) -> Iterator[Key]:
    """Yield the keys of a dataclass, each followed by the keys of the dataclasses in it."""
    hints = get_type_hints(into, include_extras=True)
    for name, field in into.__pydantic_fields__.items():
        default = NOTHING if field.is_required() else field.get_default(call_default_factory=True)
        where = f"{path}.{name}".removeprefix(".")
        bounded = Annotated[field.annotation, *field.metadata] if field.metadata else hints[name]
        yield Key(where, type_text(bounded), default, field.description or "")
        for inner, suffix in dataclasses_in(hints[name]):
            yield from keys(inner, where + suffix)


def dataclasses_in(hint: Any) -> Iterator[tuple[Any, str]]:
    """Yield the dataclasses that a value of this type may hold, with their path below its key."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint, ""
    elif get_origin(hint) is Annotated:
        yield from dataclasses_in(get_args(hint)[0])
    elif get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from dataclasses_in(part)
    elif get_origin(hint) is list:
        yield from ((inner, "[]" + more) for inner, more in dataclasses_in(get_args(hint)[0]))
    elif get_origin(hint) is dict:
        yield from ((inner, ".NAME" + more) for inner, more in dataclasses_in(get_args(hint)[1]))


def type_text(hint: Any) -> str:
    """Return a type in words; `Annotated[int, Field(ge=1)] | None` is "integer >= 1, or null"."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{type_text(parts[0])} {', '.join(_bounds(parts[1:]))}".strip()
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in parts)
    if origin in (Union, types.UnionType):
        inner = [type_text(part) for part in parts if part is not type(None)]
        return ", ".join(dict.fromkeys(inner)) + (", or null" if type(None) in parts else "")
    if origin is list:
        return f"list of {type_text(parts[0])}"
    if origin is dict:
        return f"{type_text(parts[0])} -> {type_text(parts[1])}"
    return WORDS.get(hint, BELOW)


def _bounds(metadata: tuple[Any, ...]) -> Iterator[str]:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    for each in metadata:
        for rule in getattr(each, "metadata", [each]):
            for name, sign in signs.items():
                if hasattr(rule, name):
                    yield f"{sign} {getattr(rule, name)}"
            if pattern := getattr(rule, "pattern", None):
                yield f"like `{pattern}`"


# --- conf/ ----------------------------------------------------------------------------------------


def options(group: str) -> list[Path]:
    """Return the files of a group's options, with the default option first."""
    chosen = yaml.safe_load((configuration.CONF / "config.yaml").read_text(encoding="utf-8"))[
        "defaults"
    ]
    default = {name: option for each in chosen if each != "_self_" for name, option in each.items()}
    paths = sorted((configuration.CONF / group).glob("*.yaml"))
    return sorted(paths, key=lambda path: path.stem != default.get(group))


def head(path: Path) -> str:
    """Return the first sentence of the comment at the top of a file."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith(("# @package", "# dvc exp run")):
            lines.append(line.lstrip("# "))
    return re.split(r"(?<=\.)(?<! al\.) (?=[A-Z])", " ".join(lines))[0]


@cache
def compiled(number: int) -> Any:
    """Compose the option of this number of every section that has so many; 0 is the default.

    Each option sets its own section alone, so those of several sections are composed together.
    """
    found = {name: options(name) for name in single_sections()} if number else {}
    chosen = [
        f"{name}={paths[number].stem}" for name, paths in found.items() if number < len(paths)
    ]
    return OmegaConf.to_container(OmegaConf.create(compose(chosen)))


def single_sections() -> dict[str, Any]:
    """Return the sections of which an option sets all keys, with their types."""
    others = ("model", "models", "evaluated_models")  # The options of conf/reinforce/ set the last.
    return {name: into for name, into in params.sections().items() if name not in others}


def value_at(content: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(content, dict) or part not in content:
            return NOTHING
        content = content[part]
    return content


# --- The page -------------------------------------------------------------------------------------


def page() -> str:
    parts = [HEAD, title("experiment"), title("ablation")]
    for section, into in params.sections().items():
        if section == "model":
            parts += [title(section), *members(section, {"": into})]
        elif section == "models":
            parts += [title(section), *members("models.NAME", {"": get_args(into)[1]})]
        elif section in single_sections():
            parts += [title(section), single(section, into)]
    for section, into in params.members().items():
        parts += [title(section), *members(f"{section}.NAME", into)]
    return "\n".join(parts)


def title(group: str) -> str:
    folders = sorted(path for path in (configuration.CONF / group).iterdir() if path.is_dir())
    groups = [group, *(f"{group}/{folder.name}" for folder in folders)]
    lines = [
        f"- `{each}={path.stem}`: {head(path)}"
        for each in groups
        for path in options(each)
        if each == group or len(options(each)) > 1
    ]
    return "\n".join([f"## {group}\n", *lines]) + "\n"


def single(section: str, into: Any) -> str:
    """Return the table of a section in which each option sets all keys."""
    ((inner, _),) = dataclasses_in(into)
    prefix = section if inner is into else f"{section}.grpo"
    paths = options(section)
    rows = []
    for key in keys(inner, prefix):
        values = {
            path.stem: value_at(compiled(number), key.path) for number, path in enumerate(paths)
        }
        rows.append((key.path, key.type, cell(key, values), key.meaning))
    return table(rows)


def members(prefix: str, parts: dict[str, Any]) -> Iterator[str]:
    """Yield the tables of the parts that each option fills in; a source has one for each kind."""
    rows: list[tuple[str, str, str, str]] = []
    for part, into in parts.items():
        where = f"{prefix}.{part}".removesuffix(".")
        shared = configuration.CONF / prefix.removesuffix(".NAME") / part / "default.yaml"
        is_shared = part and shared.exists()
        values = OmegaConf.to_container(OmegaConf.load(shared)) if is_shared else {}
        if into is str:
            rows.append((where, type_text(into), "", "Text about it that the card shows."))
            continue
        inners = [inner for inner, _ in dataclasses_in(into)]
        for inner in inners:
            kind = get_args(get_type_hints(inner)["kind"])[0] if len(inners) > 1 else ""
            if kind:
                yield f"`{where}` of `kind: {kind}`:\n\n"
            yield table(
                [
                    (
                        f"{where}.{key.path}",
                        key.type,
                        cell(key, {"": value_at(values, key.path)}),
                        key.meaning,
                    )
                    for key in keys(inner, "")
                    if key.path != "kind"
                ]
            )
    if rows:
        yield table(rows)


def cell(key: Key, values: dict[str, Any]) -> str:
    """Return the default option's or the field's value, and the values of options that differ."""
    usual, *_ = values.values()
    usual = key.default if usual is NOTHING else usual
    others: dict[str, list[str]] = {}
    for name, value in values.items():
        if value is not NOTHING and value != usual and not isinstance(value, dict):
            others.setdefault(code(value), []).append(name)
    shown = [] if usual is NOTHING or (usual and isinstance(usual, dict)) else [code(usual)]
    return " ".join(shown + [f"*({', '.join(names)}: {text})*" for text, names in others.items()])


def table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = ["| key | type | value | meaning |", "|---|---|---|---|"]
    for name, *cells in rows:
        shown = [each.replace("|", "\\|").replace("\n", " ") for each in cells]
        lines.append(" | ".join([f"| `{name}`", *shown]) + " |")
    return "\n".join(lines) + "\n"


def code(value: Any) -> str:
    return f"`{value}`" if value and isinstance(value, str) else f"`{json.dumps(value)}`"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
