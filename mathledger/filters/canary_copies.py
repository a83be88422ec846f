"""Write a benchmark's problem in another form that is still the same problem.

Every function returns the problem unchanged if its form does not apply.
"""

import re
from collections.abc import Callable

from mathledger.core.hashing import uniform

Change = Callable[[str], str]

DRAWING = re.compile(
    r"(\[asy\].*?\[/asy\]|\\begin\{(?:asy|tikzpicture)\}.*?\\end\{(?:asy|tikzpicture)\})", re.S
)
# A dollar sign opens a formula only as in Pandoc's Markdown, so that prices stay text.
MATH = re.compile(
    r"(\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|(?<!\\)\$(?=[^\s$])(?:[^$\\]|\\.)*?(?<=[^\s])\$(?!\d))",
    re.S,
)

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_ONES += " fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SIGNS = {
    r"\\leq?(?![a-zA-Z])": "≤",
    r"\\geq?(?![a-zA-Z])": "≥",
    r"\\times(?![a-zA-Z])": "\N{MULTIPLICATION SIGN}",
    r"\\cdot(?![a-zA-Z])": "·",
    r"\\pi(?![a-zA-Z])": "π",
    r"\\angle(?![a-zA-Z])": "∠",
    r"\\triangle(?![a-zA-Z])": "△",
    r"\^(?:\\circ(?![a-zA-Z])|\{\\circ\})": "°",
    r"\^(?:2(?!\d)|\{2\})": "²",
    r"\^(?:3(?!\d)|\{3\})": "³",
    r"\\sqrt\{(\w+)\}": r"√\1",
}
_ASCII = {
    r"(?<=\w)\\sqrt\{([^{}\\]+)\}": r" sqrt(\1)",
    r"\\sqrt\{([^{}\\]+)\}": r"sqrt(\1)",
    r"\\leq?(?![a-zA-Z])": "<=",
    r"\\geq?(?![a-zA-Z])": ">=",
    r" ?\\cdot(?![a-zA-Z]) ?": "*",
    r"\^\{([^{}\\]+)\}": r"**(\1)",
    r"\^(\w)": r"**\1",
}
# Formulas with these hold letters that are not variables: words, units, differentials, measures.
_NOT_VARIABLES = (
    r"\\(?:text|mbox|mathrm|operatorname)|[a-z]{4}|(?<!\\)\b(?:sin|cos|tan|log|ln|gcd|lcm|max|min|mod)"
    r"|d[xtyz]\b|m ?\\angle"
)
_WRAPPERS = (
    r" The answer can be written as $\frac{m}{n}$, where $m$ and $n$ are relatively prime positive "
    r"integers. Find $m+n$.",
    r" If the answer is $\frac{p}{q}$ in lowest terms, compute $p+q$.",
    r" Your answer can be expressed in the form $a\sqrt{b}$, where $b$ is square-free. Find $a+b$.",
)
_PHRASES = (
    ("How many", "What is the number of"),
    ("how many", "what number of"),
    ("What is", "Find"),
    ("what is", "find"),
    ("Find", "Determine"),
    ("Compute", "Calculate"),
    ("Evaluate", "Compute"),
    ("How much", "What amount"),
    ("each(?= [a-z])(?! (?:of|and|or|for|other|in|at|to)\\b)", "every"),
    ("total", "overall"),
    ("buys", "purchases"),
    ("if", "supposing"),
)


def pick(options: list[str] | tuple[str, ...] | str, seed: int, key: str) -> str:
    """Return one of the options, which depends only on the seed and the key."""
    return options[int(uniform(seed, key) * len(options))]


def in_text(problem: str, change: Change) -> str:
    """Change the text outside drawings and math."""
    return _outside_drawings(problem, lambda part: part if MATH.fullmatch(part) else change(part))


def in_math(problem: str, change: Change) -> str:
    """Change the formulas outside drawings, with their dollar signs."""
    return _outside_drawings(problem, lambda part: change(part) if MATH.fullmatch(part) else part)


def _outside_drawings(problem: str, change: Change) -> str:
    """Change the formulas and the pieces of text between them, each by itself."""
    return "".join(
        part if DRAWING.fullmatch(part) else "".join(map(change, MATH.split(part)))
        for part in DRAWING.split(problem)
    )


def reformatted(problem: str, _: int) -> str:
    """Return the same LaTeX in another notation."""
    changed = problem
    for macro, other in ((r"\\frac", r"\\dfrac"), (r"\\leq", r"\\le"), (r"\\cdot", "·")):
        changed = re.sub(rf"{macro}(?![a-zA-Z])", other, changed)
    changed = in_math(changed, lambda math: re.sub(r"^\$([^$]+)\$$", r"\\( \1 \\)", math))
    return re.sub(r"(?<=[a-z,]) (?=[a-z])", "  ", changed)


def rewrapped(problem: str, _: int) -> str:
    """Return the problem in lines of eight words."""
    words = problem.split()
    return "\n".join(" ".join(words[at : at + 8]) for at in range(0, len(words), 8))


def embedded(problem: str, _: int) -> str:
    return f"A student wrote to us about an exercise. {problem} She would like to see it."


