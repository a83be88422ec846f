r"""Rewrite LaTeX, Unicode and plain text answers in one spelling.

>>> plain("$\\dfrac12 \\text{ cm}^2$."), plain("½"), plain("\\$32,\\!348")
('\\frac{1}{2}', '\\frac{1}{2}', '32348')
"""

import re
import unicodedata
from collections.abc import Callable

from mathledger.grading import thousands, units

MAX_CHARS = 1000  # Longest answer that is read and compared.
MAX_NESTED = 8  # Levels of nested \\text{}.

_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": "*", "·": "*",
    "⋅": "*", "∙": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "π": r"\pi ", "√": r"\sqrt ",
    "¢": " cents",
    "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "≤": r"\le ", "≥": r"\ge ",
    "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "°": r"^\circ ", "º": r"^\circ ",
    "ℝ": r"\mathbb{R}", "∅": r"\emptyset ", "≈": r"\approx ", "≡": r"\equiv ", "∠": r"\angle ",
    "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ",
    "φ": r"\phi ", "ω": r"\omega ", "\u03a9": r"\Omega ", "\u2126": r"\Omega ",
    "、": ",", "。": ".",
    "“": '"', "”": '"', "’": "'", "′": "'", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    "\u3000": " ", "\u200b": "", "\ufeff": "", "\x00": "", "\ufffd": "",
    "⟨": "(", "⟩": ")", "〈": "(", "〉": ")",
} | dict.fromkeys("€£￥¥₹₩₽₱₫฿₺", r"\$")  # fmt: skip
_FRACTIONS = "".join(map(chr, [*range(0xBC, 0xBF), *range(0x2150, 0x215F)]))
_SIGNS |= {
    sign: r"\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", sign).split("⁄"))
    for sign in _FRACTIONS
}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_UNICODE = str.maketrans(_SIGNS | {chr(code): sign for code, sign in _FULL_WIDTH.items()})

ROW = "\ue000"  # Replaces \\, the end of a row.
_GAP = r"(?:\\[,;:> ]|~|\\quad\b|\\qquad\b|\\enspace\b|\\thinspace\b|\\[hv]space\*?\{[^{}]*\}|\s)"
_COMMANDS = r"d?frac|tfrac|sqrt|pi|text|begin|end|left|right|cdot|times|circ|infty|pm|cup|mathrm"
_WORD_MACROS = r"text|textbf|textit|textrm|textsf|textnormal|textup|emph|mbox|hbox|mathrm|mathbf"
_SYMBOL_MACROS = r"mathit|mathsf|mathcal|boldsymbol|bm|operatorname\*?|underline|boxed|fbox"
_FUNCTIONS = r"arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|lg"
_VECTORS = r"vec|hat|widehat|overrightarrow"


