r"""Find the answer in sentences: formulas, numerals and letters among words.

>>> last_number("So 28 / 2 = 14. Therefore, Jean can fill 14 bags with 2 in each bag.")
'14'
>>> last_number("Thus she earns 20 dollars in 2 hours."), last_number("It is 3 or 5.")
('20', '3 or 5')
>>> last_expression("We have $x = 3 + 4$. Hence there are exactly 7 such integers.")
'7'
"""

import re

from mathledger.grading import notation, thousands, units
from mathledger.grading.arithmetic import is_left_open
from mathledger.grading.numbers import number
from mathledger.grading.spelling import plain

MAX_TAIL = 20_000  # Characters at the end, searched if no sentence announces an answer.
SENTENCE = 3  # Text with at least this many words counts as a sentence.
MAX_NUMERALS = 50  # Numerals of a sentence that are considered, counted from its end.
MAX_BEFORE = 40  # Characters before a numeral that may make it a modifier.

# All patterns run in linear time on any text, thanks to possessive *+ and bounded repetitions.
SENTENCE_END = re.compile(r"\.(?=\s+[A-Z(\[]|\s*$)|。|\n")
FORMULA = re.compile(
    r"(?s)\$\$(.{1,2000}?)\$\$|\\\[(.{1,2000}?)\\\]|\\\(([^\n]{1,2000}?)\\\)"
    r"|(?<!\\)\$((?:[^$\n\\]|\\.){1,2000}?)\$"
    r"|\\begin\{(?P<name>align|gather|equation|multline|eqnarray)\*?\}(?P<rows>.{1,2000}?)"
    r"\\end\{(?P=name)"
)
_ALIGNED = re.compile(r"\\(?:begin|end)\{(?:aligned|split|gathered)\}")
_DRAWING = re.compile(r"(?s)\[asy\].{0,9000}?\[/asy\]")
_POWER = r"10\^(?:\{-?\d{1,3}\}|-?\d{1,3})"
_FRAC = r"\\[dt]?frac\{-?\d+\}\{-?\d+\}"
# A numeral is not one if a formula goes on behind it, as in 4\sqrt{2} or 5x.
_GOES_ON = (
    r"\d|[\^_]|\s?\\(?:sqrt|pi|[dt]?frac|cdot|times|ln|log|sin|cos|tan|theta|alpha)(?![a-zA-Z])"
    rf"|(?!(?:{units.TOUCHING}|[mgLh]|[ap]m|st|nd|rd|th)(?![a-zA-Z]))[a-zA-Z](?![a-zA-Z]{{4}})"
)
NUMERAL = re.compile(
    r"(?<![\w.\\^{])(?>(?:[-−–](?=[\d.$\\]))?(?:\\?[$€£₹])?"
    rf"(?:\d+\s*{_FRAC}|{_FRAC}|(?:{thousands.GROUPED}|(?<=\$){thousands.SPACED})(?!\d)|\d+\s+\d+/\d+|\d*[½⅓⅔¼¾]|\d+/\d+|{_POWER}"
    rf"|(?:\d*\.)?\d+(?:\s?(?:\\times|\\cdot|[x×*])\s?{_POWER})?)"
    rf"(?:\s?(?:\\?%|percent\b)|{units.SCALE.pattern})?)(?!{_GOES_ON})",
    re.IGNORECASE,
)
_AMONG_WORDS = re.compile(
    rf"(?:^|(?<=[\s$]))(?:{NUMERAL.pattern})(?=[\s.,;:!?*$)/]|$)", re.IGNORECASE
)
_TUPLE = re.compile(
    rf"[(\[]\s*{NUMERAL.pattern}(?:\s*,\s*{NUMERAL.pattern})+\s*[)\]]", re.IGNORECASE
)
WORD = re.compile(r"(?<![\\\w])[A-Za-z]{2,}(?!\w)")
VERB = re.compile(r"\b(?:is|are|equals|be)\b[\s:]*")
_STATED = re.compile(r"(?i)\b(?:is|are|equals|be|gets?|obtain|at)\s+(?:exactly\s+|the point\s+)?$")
# Before a numeral that measures something else: earns 20 dollars in 2 hours, step 3.
_MODIFIES = re.compile(
    r"(?i)(?:\b(?:in|per|with|for|after|every|each|at|on|within|by|during|over|from|than|of the"
    r"|out of)\s+(?:the\s+|these\s+|those\s+|all\s+|another\s+|only\s+)?"
    r"|\d\s+of\s+|\b(?:step|case|part|theorem|lemma|equation|eq|problem|section|figure|page)\.?\s*"
    r"\(?)$"
)
# Matches the left side of an equation such as (x/2) + (x/3) = 5.
_EQUATION = re.compile(
    r"(?:(?<![a-zA-Z])[a-zA-Z]\s*[-+*/^)]|[-+*/^(\d]\s*[a-zA-Z](?![a-zA-Z]))[^a-zA-Z]*=\s*$"
    r"|(?<![a-zA-Z])[a-zA-Z]\s*[-+*/]\s*$"
)
# Matches what joins formulas to a list; a comma, "and" or "or" must be in it.
_LISTED = re.compile(
    r"(?i)(?=.*(?:[,;]|\b(?:and|or)\b))[\s.;,]*+(?:(?:\b(?:and|or)\b|\\text\{\s*(?:and|or)\s*\}|\\quad)[\s,;]*+)*"
)
_ROUNDS = re.compile(r"(?i)\brounds?\s+(?:it\s+)?(?:up\s+|down\s+)?to\s+$")
# Words behind a numeral that add to it or take away from it.
_ADDS = re.compile(r"(?i)\b(?:and|or|plus|minus|times|squared|cubed|except|unless|more|less|not)\b")
_EITHER = re.compile(r"(?i)\s*(?:,?\s*\bor\b|/)\s*")
_NAME_ALONE = re.compile(r"\s*\\?[a-zA-Z]+(?:_\{?\w+\}?)?\s*")
LETTER = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|bf|rm)\s*\{\s*\(?|\(|\*\*\(?"
    r"|\b(?i:option|choice)\s+(?:is\s+)?[*(]*|\b(?=[A-J]\s+is\s+(?:the\s+)?(?:correct|right)\b))"
    r"([A-J])(?:\)|\}|\*\*|(?!\w)(?!\s*(?:,|/|&|\bor\b|\band\b)[\s(]*[A-J]\b))"
)
_LETTER_ALONE = re.compile(r"(?:^|\n)\s*([A-Z])[\s.*)]*$")
_BETWEEN_LETTERS = re.compile(r"[\s),*}$]*(?:,|/|&|\bor\b|\band\b)*[\s(*$,]*")


def formula_runs(text: str) -> list[tuple[int, int, str]]:
    r"""Return (start, end, content) of each formula; formulas joined by "or" or commas are one.

    >>> [run[2] for run in formula_runs("So $y > 0$, thus $x = 3$ or $x = 5$.")]
    ['y > 0', 'x = 3, x = 5']
    """
    runs: list[tuple[int, int, str]] = []
    for match in FORMULA.finditer(text):
        content = _last_row(match["rows"] or next(filter(None, match.groups())))
        if content.rstrip().endswith("=") or not re.search(r"\w", content):
            continue
        gap = text[runs[-1][1] : match.start()] if runs else None
        if (
            gap
            and len(gap) < MAX_BEFORE
            and "\n\n" not in gap
            and _is_list(runs[-1][2], gap, content)
        ):
            runs[-1] = (runs[-1][0], match.end(), f"{runs[-1][2]}, {content}")
            continue
        runs.append((match.start(), match.end(), content))
    return runs


def _last_row(content: str) -> str:
    r"""Return the last side of aligned equations; any other formula stays as it is.

    >>> _last_row(r"x &= 3 + 4 \\ &= 7 \\"), _last_row("x = 7")
    ('7', 'x = 7')
    """
    rows = _ALIGNED.sub("", content)
    if "&=" in rows:
        return re.sub(r"\\\\\s*$", "", rows.rpartition("&=")[2].strip()).replace("&", "").strip()
    if r"\\" not in rows or r"\begin" in rows:
        return content
    whole = [row for row in rows.split(r"\\") if row.strip(" &\n")]
    return whole[-1].replace("&", "").strip() if whole else content


def _is_list(one: str, gap: str, other: str) -> bool:
    """Return True if two formulas are members of a list: both values, or both x = value."""
    if not _LISTED.fullmatch(gap):
        return False
    sides = [notation.sides(each) for each in (one.rpartition(", ")[2], other)]
    return all(
        len(own) == 1 or (len(own) == 2 and bool(_NAME_ALONE.fullmatch(own[0]))) for own in sides
    )


def of_sentence(said: str) -> str:
    r"""Return the answer that a sentence states.

    >>> of_sentence("The largest $n$ is 34"), of_sentence("Jane left 3 hours ago")
    ('34', '3')
    """
    if verbs := list(VERB.finditer(said)):
        said = said[verbs[-1].end() :]
    if runs := formula_runs(said):
        return runs[0][2]
    numerals = [match[0] for match in NUMERAL.finditer(said)]
    return numerals[0] if len(numerals) == 1 else said


def number_said(said: str) -> str | None:
    r"""Return the number that a statement gives, or None if it has no numeral.

    >>> number_said("$4\\sqrt{2}$ cm"), number_said("20 - 5 = $15 for both"), number_said("3 or 5")
    ('4\\sqrt{2}', '$15', '3 or 5')
    """
    if has_several(said):
        return said
    outside = FORMULA.sub(" ", said)
    runs = formula_runs(said)
    if number(plain(said)):
        return said
    if runs and not NUMERAL.search(outside):
        return runs[0][2] if re.search(r"\d", runs[0][2]) else None
    said = _result(said)
    numeral = NUMERAL.search(said)
    if numeral and WORD.search(said):
        return numeral[0]
    return said if numeral or re.search(r"\d", outside) else None


def has_several(said: str) -> bool:
    """Return True if a text gives several different numbers, as in n=1, n=2 or "3 or 5"."""
    if len(said) > 2 * MAX_BEFORE and "=" not in said and "," not in said:
        return False
    parts, _ = notation.split(plain(said))
    values = [number(notation.sides(part)[-1].strip(" /")) for part in parts]
    return len(parts) > 1 and all(values) and len({each.value for each in values if each}) > 1


def bare_number(said: str) -> str:
    """Return what follows the last equals sign, or the only numeral if there are words around it.

    >>> bare_number("Janet makes 18 dollars"), bare_number("x = 4 + 1 = 5"), bare_number("x=1, y=2")
    ('18', '5', 'x=1, y=2')
    """
    if re.fullmatch(r"-?\d{1,3}(?:, \d{3})+", said):
        said = said.replace(" ", "")
    elif has_several(said):
        return said
    said = _result(said)
    text = plain(said)
    if number(text):
        return units.without_unit(text)
    numerals = list(_AMONG_WORDS.finditer(said)) if WORD.search(said) else []
    if len(numerals) != 1 or _ADDS.search(said[numerals[0].end() :]):
        return said
    return plain(numerals[0][0])


def _result(said: str) -> str:
    """Return the last side of an equation, or the number before it if it is an open sum.

    >>> _result("4 + 1 = 5"), _result("5 = 4 + 1")
    ('5', '5')
    """
    *before, last = (side.strip() for side in said.split("="))
    if before and is_left_open(plain(last)):
        last = next((side for side in reversed(before) if number(plain(side))), last)
    return last or said


def last_number(text: str) -> str | None:
    """Return the numeral of the last sentence that has one.

    If it has several, this is the result of the last equation, or else the last one that measures
    nothing else. Two values joined by "or" are both returned, since a guess is not an answer.
    """
    runs = [run for run in formula_runs(text) if re.search(r"\d", run[2])]
    if runs and not NUMERAL.search(text, runs[-1][0]):
        return runs[-1][2]  # A formula such as 4\sqrt{2} comes last.
    numerals: list[re.Match[str]] = []
    for sentence in SENTENCE_END.split(text):
        if own := list(NUMERAL.finditer(sentence)):
            last, numerals = sentence, own
    if not numerals:
        return None
    numerals = numerals[-MAX_NUMERALS:]
    if rounded := [each for each in numerals if _ROUNDS.search(last[: each.start()])]:
        return rounded[-1][0]
    result = NUMERAL.search(text, text.rfind("=") + 1) if "=" in text else None
    if result and len(numerals) > 1:
        same = [each for each in numerals if plain(each[0]) == plain(result[0])]
        if same:
            return same[-1][0]
    own = [each for each in numerals if not _is_modifier(last, each)] or numerals
    return _with_alternative(last, own[-1], numerals)


def _is_modifier(sentence: str, numeral: re.Match[str]) -> bool:
    """Return True if a numeral measures something else or stands in an equation of unknowns."""
    before = sentence[max(0, numeral.start() - MAX_BEFORE) : numeral.start()]
    return bool(_MODIFIES.search(before) or _EQUATION.search(before))


def _with_alternative(sentence: str, chosen: re.Match[str], numerals: list[re.Match[str]]) -> str:
    """Return a numeral, together with the other one that an "or" joins to it."""
    place = numerals.index(chosen)
    for other in numerals[max(0, place - 1) : place + 2]:
        one, two = sorted((other, chosen), key=lambda each: each.start())
        values = [number(plain(each[0])) for each in (one, two)]
        if one is two or (values[0] and values[1] and values[0].value == values[1].value):
            continue
        is_term = re.search(r"[-+*/=×]\s*$", sentence[: one.start()])
        if _EITHER.fullmatch(sentence[one.end() : two.start()]) and not is_term:
            return f"{one[0]} or {two[0]}"
    return chosen[0]


def last_expression(text: str) -> str | None:
    """Return the last formula, or the numeral or tuple that a sentence behind it states."""
    text = _DRAWING.sub("", text)
    runs = formula_runs(text)
    while len(runs) > 1 and _NAME_ALONE.fullmatch(runs[-1][2]) and not _later(text, runs[-1][1]):
        runs.pop()  # As in "so $x = 5$ for each $n$".
    if runs:
        return _later(text, runs[-1][1]) or runs[-1][2]
    line = text.strip().rpartition("\n")[2]
    is_bare = len(WORD.findall(line)) < SENTENCE and not line.endswith(":")
    if is_bare and re.search(r"[^\W_]", line) and "boxed" not in line:
        return line  # The last line is bare, as in "x^2 + 1".
    return _value(text)


def _later(text: str, begin: int) -> str | None:
    """Return the value that is stated behind the last formula, or None."""
    end = SENTENCE_END.search(text, begin)
    rest = text[begin : end.start() if end else len(text)]
    for match in (*_TUPLE.finditer(rest), *NUMERAL.finditer(rest)):
        if _STATED.search(rest[: match.start()]):
            return match[0]
    return _value(text[end.end() :]) if end else None


def _value(text: str) -> str | None:
    """Return the tuple or else the numeral of the last sentence that has one."""
    for sentence in reversed(SENTENCE_END.split(text)):
        if tuples := list(_TUPLE.finditer(sentence)):
            return tuples[-1][0]
        numerals = list(NUMERAL.finditer(sentence))[-MAX_NUMERALS:]
        own = [each for each in numerals if not _is_modifier(sentence, each)]
        if own:
            return _with_alternative(sentence, own[-1], numerals)
    return None


def last_choice(text: str) -> str | None:
    """Return the letter that stands alone at the end, or the last one in brackets or in bold.

    >>> last_choice("(A) is too small, so it must be (C)."), last_choice("It is (A), (B) or (C).")
    ('C', '(B), (C)')
    """
    if alone := _LETTER_ALONE.search(text[-2 * MAX_BEFORE :]):
        return alone[1]
    letters = list(LETTER.finditer(text))
    if len(letters) > 1:
        one, other = letters[-2:]
        gap = text[one.end() : other.start()]
        if one[1] != other[1] and len(gap) < MAX_BEFORE and _BETWEEN_LETTERS.fullmatch(gap):
            return f"({one[1]}), ({other[1]})"
    return letters[-1][1] if letters else None
