"""Render the page to read responses.

The content is JSON in the page, which the page's script shows in portions. The script writes every
text of others as text, and only the MathML of formulas.py as elements. The page's policy allows
this one script, named by its digest, and no request.
"""

import base64
import dataclasses
import hashlib
import json
from importlib.resources import files

from mathledger.card.templating import environment
from mathledger.core.escaping import Markdown
from mathledger.view.compute import Content


def page(content: Content) -> str:
    """Return the HTML page."""
    script = (files("mathledger.view") / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (
        environment("mathledger.view", writes="html")
        .get_template("page.html.jinja")
        .render(
            content=content,
            data=Markdown(embedded(dataclasses.asdict(content))),
            script=Markdown(script),
            digest=digest,
        )
    )
    return str(text)


def embedded(content: object) -> str:
    """Return JSON that is safe in an HTML page: nothing in it ends the script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