# The rewrites are applied in this order; each runs in time linear in the answer's length.
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (rf"(?<!\\)\\\\(?=(?:{_COMMANDS})(?![a-zA-Z]))", r"\\"),  # Unescape commands.
        (r"\\(?:displaystyle|textstyle|limits|nolimits|hline|small|large|Large)(?![a-zA-Z])", ""),
        (r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-zA-Z])|\\newline(?![a-zA-Z])", ROW),
        (r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![a-zA-Z])\.?", ""),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\\(?:langle)(?![a-zA-Z])", "("),
        (r"\\(?:rangle)(?![a-zA-Z])", ")"),
        (r"\\[lr]?vert(?![a-zA-Z])|\\mid(?![a-zA-Z])", "|"),
        (r"\\[()\[\]]|\\?\$|(?<!\w)[*_]{2,}|[*_]{2,}(?![\w(])|`", ""),  # Drop $ and **.
        (rf"(?<=\d)(?:{thousands.LATEX}|')\s*(?=\d{{3}}(?!\d))", ""),
        (r",(?:\\!)+\s*|\{,\}(?:\\!)*\s*", ","),
        (r"(?<!\\)\{\s*\}(?=\s*\^)", ""),
        (r"\\!", ""),
        (rf"{_GAP}+", " "),
        (r"\\(?:dfrac|tfrac|cfrac)(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:dbinom|tbinom)(?![a-zA-Z])", r"\\binom"),
        (r"\\(?:leq|leqslant|leqq|lte)(?![a-zA-Z])|<=|=<", r"\\le "),
        (r"\\(?:geq|geqslant|geqq|gte)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\neq(?![a-zA-Z])|!=", r"\\ne "),
        (r"\\(?:cdot|times|ast)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\(?:lor|vee)(?![a-zA-Z])", " or "),
        (r"\\(?:land|wedge)(?![a-zA-Z])|\\&", " and "),
        (r"\\(?:varnothing)(?![a-zA-Z])", r"\\emptyset "),
        (r"\\(?:bar|overline)\s*(?:\{\s*(\d+)\s*\}|(\d))", r"\\overline{\1\2}"),
        (r"\\overline\s*\{\s*\.(\d+)\s*\}", r".\\overline{\1}"),
        (r"(\.\d*)\\dot\s*\{?(\d)\}?(\d*)\\dot\s*\{?(\d)\}?", r"\1\\overline{\2\3\4}"),
        (r"(\.\d*)\\dot\s*\{?(\d)\}?", r"\1\\overline{\2}"),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"\(?\s*\\?(?:[pb]?mod)(?![a-zA-Z])\s*\{?\s*(\d+|[a-z])\s*\}?\s*\)?", r" \\pmod{\1}"),
        (r"\{([^{}]*)\\over(?![a-zA-Z])([^{}]*)\}", r"\\frac{\1}{\2}"),
        (r"\{([^{}]*)\\choose(?![a-zA-Z])([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))", "*"),
        (rf"\\(?:{_VECTORS})\s*(?:\{{\s*([a-zA-Z])\s*\}}|([a-zA-Z])(?![a-zA-Z]))", r" \1\2 "),
        (r"\^\s*(?:\{\s*\\(?:circ|degree)\s*\}|\\(?:circ|degree)(?![a-zA-Z]))|\\degrees?(?![a-zA-Z])"
         r"|\\textdegree(?![a-zA-Z])", r"\\degree "),
        (r"\*\*", "^"),
        (r"(?<![\\a-zA-Z])(sqrt|pi|infty)(?![a-zA-Z])", r"\\\1 "),
        (r"(?<![\\a-zA-Z])(?:infinity|oo)(?![a-zA-Z])", r"\\infty "),
        (rf"(?<![\\a-zA-Z])({_FUNCTIONS})(?=[\s(\d^_]|$)", r"\\\1 "),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"\^\s*([-+]\s*(?:\d+|[a-zA-Z](?![a-zA-Z])))", r"^{\1}"),
        (r"\\lg(?![a-zA-Z])", r"\\log_{10}"),
        (r"\\log\s*_\s*(?:\{\s*(\w+)\s*\}|(\w))", r"\\log_{\1\2} "),
        (r"\\log_\{e\}", r"\\ln"),
        (r"\\frac\s*(\\[a-z]+)\s*(?=[\w{\\])", r"\\frac{\1}"),
        (r"\\frac\s*(\{[^{}]*\}|\w)\s*(\\[a-z]+)(?![a-zA-Z{])", r"\\frac\1{\2}"),
        (r"\\frac\s*([0-9a-zA-Z])\s*([0-9a-zA-Z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*([0-9a-zA-Z])\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\{[^{}]*\})\s*([0-9a-zA-Z])", r"\\frac\1{\2}"),
        (r"\\frac\s*\{\s*([^{}]*?)\s*\}\s*\{\s*([^{}]*?)\s*\}", r"\\frac{\1}{\2}"),
        (r"\\sqrt\s*([0-9a-zA-Z])", r"\\sqrt{\1}"),
    ]
]  # fmt: skip
_OVERLINED, _BARS = re.compile("(?:[0-9][\u0304\u0305])+"), re.compile("[\u0304\u0305]")
_ROOT = re.compile(r"√\s*(\d+)")
_WORD_MACRO = re.compile(rf"\\(?:{_WORD_MACROS})(?![a-zA-Z])\s*\{{([^{{}}]*)\}}")
_SYMBOL_MACRO = re.compile(
    rf"\\(?:{_SYMBOL_MACROS})(?![a-zA-Z])\s*\{{([^{{}}]*)\}}|\\(?:rm|bf|it)(?![a-zA-Z])"
)
_LOOK = re.compile(
    r"\\(?:mathbf|boldsymbol|bm|pmb|underline|ensuremath|mathit|mathsf|textcolor\s*\{\w+\})\s*\{"
    r"(?=[^{}]*[\\{])|\\(?:underline|ensuremath|textcolor\s*\{\w+\})\s*\{"
    r"|\\(?P<label>tag\*?|label|[hv]?phantom|color)\s*\{"
)
_WORD_END = re.compile(r"\s*(?:\^\s*(?:\{\s*-?\d+\s*\}|-?\d))?")


