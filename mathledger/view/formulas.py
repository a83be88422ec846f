r"""Cut texts into prose and formulas, and turn formulas into MathML, which browsers draw.

Models write anything into a formula, and latex2mathml does not escape texts: \text{<script>} would
become a script, and \href a link to any address. So we write the elements ourselves: only those of
MathML, only attributes that name a form or a size, and every text escaped.
"""

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from mathledger.core.escaping import printable

MAX_FORMULA = 2_000  # characters; a longer one is shown as its source
_GROUP = r"\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*\}"
_ENVIRONMENTS = "align|aligned|equation|gather|array|cases|[bpvV]?matrix"
FORMULA = re.compile(
    rf"\$\$(.{{1,{MAX_FORMULA}}}?)\$\$"
    rf"|\\\[(.{{1,{MAX_FORMULA}}}?)\\\]"
    rf"|\\\((.{{1,{MAX_FORMULA}}}?)\\\)"
    rf"|(?<![\\$])\$(?![\s$])([^$\n]{{1,{MAX_FORMULA}}}?)(?<![\s\\])\$(?!\d)"
    rf"|(\\(?:boxed|fbox){_GROUP})"
    rf"|(\\begin\{{((?:{_ENVIRONMENTS})\*?)\}}.{{1,{MAX_FORMULA}}}?\\end\{{\7\}})",
    re.DOTALL,
)
_BLOCK = (1, 2, 6)  # groups of the formulas that stand on a line of their own
ELEMENTS = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts"),
    *("mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "none"),
}
ATTRIBUTES = {
    *("accent", "accentunder", "columnalign", "displaystyle", "display", "fence", "form"),
    *("height", "depth", "largeop", "linethickness", "lspace", "rspace", "mathvariant", "maxsize"),
    *("minsize", "movablelimits", "scriptlevel", "separator", "stretchy", "symmetric", "width"),
}
_VALUE = re.compile(r"[\w .%+-]{1,40}")
_FRAMES = {"box": "box", "roundedbox": "box"}  # of \boxed; other marks of menclose strike it out


class Formulas:
    """The distinct formulas of a page: their sources, and their MathML if they can be drawn."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str | None]] = []
        self._numbers: dict[str, int] = {}

    def parts(self, text: str) -> list[str | int]:
        r"""Cut a text into pieces of prose and numbers of formulas.

        >>> formulas = Formulas()
        >>> formulas.parts(r"So $x^2$ is \boxed{4}, for $5 and $6."), formulas.rows[0][0]
        (['So ', 0, ' is ', 1, ', for $5 and $6.'], '$x^2$')
        """
        return [
            piece if tex is None else self._number(piece, tex, is_block)
            for piece, tex, is_block in pieces(text)
        ]

    def _number(self, source: str, tex: str, is_block: bool) -> int:
        if source not in self._numbers:
            self._numbers[source] = len(self.rows)
            self.rows.append((source, mathml(tex, "block" if is_block else "inline")))
        return self._numbers[source]


def pieces(text: str) -> Iterator[tuple[str, str | None, bool]]:
    """Yield each piece of a text, with a formula's TeX and whether it is on a line of its own."""
    at = 0
    for found in FORMULA.finditer(text):
        if found.start() > at:
            yield text[at : found.start()], None, False
        group = next(number for number in range(1, 7) if found[number] is not None)
        yield found[0], found[group], group in _BLOCK
        at = found.end()
    if at < len(text):
        yield text[at:], None, False


def mathml(tex: str, display: str = "inline") -> str | None:
    r"""Return a formula as MathML; None if it cannot be drawn.

    >>> mathml(r"\text{<b>}")
    '<math display="inline"><mrow><mtext>&lt;b&gt;</mtext></mrow></math>'
    >>> mathml(r"\frac{") is None
    True
    """
    from latex2mathml.converter import convert_to_element

    if len(tex) > MAX_FORMULA:
        return None
    try:
        return _written(convert_to_element(tex, display=display))
    except Exception:  # it raises many kinds for a formula that is not complete
        return None


def _written(element: Element) -> str:
    name = element.tag.rpartition("}")[2]
    inner = html.escape(printable(html.unescape(element.text or "")))
    inner += "".join(map(_written, element))
    if name == "menclose":
        frame = _FRAMES.get(element.get("notation", ""), "struck")
        return f'<mrow class="{frame}">{inner}</mrow>'
    if name not in ELEMENTS:
        return f"<mrow>{inner}</mrow>"
    attributes = "".join(
        f' {key}="{value}"'
        for key, value in element.attrib.items()
        if key in ATTRIBUTES and _VALUE.fullmatch(value)
    )
    return f"<{name}{attributes}>{inner}</{name}>"
