r"""Extract the final answer from a response; docs/grading.md gives the order and the reasons.

>>> extract("First \\boxed{1}, no: \\boxed{2}.", "integer"), extract("#### 1,250", "integer")
('2', '1250')
>>> extract("The answer is 20 - 5 = $15 for both.", "number"), extract("$x = 3$", "expression")
('15', 'x = 3')
"""

import re

import pyarrow as pa

from mathledger.grading.boxes import find_boxes
from mathledger.grading.notation import option
from mathledger.grading.numbers import number, without_unit
from mathledger.grading.solutions import canonical
from mathledger.grading.spelling import plain, trim

MAX_CHARS = 2000  # Characters searched after "the answer is".
MAX_TAIL = 20_000  # Characters at the end, searched if no sentence announces an answer.
MAX_STATEMENTS = 50  # Statements of an answer that are considered, counted from the end.
MAX_GAP = 80  # Characters between two boxes of the same list.
NUMERIC = ("integer", "number")

_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|endoftext|end_of_text|end)\|>|</s>|<eos>|<end_of_turn>"
    r"|<｜end▁of▁sentence｜>"
)
# All patterns run in linear time on any text, thanks to possessive *+ and bounded repetitions.
_NEXT_PROBLEM = re.compile(
    r"\n[ \t]{0,20}(?:#{1,6} *|\*\*)?(?:Question|Problem|Q)(?:\s\d{1,4})?\s?[:.]"
)
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")
_TAGGED = re.compile(r"<answer>([^<]*(?:<(?!/?answer>)[^<]*)*)")
_HASHES = re.compile(r"####([^\n]*)")
# Matches "The answer is", "**Answer:**", a heading "# Answer" above the answer, and "A: 18".
_STATEMENT = re.compile(
    r"(?i:(?P<final>\bfinal\s)?\banswers?(?P<gap>[\s*_]*+)(?:to\s[^.\n:]{1,80}?\s)?"
    r"(?:(?P<verb>is|are|be|was)\b(?:\s(?:therefore|thus|then|indeed|simply|just|approximately"
    r"|about))?|(?P<sign>[:=]))?)[\s*_:=]*+"
    r"|(?m:^[ \t]{0,20}(?P<a>A:))\s*+|(?P<zh>答案(?:是|为|：|:))\s*+"
)
_FINAL_ANSWER = re.compile(
    r"(?i:final answer)[*_]*(?:\s+is|:)[\s*:]*(?i:the\s+final\s+answer\s+is[\s:]*)?"
    r"(?P<answer>(?<!\\)\$(?!\$)(?:[^$\n\\]|\\.){1,300}\$|\\\([^\n]{1,300}?\\\)|\$?-?\d[\d,./]*)"
)
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z(\[]|\s*$)|。|\n")
_BLOCK = re.compile(r"(?s)\s*(\\\[.{1,2000}?\\\]|\$\$.{1,2000}?\$\$)")
_FORMULA = re.compile(
    r"(?s)\$\$(.{1,2000}?)\$\$|\\\[(.{1,2000}?)\\\]|\\\(([^\n]{1,2000}?)\\\)"
    r"|(?<!\\)\$((?:[^$\n\\]|\\.){1,2000}?)\$"
)
_NUMERAL = re.compile(
    r"(?<![\w.\\^{])(?:[-−](?=[\d.$\\]))?(?:\\?\$)?"
    r"(?:\\[dt]?frac\{-?\d+\}\{-?\d+\}|\d{1,3}(?:(?:,|\{,\}|\\,|,\\!)\d{3})+(?:\.\d+)?(?!\d)"
    r"|\d+/\d+|\d*\.?\d+)(?:\s?\\?%)?"
)
_NUMERAL_AMONG_WORDS = re.compile(rf"(?:^|(?<=[\s$]))(?:{_NUMERAL.pattern})(?=[\s.,;:!?*$)/]|$)")
_LETTER = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|bf|rm)\s*\{\s*\(?|\(|\*\*\(?"
    r"|\b(?i:option|choice)\s+(?:is\s+)?[*(]*)([A-J])(?:\)|\}|\*\*|(?!\w))"
)
_LETTER_ALONE = re.compile(r"(?:^|\n)\s*([A-Z])[\s.*)]*$")
# Matches the text between two boxes of a list: the end of a formula, "and", "or", a comma, "x =".
_BETWEEN = re.compile(
    r"\}[\s$.]*(?:,|;|and|or|\\text\{\s*(?:and|or)\s*\}|\\quad|[\s$])+(?:[a-zA-Z]\s*=\s*)?[\s$\\]*"
    r"f?box(?:ed)?\s*\{"
)
_VERB = re.compile(r"\b(?:is|are|equals|be)\b[\s:]*")
_WORD = re.compile(r"(?<![\\\w])[A-Za-z]{2,}(?!\w)")
SENTENCE = 3  # Text with at least this many words counts as a sentence.


def extract(response: str, answer_type: str, is_list: bool = False) -> str | None:
    r"""Return the final answer that a response states, or None.

    The last closed \boxed{} decides, unless "final answer: x" follows it. Without a box the last
    `#### x` decides, and without that the last "The answer is x". Otherwise the last candidate in
    the text decides: a numeral for integer and number, a letter in brackets for choice, and for the
    other types a formula, or a numeral if there is no formula.

    Args:
        is_list: Whether the reference lists several values. If so, consecutive boxes that form a
            list, as in "\boxed{1} and \boxed{2}", are one answer.
    """
    text = response.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    thought, _, answered = text.rpartition("</think>")
    text = answered.strip() or thought
    if end := _END.search(text):
        text = text[: end.start()].strip() or text
    text = _own_part(text, answer_type)
    if tagged := [each for each in _TAGGED.findall(text) if each.strip()]:
        text = tagged[-1]
    if stated := _last_box(text, is_list):
        later = _FINAL_ANSWER.search(text, max(text.rfind(r"\boxed"), text.rfind(r"\fbox")))
        return _tidy(later["answer"] if later else stated, answer_type)
    text = _CALCULATOR.sub("", text)
    if hashed := [each for each in _HASHES.findall(text) if each.strip()]:
        return _tidy(hashed[-1], answer_type)
    if stated := _last_statement(text, answer_type):
        return _tidy(stated, answer_type)
    return _last_resort(text, answer_type)


def _own_part(text: str, answer_type: str) -> str:
    """Cut the response where a base model has answered and invents another problem."""
    problems = [match.start() for match in _NEXT_PROBLEM.finditer(text)]
    if not problems:
        return text
    answered = [at for sign in (r"\boxed", "####") if (at := text.find(sign)) >= 0]
    for match in _STATEMENT.finditer(text, 0, problems[-1]):
        if _said(text, match, answer_type):
            answered.append(match.start())
            break
    ends = [at for at in problems if answered and at > min(answered)]
    return text[: ends[0]] if ends else text


def _last_box(text: str, is_list: bool) -> str | None:
    if r"\boxed" not in text and r"\fbox" not in text:
        return None
    boxes = find_boxes(pa.array([text]))
    contents: list[str] = boxes.contents.to_pylist()
    if not is_list or len(contents) < 2:
        return contents[-1] if contents else None
    data, begins = text.encode(), boxes.begins.tolist()
    first = len(contents) - 1
    while first:
        end = begins[first - 1] + len(contents[first - 1].encode())
        between = data[end : begins[first]].decode(errors="ignore").lstrip()
        if len(between) > MAX_GAP or not _BETWEEN.fullmatch(between):
            break
        first -= 1
    return ", ".join(dict.fromkeys(contents[first:]))


def _last_statement(text: str, answer_type: str) -> str | None:
    for statement in list(_STATEMENT.finditer(text))[: -MAX_STATEMENTS - 1 : -1]:
        if said := _said(text, statement, answer_type):
            return said
    return None


def _said(text: str, statement: re.Match[str], answer_type: str) -> str | None:
    """Return the answer that follows "the answer is", or None if these words state no answer."""
    is_stated = any(statement[name] for name in ("verb", "sign", "a", "zh"))
    if not is_stated and "\n" not in statement["gap"]:
        return None
    rest = text[statement.end() : statement.end() + MAX_CHARS]
    if block := _BLOCK.match(rest):
        return block[1]
    end = _SENTENCE_END.search(rest)
    said = (rest[: end.start()] if end else rest).strip()
    is_sentence = len(_WORD.findall(_FORMULA.sub("", said))) >= SENTENCE
    is_announced = statement["verb"] or statement["final"]
    if is_sentence and not is_announced and end and rest[end.end() :].strip():
        return None  # The heading "Answer:" precedes a whole solution.
    if answer_type in NUMERIC:
        said = said.rpartition("=")[2].strip() or said
        numeral = _NUMERAL.search(said)
        if numeral and _WORD.search(said) and not number(plain(said)):
            return numeral[0]
        return said if numeral else None
    if not trim(said).strip("$"):
        return None
    return _of_sentence(said) if is_sentence and answer_type != "choice" else said


def _of_sentence(said: str) -> str:
    r"""Return the answer that a sentence states.

    >>> _of_sentence("The largest $n$ is 34"), _of_sentence("Jane left 3 hours ago")
    ('34', '3')
    """
    if verbs := list(_VERB.finditer(said)):
        said = said[verbs[-1].end() :]
    if formulas := _formulas(said):
        return formulas[0]
    numerals: list[str] = _NUMERAL.findall(said)
    return numerals[0] if len(numerals) == 1 else said


def _formulas(text: str) -> list[str]:
    return [next(filter(None, groups)) for groups in _FORMULA.findall(text)]


def _last_resort(text: str, answer_type: str) -> str | None:
    text = text[-MAX_TAIL:]
    if answer_type == "choice":
        if alone := _LETTER_ALONE.search(text[-MAX_GAP:]):
            return alone[1]
        letters = _LETTER.findall(text)
        return letters[-1] if letters else None
    if answer_type in NUMERIC:
        numeral = _last_numeral(text)
        return _tidy(numeral, answer_type) if numeral else None
    if formulas := _formulas(text):
        return _tidy(formulas[-1], answer_type)
    line = text.strip().rpartition("\n")[2]
    is_bare = len(_WORD.findall(line)) < SENTENCE and not line.endswith(":")
    if is_bare and re.search(r"[^\W_]", line) and "boxed" not in line:
        return _tidy(line, answer_type)  # The last line is bare, as in "x^2 + 1".
    numerals = _NUMERAL.findall(text)
    return _tidy(numerals[-1], answer_type) if numerals else None


def _last_numeral(text: str) -> str | None:
    """Return the numeral of the last sentence that has one, preferring the last equation's result.

    >>> _last_numeral("So 28 / 2 = 14. Therefore, Jean can fill 14 bags with 2 in each bag.")
    '14'
    >>> _last_numeral("In 2 weeks she earns $80.")
    '$80'
    """
    sentences = [own for each in _SENTENCE_END.split(text) if (own := _NUMERAL.findall(each))]
    if not sentences:
        return None
    numerals: list[str] = sentences[-1]
    result = _NUMERAL.search(text, text.rfind("=") + 1) if "=" in text else None
    if result and len(numerals) > 1:
        same = [each for each in numerals if plain(each) == plain(result[0])]
        return same[-1] if same else numerals[-1]
    return numerals[-1]


def _tidy(stated: str, answer_type: str) -> str | None:
    """Strip delimiters around an answer; if a number is wanted, keep only the numeral."""
    tidy: str = canonical(pa.array([stated]))[0].as_py()
    tidy = re.sub(r"^\\\[\s*|\s*\\\]$", "", tidy).strip(" *$").rstrip(".")
    if len(tidy) > MAX_CHARS:
        return tidy
    if answer_type in NUMERIC:
        tidy = _numeral(tidy)
    elif answer_type == "choice" and not option(plain(tidy)):
        letters = set(_LETTER.findall(stated))
        tidy = letters.pop() if len(letters) == 1 else tidy
    return tidy or None


def _numeral(said: str) -> str:
    """Return what follows the last equals sign, or the only numeral if there are words around it.

    >>> _numeral("Janet makes 18 dollars"), _numeral("x = 4 + 1 = 5"), _numeral("(x+2)/sqrt(x)")
    ('18', '5', '(x+2)/sqrt(x)')
    """
    said = said.rpartition("=")[2].strip() or said
    text = plain(said)
    if number(text):
        return without_unit(text)
    numerals = _NUMERAL_AMONG_WORDS.findall(said) if _WORD.search(said) else []
    return plain(numerals[0]) if len(numerals) == 1 else said