def plain(text: str) -> str:
    r"""Return an answer in one spelling, without delimiters, spacing, units or comments in \text.

    >>> plain("$\\dfrac12 \\text{ cm}^2$."), plain("\\$32,\\!348"), plain("90^{\\circ}")
    ('\\frac{1}{2}', '32348', '90\\degree')
    >>> plain("\\textbf{(B)}\\ 12"), plain("5 \\text{ or } 7"), plain("\\text{Evelyn}")
    ('(B) 12', '5 or 7', 'Evelyn')
    """
    text = _ROOT.sub(r"\\sqrt{\1}", text)
    text = _OVERLINED.sub(lambda run: rf"\overline{{{_BARS.sub('', run[0])}}}", text)
    for digits, sign in ((_RAISED, "^"), (_LOWERED, "_")):
        if not digits.keys().isdisjoint(text):
            text = re.sub(f"[{''.join(digits)}]+", _set_off(digits, sign), text)
    text = text.translate(_UNICODE)
    if "\\begin" in text and "\\\\" not in text:
        text = text.replace("\\ ", "\\\\")  # These row ends have lost their second backslash.
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _unwrap(text)
    for _ in range(MAX_NESTED):
        text, count = _SYMBOL_MACRO.subn(r"\1", text)
        if not count:
            break
    for _ in range(MAX_NESTED):
        before, text = text, _without_words(text)
        if text == before:
            break
    return unbraced(trim(re.sub(r"(?<=[^\\]\{) +| +(?=\})", "", text)))


def unbraced(text: str) -> str:
    """Strip the braces that enclose a whole text."""
    while text.startswith("{") and _closing(text, 0) == len(text) - 1:
        text = trim(text[1:-1])
    return text


def _unwrap(text: str) -> str:
    r"""Replace macros that change the look of a formula by their content, and drop labels.

    >>> _unwrap(r"\textcolor{red}{\mathbf{\frac{1}{2}}} \tag{1}")
    '\\frac{1}{2} '
    """
    for _ in range(MAX_NESTED):
        macro = _LOOK.search(text)
        if not macro:
            break
        end = _closing(text, macro.end() - 1)
        content = "" if macro["label"] else text[macro.end() : end]
        text = text[: macro.start()] + content + text[end + 1 :]
    return text


def _closing(text: str, begin: int) -> int:
    """Return the index of the brace that closes the one at `begin`, or the text's length."""
    level = 0
    for at in range(begin, len(text)):
        if text[at] in "{}" and text[at - 1 : at] != "\\":
            level += 1 if text[at] == "{" else -1
            if level == 0:
                return at
    return len(text)


def _set_off(digits: dict[str, str], sign: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"{sign}{{{''.join(digits[each] for each in match[0])}}}"


def trim(text: str) -> str:
    """Strip space and punctuation around a text."""
    text = re.sub(r"\s+", " ", text).strip(" ,;:*" + ROW).rstrip(" .,;:*" + ROW)
    return text if re.match(r"\.\d", text) else text.lstrip(" .,;:*" + ROW)


def _without_words(text: str) -> str:
    r"""Resolve the first \text{...}: keep connectives, letters, digits; drop units, comments."""
    macro = _WORD_MACRO.search(text)
    if not macro:
        return text
    words = macro[1].strip()
    before, after = text[: macro.start()], text[macro.end() :]
    if re.search(r"_\s*\{?$", before):  # The macro is a subscript.
        return before + words + after
    power = units.POWER.match(after)
    if units.is_unit(words) and (number := units.BEFORE.search(before)):
        return f"{before[: number.end(1)]} {after[power.end() if power else 0 :]}"
    if units.SCALE.match(words):
        return f"{before} {words} {after}"
    is_all = not trim(before + after).strip("{}") or before.rstrip().endswith("=")
    is_symbol = len(words) <= 1 and words not in ("m", "g", "s", "h", "l")
    is_kept = is_all or is_symbol or re.fullmatch(r"\(?[A-Z]\)?|.*\d.*", words)
    if is_kept or re.fullmatch(
        r"(?i)[,;]?\s*(?:(?:and|or|but|except|plus)\b.*|to)|[ap]\.?\s*m\.?", words
    ):
        return f"{text[: macro.start()]} {words} {text[macro.end() :]}"
    if "mathrm" in macro[0] or "mathbf" in macro[0]:
        return text[: macro.start()] + words + text[macro.end() :]
    end = _WORD_END.match(text, macro.end())
    return f"{text[: macro.start()]} {text[end.end() if end else macro.end() :]}"


def tight(text: str) -> str:
    r"""Return an answer without optional spaces, stars and braces.

    >>> tight("2 * x^{2} + 3*4"), tight("+\\infty"), tight("4 \\frac{1}{2}")
    ('2x^2+3*4', '\\infty', '4\\frac{1}{2}')
    """
    text = re.sub(r"(\\[a-zA-Z]+)\s+(?![a-zA-Z])", r"\1", text.strip())
    text = re.sub(r"\s*([-+*/=,()\[\]{}<>|:;^_])\s*", r"\1", text)
    text = re.sub(r"(?<!\d)\*|\*(?!\d|\\frac)", "", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    text = re.sub(r"(?<=[\d}a-zA-Z]) (?=[\\(])|(?<=\d) (?=[a-zA-Z])", "", text)
    return text.removeprefix("+")
