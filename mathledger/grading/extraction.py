r"""Extract the final answer from a response; docs/grading.md gives the order and the reasons.

>>> extract("First \\boxed{1}, no: \\boxed{2}.", "integer"), extract("#### 1,250", "integer")
('2', '1250')
>>> extract("The answer is 20 - 5 = $15 for both.", "number"), extract("$x = 3$", "expression")
('15', 'x = 3')
"""

import re

import pyarrow as pa

from mathledger.grading import prose
from mathledger.grading.algebra import Undecided
from mathledger.grading.boxes import find_boxes
from mathledger.grading.equality import NeedsAlgebra, is_equal
from mathledger.grading.notation import option, read
from mathledger.grading.prose import MAX_TAIL, NUMERAL, SENTENCE, SENTENCE_END, WORD
from mathledger.grading.solutions import canonical, undelimited
from mathledger.grading.spelling import plain, trim

MAX_CHARS = 2000  # Characters searched after "the answer is".
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
_HASHES = re.compile(r"(?<!#)####(?!#)([^\n]*)")
_HEADING = re.compile(
    r"(?i)[\s*_]*(?:\d+[.):]\s*)?(?:steps?|parts?|cases?|solution|problem|question|example|note"
    r"|explanation|conclusion|verification|check|summary|approach|method|analysis|given|proof"
    r"|understanding|setting|finding|solving)\b"
)
_NUMBERED = re.compile(r"[\s*_]*\d+[.)]\s+[A-Za-z]{2}")
_LABEL = re.compile(r"(?i)[\s*_]*(?:the\s+)?(?:final\s+)?answer\b[\s*_]*(?:is\b|:|=)?[\s*_:]*")
_EMPTY_BOX = re.compile(r"\\(?:f|frame)?box(?:ed)?\s*\{\s*\}")
# Words after a letter that reject another letter or give a reason: "(C), not (B)", "C since ...".
_OTHERS = re.compile(
    r"(?is),?\s+(?:not|rather than|instead of)\b.*$|[,;]?\s+(?:since|because)\b.*$"
)
_LETTER_FIRST = re.compile(r"\W*(?i:(?:option|choice)\s+)?\(?([A-J])\)?[.:,]?\**\s+\((?![A-J]\))")
_ALSO = re.compile(  # Another answer in brackets: 5 (or 6).
    r"(?i)\s*\(\s*(?:(?:or|and|maybe|perhaps|possibly|alternatively)\b[,\s]*)+([^()\n]{0,80}?\d[^()\n]{0,80})\)"
)
# A remark in brackets begins with a word or holds a whole equation: 5 (five), 5 (2 + 3 = 5). One
# that begins with "or" gives another answer.
_REMARK = re.compile(
    r"(?is)(?<=[\w}$)])\$?\s+\((?!(?:sin|cos|tan|log|ln|mod|or|and|maybe|perhaps|possibly)\b)"
    r"(?:[a-z]{2,}(?=[\s,)-])|\$?[^()\n]{1,80}=)[^\n]{0,300}\)[\s.]*$"
    r"|[,;]?\s+(?:since|because)\b.*$|,\s+(?:as|where|which|not|rather|instead|but|given|whereas)\b.*$"
)
# Matches "The answer is", "**Answer:**", a heading "# Answer" above the answer, and "A: 18".
_STATEMENT = re.compile(
    r"(?i:(?P<final>\bfinal\s)?\banswers?(?P<gap>[\s*_]*+)(?:to\s[^.\n:]{1,80}?\s)?"
    r"(?:(?:must\s|would\s|should\s|will\s|could\s|can only\s)?"
    r"(?P<verb>is|are|be|was|were|equals|comes out to be|turns out to be)\b"
    r"(?:\s(?:therefore|thus|then|indeed|simply|just|approximately|about))?|(?P<sign>[:=]))?)[\s*_:=]*+"
    r"|(?m:^[ \t]{0,20}(?P<a>A:))\s*+|(?P<zh>答案(?:是|为|：|:))\s*+"
)
_FINAL_ANSWER = re.compile(
    r"(?i:final answer)[*_]*(?:\s+is|:)[\s*:]*(?i:the\s+final\s+answer\s+is[\s:]*)?"
    r"(?P<answer>(?<!\\)\$(?!\$)(?:[^$\n\\]|\\.){1,300}\$|\\\([^\n]{1,300}?\\\)"
    rf"|{NUMERAL.pattern})"
)
_BLOCK = re.compile(r"(?s)\s*(\\\[.{1,2000}?\\\]|\$\$.{1,2000}?\$\$)")
# Matches the text between two boxes of a list: no end of a sentence and no other formula. Bullets
# and numbers may begin its lines.
# Joins boxes that are several answers, whatever the reference: \boxed{4} or \boxed{5}.
_JOINED = re.compile(
    r"\}(?:[\s$]|\\[()\[\],; ])*+(?:,|;|/|\\text\{\s*(?:or|and)\s*\}|(?:or|and)\b)"
    r"(?:[\s$]|\\[()\[\],; ]|(?:or|and)\b)*+\\?(?:f|frame)?box(?:ed)?\s*\{"
)
_BETWEEN = re.compile(
    r"\}(?:[\s$.,;*]|\\[()\[\],; ]|\\quad|\\text\{[^{}]*\})*+"
    r"(?:(?:(?<=\n)\(?(?:-|\*|\w[.)]))?[^.?!\d=]|[a-zA-Z](?:_\{?\w\}?)?\s*=)*?\\?(?:f|frame)?box(?:ed)?\s*\{"
)


