r"""Write pins into a benchmark's YAML file without touching anything else.

>>> text = "source:  # on the hub\n  revision: null  # a commit\n  files: {a.jsonl: null}\n"
>>> print(with_pins(text, "0" * 8, {"a.jsonl": "f" * 8}), end="")
source:  # on the hub
  revision: "00000000"  # a commit
  files:
    a.jsonl: ffffffff
"""

from typing import Any

from mathledger.data.pins import file_lines, yaml_text


def with_pins(text: str, commit: str, files: dict[str, str]) -> str:
    """Return the file's text with another commit and other files in its section `source`.

    The section must have the keys `revision` and `files`.
    """
    import yaml

    source = _member(yaml.compose(text), "source")
    places = [_member(source, "revision"), _member(source, "files")]
    indent = " " * (source.start_mark.column + 2)
    lines = "".join(f"\n{indent}{line}" for line in file_lines(files.items()))
    new = [f" {yaml_text(commit)}", lines]
    for place, written in sorted(
        zip(places, new, strict=True), key=lambda each: -each[0].start_mark.index
    ):
        start = text.rindex(":", 0, place.start_mark.index) + 1
        kept = text[start : place.end_mark.index].rstrip()
        text = text[:start] + written + text[start + len(kept) :]
    return text


def _member(node: Any, key: str) -> Any:
    """Return the node of a mapping's key."""
    return next(value for name, value in node.value if name.value == key)
