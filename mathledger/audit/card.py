"""Read a model card: its front matter and its blocks, with line numbers."""

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger import given
from mathledger.audit.blocks import Body, Text, body
from mathledger.audit.owners import Identity, identity
from mathledger.core.errors import InputError
from mathledger.core.parsing import expect_small

MAX_BYTES = 16 << 20  # Of a card; the longest on the hub has some 2 MB.
MAX_DEPTH = 50  # Of the front matter; a model-index nests 8 deep.


@dataclass(frozen=True)
class Card:
    """A model card, parsed."""

    path: Path
    sha256: str
    num_lines: int
    metadata: dict[str, Any]
    node: Any  # YAML node of the front matter, with lines; None if missing.
    body: Body
    own: Identity

    def line_of(self, name: str) -> int:
        """Return a key's line, or line 2 if the front matter does not spell the key out."""
        lines = (key.start_mark.line for key, _ in self.node.value if key.value == name)
        return int(next(lines, 0)) + 2


def read(path: Path, repo: str | None = None) -> Card:
    """Read a model card.

    Args:
        repo: ORG/NAME of the model, if known.

    Raises:
        InputError: If it is no file, too large, empty, not text, HTML, or has broken front matter.
    """
    data = given.read_bytes(path, "name the card's README.md", MAX_BYTES)
    text = decoded(path, data)
    if text.count("\0") > len(text) / 10:
        raise InputError(f"{path} holds null bytes, perhaps UTF-16: save it as UTF-8")
    if not text.strip():
        raise InputError(f"{path} is empty: there is no card to audit")
    if re.match(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html)\b", text[:2000], re.I):
        raise InputError(
            f"{path} is an HTML page, not Markdown: get the card itself, .../raw/main/README.md"
        )
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    end, metadata, node = _front_matter(path, lines)
    content = body(lines[end:], end)
    digest = hashlib.sha256(data).hexdigest()
    texts = [block for block in content.blocks if isinstance(block, Text)]
    name = path.parent.name if re.match(r"(?i)readme\b", path.name) else path.name
    own = identity(texts, metadata, repo, name)
    return Card(path, digest, len(lines), metadata, node, content, own)


_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decoded(path: Path, data: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte-order mark."""
    encoding = _MARKS.get(data[:2], "utf-8-sig")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        seen = f"byte 0x{data[error.start]:02x}" if error.start < len(data) else "cut short"
        what = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise InputError(f"{path}, line {line}: not {what} ({seen}): save it as UTF-8") from None


def _front_matter(path: Path, lines: list[str]) -> tuple[int, dict[str, Any], Any]:
    """Return the front matter's number of lines, its content and its YAML node."""
    if lines[0].rstrip() != "---":
        return 0, {}, None
    import yaml

    end = next((at for at in range(1, len(lines)) if lines[at].rstrip() == "---"), None)
    if end is None:
        raise InputError(f"{path}, line 1: the front matter is not closed: add a line of ---")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = "\n".join(lines[1:end])
    try:
        expect_small(yaml.parse(text, Loader=loader), MAX_DEPTH, first_line=2)
        node = yaml.compose(text, Loader=loader)
        metadata = yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 2}" if mark else ""
        raise InputError(
            f"{path}{where}: invalid YAML in the front matter: {error.problem}"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: invalid YAML in the front matter: {reason}") from None
    if metadata is None:
        return end + 1, {}, None
    if not isinstance(metadata, dict):
        raise InputError(
            f"{path}, line 2: the front matter is not `key: value` lines but {metadata!r:.60}"
        )
    return end + 1, metadata, node