def extract(
    response: str, answer_type: str, is_list: bool = False, is_cut: bool = False
) -> str | None:
    r"""Return the final answer that a response states, or None.

    The last closed \boxed{} decides, unless "final answer: x" follows it. Without a box the last
    `#### x` decides, and without that the last "The answer is x". Otherwise the last candidate in
    the text decides: a numeral for integer and number, a letter in brackets for choice, and for the
    other types a formula, or a numeral if there is no formula.

    Args:
        is_list: Whether the reference has several values. If so, boxes that form a list, as in
            "\boxed{1} and \boxed{2}", are one answer.
        is_cut: Whether the response ended at the limit of tokens; then only a box, `####` or a
            statement counts.
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
        later = _FINAL_ANSWER.search(text, text.rfind("box"))
        return _tidy(later["answer"] if later else stated, answer_type, is_list)
    text = _CALCULATOR.sub("", text)
    if hashed := _last_hashed(text):
        return _tidy(hashed, answer_type, is_list)
    if (stated := _last_statement(text, answer_type)) is not None:
        return _tidy(stated, answer_type, is_list)
    return None if is_cut else _last_resort(text, answer_type)


def _last_hashed(text: str) -> str | None:
    """Return the answer of the last line `#### x` that is not a Markdown heading."""
    for match in reversed(list(_HASHES.finditer(text))):
        said = _LABEL.sub("", match[1], count=1).strip()
        if not said.strip(" *:#") or said.endswith(":") or _HEADING.match(said):
            continue
        has_text = bool(text[match.end() :].strip())
        if has_text and (_NUMBERED.match(said) or WORD.match(said.lstrip(" *_("))):
            continue
        return said
    return None


def _own_part(text: str, answer_type: str) -> str:
    """Cut the response after the answer, where a base model invents another problem."""
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
    if "box" not in text:
        return None
    boxes = find_boxes(pa.array([text]))
    contents: list[str] = boxes.contents.to_pylist()
    if len(contents) < 2 or (is_list and not isinstance(read(plain(contents[-1])), str)):
        return contents[-1] if contents else None
    joined = _BETWEEN if is_list else _JOINED
    data, begins = text.encode(), boxes.begins.tolist()
    first = len(contents) - 1
    while first:
        end = begins[first - 1] + len(contents[first - 1].encode())
        between = data[end : begins[first]].decode(errors="ignore").lstrip()
        if len(between) > MAX_GAP or not joined.fullmatch(between):
            break
        if not is_list and not _differ(contents[first - 1], contents[-1]):
            break  # Two forms of one answer.
        first -= 1
    return ", ".join(dict.fromkeys(contents[first:]))


def _differ(one: str, other: str) -> bool:
    """Return True if exact rules show that two answers differ; algebra is not used."""
    try:
        return not is_equal(one, other, "expression", use_algebra=False)
    except (NeedsAlgebra, Undecided):
        return False


def _last_statement(text: str, answer_type: str) -> str | None:
    for statement in list(_STATEMENT.finditer(text))[: -MAX_STATEMENTS - 1 : -1]:
        if (said := _said(text, statement, answer_type)) is not None:
            return said
    return None


def _said(text: str, statement: re.Match[str], answer_type: str) -> str | None:
    """Return the answer that follows "the answer is", or None if these words state no answer.

    An answer that breaks off with the text is empty.
    """
    is_stated = any(statement[name] for name in ("verb", "sign", "a", "zh"))
    if not is_stated and "\n" not in statement["gap"]:
        return None
    rest = text[statement.end() : statement.end() + MAX_CHARS]
    if block := _BLOCK.match(rest):
        return block[1]
    end = SENTENCE_END.search(rest)
    said = (rest[: end.start()] if end else rest).strip()
    if not end and said.count("{") > said.count("}"):
        return ""
    is_sentence = len(WORD.findall(prose.FORMULA.sub("", said))) >= SENTENCE
    is_announced = statement["verb"] or statement["final"]
    if is_sentence and not is_announced and end and rest[end.end() :].strip():
        return None  # The heading "Answer:" precedes a whole solution.
    said = _ALSO.sub(r", \1", _EMPTY_BOX.sub("", said))
    said = (_REMARK if answer_type != "choice" else _OTHERS).sub("", said) or said
    if answer_type in NUMERIC:
        return prose.number_said(said)
    if not trim(said).strip("$"):
        return None
    is_sentence = len(WORD.findall(prose.FORMULA.sub("", said))) >= SENTENCE
    return prose.of_sentence(said) if is_sentence and answer_type != "choice" else said


def _last_resort(text: str, answer_type: str) -> str | None:
    text = text[-MAX_TAIL:]
    if answer_type == "choice":
        return prose.last_choice(text)
    found = prose.last_number(text) if answer_type in NUMERIC else prose.last_expression(text)
    return _tidy(found, answer_type) if found else None


def _tidy(stated: str, answer_type: str, is_list: bool = False) -> str | None:
    """Strip delimiters around an answer; if a number is wanted, keep only the numeral."""
    strip = undelimited if is_list else canonical  # In a list, 81,256 is two values.
    tidy: str = strip(pa.array([stated]))[0].as_py()
    tidy = re.sub(r"^\\\[\s*|\s*\\\]$", "", tidy).strip(" *$").rstrip(".")
    if len(tidy) > MAX_CHARS:
        return tidy
    if answer_type in NUMERIC:
        tidy = prose.bare_number(tidy)
    elif answer_type == "choice" and (first := _LETTER_FIRST.match(tidy)):
        tidy = first[1]  # A remark in brackets follows, as in "B (C is wrong)".
    elif answer_type == "choice" and not option(plain(tidy)):
        letters = set(prose.LETTER.findall(stated))
        tidy = letters.pop() if len(letters) == 1 else tidy
    return tidy or None
