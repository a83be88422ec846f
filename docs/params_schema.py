"""Write the schemas with which editors check params.yaml and conf/, from the params' types.

    python -m docs.params_schema

.vscode/settings.json maps files to schemas, because params.yaml, which DVC composes byte for byte,
cannot name its own.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from mathledger.core.configuration import CONF
from stages import params

FOLDER = Path("docs/schemas")
SETTINGS = Path(".vscode/settings.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Hydra replaces these before a value is checked: ${other.key}, and ??? for the user to fill in.
REPLACED = {"type": "string", "pattern": r"^\?\?\?$|\$\{.+\}"}

Schema = dict[str, Any]


def files() -> dict[Path, str]:
    """Return the content of every file that this module writes."""
    globs: dict[str, list[str]] = {}  # Maps a schema to its files.
    folders = [CONF, *sorted(path for path in CONF.rglob("*") if path.is_dir())]
    for folder in folders:
        schema = text(conf_schema(folder))
        globs.setdefault(schema, []).append(f"{folder.as_posix()}/*.yaml")
    paths = {
        schema: FOLDER / f"{first.removesuffix('/*.yaml').replace('/', '.')}.json"
        for schema, (first, *_) in globs.items()
    }
    associated: dict[str, str | list[str]] = {f"./{FOLDER}/params.json": "params.yaml"}
    associated |= {f"./{paths[schema]}": globs[schema] for schema in globs}
    return {path: schema for schema, path in paths.items()} | {
        FOLDER / "params.json": text(params_schema()),
        SETTINGS: text({"yaml.schemas": associated}),
    }


def text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def params_schema() -> Schema:
    """Return the schema of params.yaml, with all sections complete."""
    types = {(name, ""): into for name, into in params.sections().items()}
    members = params.members()
    types |= {(group, part): into for group in members for part, into in members[group].items()}
    schemas, definitions = TypeAdapter.json_schemas(
        [(key, "validation", TypeAdapter(into)) for key, into in types.items()]
    )
    properties = {name: schemas[name, "validation"] for name in types}
    sections = {section: properties[section, ""] for section in params.sections()}
    for group, parts in members.items():
        member = mapping({part: properties[group, part] for part in parts})
        sections[group] = {"type": "object", "additionalProperties": member}
    return {"$schema": DIALECT, **renamed(cleaned({**mapping(sections), **definitions}))}


def mapping(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def cleaned(schema: Any) -> Any:
    """Remove the titles, which repeat the keys, and OpenAPI's `discriminator` from a schema."""
    if isinstance(schema, list):
        return [cleaned(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    noise = {"discriminator"} | ({"title"} if isinstance(schema.get("title"), str) else set())
    return {key: cleaned(value) for key, value in schema.items() if key not in noise}


def renamed(schema: Schema) -> Schema:
    """Name definitions by their key in the schema if pydantic names them by their module.

    The files then stay the same if a class moves to another module.
    """
    names: dict[str, str] = {}

    def visit(node: Any, path: str) -> None:
        if isinstance(node, list):
            for each in node:
                visit(each, path)
        elif isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                name = reference.rpartition("/")[2]
                if name not in names:
                    names[name] = path if "__" in name else name
                    visit(schema["$defs"][name], path)
            for key, value in node.items():
                for name, each in value.items() if key == "properties" else ():
                    visit(each, f"{path}.{name}".removeprefix("."))
                if key not in ("properties", "$defs"):
                    visit(value, path)

    visit(schema, "")
    text = json.dumps(schema)
    for old, new in names.items():
        text = text.replace(f'"#/$defs/{old}"', f'"#/$defs/{new}"')
    made: Schema = json.loads(text)
    return made | {"$defs": {names[old]: made["$defs"][old] for old in sorted(names)}}


def conf_schema(folder: Path) -> Schema:
    """Return the schema of the files in a folder of conf/, each of which sets some of the keys."""
    whole = params_schema()
    node = whole
    if not is_global(folder):
        for key in folder.relative_to(CONF).parts:
            node = resolved(below(node, key, whole["$defs"]), whole["$defs"])
    part = partial({**node, "$schema": DIALECT, "$defs": whole["$defs"]})
    part["properties"] |= {"defaults": {"type": "array", "description": "Hydra's defaults list."}}
    return used(part)


def is_global(folder: Path) -> bool:
    """Return True if the folder's files may set any key, as recipes do."""
    heads = [path.read_text(encoding="utf-8").split("\n")[0] for path in folder.glob("*.yaml")]
    return folder == CONF or "# @package _global_" in heads


def below(node: Schema, key: str, definitions: Schema) -> Schema:
    """Return the schema of a key's value, or the node if the key names a member or an option."""
    node = resolved(node, definitions)
    below_it = node.get("properties", {}).get(key)
    if below_it is None:
        return node
    below_it = resolved(below_it, definitions)
    # In a section of members each file holds one member.
    return below_it.get("additionalProperties") or below_it


def resolved(node: Schema, definitions: Schema) -> Schema:
    while "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    return node


def partial(schema: Any) -> Any:
    """Return the schema with no required keys, and allow the values that Hydra replaces."""
    if isinstance(schema, list):
        return [partial(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == "required" and isinstance(value, list):
            continue
        if key == "properties":
            made[key] = {name: replaceable(partial(each)) for name, each in value.items()}
        else:
            # Without `kind`, a part of a source may fit several alternatives.
            made["anyOf" if key == "oneOf" else key] = partial(value)
    return made


def replaceable(schema: Schema) -> Schema:
    if schema.keys() <= {"type", "description", "default"} and schema.get("type") == "string":
        return schema
    kept: Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    value = {key: schema[key] for key in schema if key not in kept}
    # An option for the user's own files has null until the user lists them.
    unset = [{"type": "null"}] if value.get("type") == "object" else []
    return {"anyOf": [value, REPLACED, *unset], **kept}


def used(schema: Schema) -> Schema:
    """Return the schema with only those definitions that it refers to."""
    definitions = schema.pop("$defs")
    reached: Schema = {}
    todo: list[Any] = [schema]
    while todo:
        match todo.pop():
            case dict(node):
                if isinstance(reference := node.get("$ref"), str):
                    name = reference.rpartition("/")[2]
                    if name not in reached:
                        reached[name] = definitions[name]
                        todo.append(definitions[name])
                todo += node.values()
            case list(nodes):
                todo += nodes
    return schema | {"$defs": dict(sorted(reached.items()))}


def main() -> None:
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