def fractions(problem: str, _: int) -> str:
    r"""Write simple fractions with a slash, or slashes as fractions if there is no \frac.

    >>> fractions(r"Add $\frac{1}{2}$ and $x^\frac{1}{3}$.", 0)
    'Add $1/2$ and $x^\\frac{1}{3}$.'
    """
    stands_alone = r"(?<![\w})^_/:])(?<!\\div)(?<!\\div )"
    slashed = in_math(
        problem,
        lambda math: re.sub(
            stands_alone + r"\\[dt]?frac\{(\d+)\}\{(\d+)\}(?!\s*[\w\\({^!])", r"\1/\2", math
        ),
    )
    if slashed != problem:
        return slashed
    slash = r"(?<![\w})^_/.:])(\d+)/(\d+)(?![\w/.^{(\\!])"
    return in_math(problem, lambda math: re.sub(slash, r"\\frac{\1}{\2}", math))


def products(problem: str, _: int) -> str:
    r"""Write products of numbers with another sign; between vectors it would mean another product.

    >>> products(r"Compute $3 \cdot 4$ and $a \cdot b$.", 0)
    'Compute $3 \\times 4$ and $a \\cdot b$.'
    """
    sign = r"(?<=[\d)])(\s*)\\cdot(\s*)(?=[\d(])"
    return in_math(problem, lambda math: re.sub(sign, r"\1\\times\2", math))


def number_words(problem: str, _: int) -> str:
    """Spell out whole numbers below 100 before a word.

    >>> number_words("She has 12 red and 45 blue pens, 3/4 of them new, for $5 each.", 0)
    'She has twelve red and forty-five blue pens, 3/4 of them new, for $5 each.'
    """

    def word(found: re.Match[str]) -> str:
        number = int(found[0])
        if number < 20:
            return _ONES.split()[number]
        tens, ones = divmod(number, 10)
        return _TENS.split()[tens - 2] + (f"-{_ONES.split()[ones]}" if ones else "")

    whole = r"(?<![\w.,$\\/^{:-])(?<![-+*=] )[1-9]\d?(?= [a-z]{3})"
    return in_text(problem, lambda text: re.sub(whole, word, text))


def words_for_signs(problem: str, _: int) -> str:
    r"""Write a formula's leading sign as a word before it.

    >>> words_for_signs(r"In $\triangle ABC$, $\angle A = 30^\circ$.", 0)
    'In triangle $ABC$, angle $A = 30^\\circ$.'
    """
    words = in_math(problem, lambda math: re.sub(r"^\$\\(triangle|angle)\s*", r"\1 $", math))
    return re.sub(r"\b(triangle|angle) \1 (?=\$)", r"\1 ", words)


def ascii_math(problem: str, _: int) -> str:
    r"""Write the formulas that need no LaTeX as plain text, if any uses LaTeX.

    >>> ascii_math(r"Is $\sqrt{x^2} \leq 3$ or $\frac{1}{2}$?", 0)
    'Is sqrt(x**2) <= 3 or $\\frac{1}{2}$?'
    """

    def plain(math: str) -> str:
        text = math.strip("$")
        for old, new in _ASCII.items():
            text = re.sub(old, new, text)
        return math if re.search(r"[\\{}]", text) or text == math.strip("$") else text

    return in_math(problem, plain)


def unicode(problem: str, _: int) -> str:
    def signs(math: str) -> str:
        for old, new in _SIGNS.items():
            math = re.sub(old, new, math)
        return math

    return in_math(problem, signs)


def answer_wrapper(problem: str, seed: int) -> str:
    """Ask for a whole number that is made from the answer."""
    is_wrapped = re.search(r"relatively prime|lowest terms|m\s*\+\s*n|in the form", problem)
    return problem if is_wrapped else problem + pick(_WRAPPERS, seed, "wrapper:" + problem)


def renamed(problem: str, seed: int) -> str:
    """Rename all variables; the names of functions, points and constants stay.

    >>> renamed("If $xy + 2y = 7$ and x is even, find $y$.", 1)
    'If $ck + 2k = 7$ and c is even, find $k$.'
    """
    formulas = " ".join(MATH.findall(DRAWING.sub("", problem)))
    is_named = re.search(r"\b[a-z]-[a-z]", problem)  # An axis or an intercept keeps its name.
    if is_named or re.search(_NOT_VARIABLES, formulas) or r"\begin" in problem:
        return problem
    single = r"(?<![A-Za-z])[a-z](?![A-Za-z])"
    letters = {*re.findall("[a-z]", re.sub(r"\\[A-Za-z]+", "", formulas))}
    used = [letter for letter in "xyzabcknmrstuvwpq" if letter in letters]
    taken = letters | {*re.findall(single, problem)}
    taken |= {letter.lower() for letter in re.findall("[A-Z]", formulas)}
    free = [letter for letter in "stuvwpqrxyzbcknm" if letter not in taken]
    if not used or len(free) < len(used):
        return problem
    start = int(uniform(seed, "letter:" + problem) * (len(free) - len(used) + 1))
    new = dict(zip(used, free[start:], strict=False))

    def rename(letter: re.Match[str]) -> str:
        return new.get(letter[0], letter[0])

    changed = in_math(problem, lambda math: re.sub(r"\\[A-Za-z]+|[a-z]", rename, math))
    alone = r"(?<![\\\w'\u2019-])[b-z](?![\w'\u2019-])"
    return in_text(changed, lambda text: re.sub(alone, rename, text))


def rephrased(problem: str, _: int) -> str:
    """Replace some phrases by synonyms and, given three or more sentences, swap the first two."""
    changed = problem
    for old, new in _PHRASES:
        changed = re.sub(rf"\b{old}(?!\w)", new, changed)
    sentences = re.split(r"(?<=[.?]) +(?=[A-Z])", changed)
    if len(sentences) > 2:
        sentences[:2] = sentences[1::-1]
    return " ".join(sentences)
