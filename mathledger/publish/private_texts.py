"""Search files for the problems, solutions and answers of private benchmarks.

A text is found in three ways:

- by its letters and digits: case, spaces, punctuation, markup and line breaks do not matter, and
  escapes (JSON, HTML, URL, mail, octal, base64, base32, hexadecimal) are undone, even nested ones;
- by its canonical tokens: most of its runs of eight tokens, or one long passage, even if it is
  typeset differently;
- an answer as a whole word or as canonical tokens, if it has at least eight letters or digits,
  among them five digits, four of them different, or is long.

Short texts are left out, because any file may hold them by chance; so are answers and short texts
that a public benchmark has too. A paraphrase is not found.
"""

import base64
import contextlib
import html
import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.text import canonical

U64 = npt.NDArray[np.uint64]

MIN_LETTERS = {"problem": 16, "solution": 32, "answer": 8}  # letters and digits; fewer are chance
SHORT = 48  # letters and digits; shorter texts are dropped if a public benchmark has them
KEY = 16  # letters and digits by which a text is looked up
NGRAM = 8  # canonical tokens
MIN_NGRAMS = 5
MIN_SHARE = 0.8  # of a text's runs of tokens; variants with other numbers have fewer
PASSAGE = 33  # runs of tokens, which is 40 tokens, that are a passage of a longer text
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2**64
INVERSE = np.uint64(pow(int(FACTOR), -1, 2**64))
MAX_VIEWS = 24
ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(.))",
    re.DOTALL,
)
OCTAL = re.compile(r"(?:\\[0-3][0-7]{2})+")  # bytes, as git writes a path
SCRIPT = re.compile(r"%u([0-9a-fA-F]{4})")  # JavaScript's escape()
MAIL = re.compile(r"(?:=[0-9A-F]{2})+|=\r?\n")  # quoted-printable bytes, and its soft line breaks
WORD = re.compile(r"(?<![^\W_])(?<!\d\.)[^\W_]++(?!\.\d)")  # not the decimals of a number
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
NEITHER = re.compile(r"[^\w\0]+|_")
TAG = re.compile(r"<[^<>]{1,300}>")
BASE64 = re.compile(r"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/_-]|\r?\n[ \t]*(?=\S)){22,}={0,2}")
BASE32 = re.compile(r"(?:[A-Z2-7]|\r?\n[ \t]*(?=\S)){26,}={0,6}")
HEX = re.compile(r"(?:[0-9a-fA-F]{2}){16,}")
MAX_PACKED = 1 << 24  # bytes that one text may hold packed, as base64 of gzip


@dataclass(frozen=True)
class Secret:
    """A private text, with the forms in which it is searched for."""

    part: str  # problem, solution or answer
    item: str  # for the error message
    text: str
    letters: str


@dataclass
class Search:
    """The private texts, indexed by what is looked up in a file's text."""

    by_key: dict[int, list[Secret]] = field(default_factory=lambda: defaultdict(list))
    by_word: dict[str, Secret] = field(default_factory=dict)
    # By number of tokens: the hash of a run of tokens -> the texts with it.
    by_run: dict[int, dict[int, set[int]]] = field(default_factory=lambda: defaultdict(dict))
    num_runs: dict[int, int] = field(default_factory=dict)  # by place in `secrets`
    secrets: list[Secret] = field(default_factory=list)

    def find(self, text: str) -> Secret | None:
        """Return a private text that a text holds, or None."""
        every = views(text)
        for view in every:
            if found := self._by_letters(letters(view)) or self._by_word(view):
                return found
        return self._by_tokens(every)

    def _by_letters(self, text: str) -> Secret | None:
        hashes = runs(_code_points(text), KEY)
        for key in _common(hashes, self.by_key):
            for secret in self.by_key[key]:
                if secret.letters in text:
                    return secret
        return None

    def _by_word(self, text: str) -> Secret | None:
        if not self.by_word:
            return None
        words = set(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
        return next((self.by_word[word] for word in sorted(words & self.by_word.keys())), None)

    def _by_tokens(self, texts: list[str]) -> Secret | None:
        for text, hashes in zip(texts, tokens(texts), strict=True):
            for size, known in self.by_run.items():
                num_found: dict[int, int] = defaultdict(int)
                for key in _common(runs(hashes, size), known):
                    for place in known[key]:
                        num_found[place] += 1
                for place, num in sorted(num_found.items()):
                    total = self.num_runs[place]
                    secret = self.secrets[place]
                    if secret.part != "answer":
                        is_found = num >= min(MIN_SHARE * total, PASSAGE)
                    else:
                        is_found = num == total and (size > 1 or stands_alone(secret.text, text))
                    if is_found:
                        return secret
        return None


def search(private: Mapping[str, list[dict[str, Any]]], public: Iterable[str]) -> Search:
    """Return the search for the items of private benchmarks.

    Args:
        private: the items, by the benchmark's name.
        public: the texts of public benchmarks, which may be published.
    """
    index = Search()
    open_texts = list(public)
    open_letters = "\n".join(letters(text) for text in open_texts)
    open_words = set(WORD.findall("\n".join(open_texts).casefold()))
    for name, items in private.items():
        for item in items:
            for part in MIN_LETTERS:
                text = item.get(part) or ""
                secret = Secret(part, f"item {item['id']} of {name}", text, letters(text))
                plain = secret.letters.replace("\0", "")
                is_open = len(plain) < SHORT and secret.letters in open_letters
                if is_open or plain in open_words or not is_telling(part, plain):
                    continue
                index.secrets.append(secret)
                if len(secret.letters) >= KEY:
                    (key,) = runs(_code_points(secret.letters[:KEY]), KEY).tolist()
                    index.by_key[key].append(secret)
                if part == "answer" and re.fullmatch(r"[^\W_]+", text.strip()):
                    index.by_word[plain] = secret
    _index_tokens(index, open_texts)
    return index


def stands_alone(number: str, text: str) -> bool:
    """Return True if a text has a number that is not part of a word or of another number.

    >>> [stands_alone("98765", text) for text in ("it is 98{,}765.", "a98765f", "0.98765")]
    [True, False, False]
    """
    digits = r"[\W_]{0,4}".join(re.escape(digit) for digit in re.sub(r"[\W_]", "", number))
    whole = rf"(?<![^\W_])(?<!\d\.){digits}(?![^\W_])(?!\.\d)"
    return bool(re.search(whole, unicodedata.normalize("NFKC", text), re.IGNORECASE))


def is_telling(part: str, plain: str) -> bool:
    """Return True if the letters and digits of a text are not in other texts by chance.

    >>> [is_telling("answer", text) for text in ("918273640", "undefined", "10000000")]
    [True, False, False]
    >>> [is_telling("problem", text) for text in ("find2321mod641", "findthesumofx")]
    [True, False]
    """
    digits = re.findall(r"\d", plain)
    if part == "problem":
        return len(plain) >= MIN_LETTERS[part] or (len(plain) >= 12 and len(digits) >= 5)
    if part == "answer" and len(plain) < SHORT // 2:
        return len(plain) >= MIN_LETTERS[part] and len(digits) >= 5 and len(set(digits)) >= 4
    return len(plain) >= MIN_LETTERS[part]


def _index_tokens(index: Search, public: list[str]) -> None:
    """Index the runs of tokens that no public benchmark has."""
    found: dict[int, set[int]] = defaultdict(set)
    for place, hashes in enumerate(tokens([secret.text for secret in index.secrets])):
        is_answer = index.secrets[place].part == "answer"
        size = min(len(hashes), NGRAM)
        if size and (is_answer or len(hashes) >= NGRAM + MIN_NGRAMS - 1):
            found[size].add(place)
            for key in runs(hashes, size).tolist():
                index.by_run[size].setdefault(key, set()).add(place)
    for size, known in index.by_run.items():
        for hashes in tokens(public):
            for key in _common(runs(hashes, size), known):
                known.pop(key)
        for places in known.values():
            for place in places:
                index.num_runs[place] = index.num_runs.get(place, 0) + 1
        for key, places in list(known.items()):
            known[key] = {
                place
                for place in places
                if index.secrets[place].part == "answer" or index.num_runs[place] >= MIN_NGRAMS
            }


def letters(text: str) -> str:
    """Return the letters and digits of a text, in lower case, with marks around each number.

    The marks distinguish 6 + 2 from 62.

    >>> letters("Let **x**² =\\n> ½ + y_14!").replace("\\0", ".")
    'letx.2..1..2.y.14.'
    """
    plain = INVISIBLE.sub("", unicodedata.normalize("NFKC", text).casefold())
    return NEITHER.sub("", re.sub(r"\d+", "\\0\\g<0>\\0", plain.replace("\0", " ")))


def tokens(texts: list[str]) -> Iterator[U64]:
    """Yield the hashes of each text's canonical tokens."""
    if not texts:
        return
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    found = canonical.tokenize(pa.array(clean, pa.large_string()))
    for start, end in zip(found.offsets, found.offsets[1:], strict=False):
        yield found.hashes[start:end].astype(np.uint64)


def runs(values: U64, size: int) -> U64:
    """Return a hash of every run of `size` values, in order; equal runs have equal hashes.

    >>> hashes = runs(np.array([7, 8, 9, 7, 8], np.uint64), 2)
    >>> len(hashes), bool(hashes[0] == hashes[3]), bool(hashes[0] == hashes[1])
    (4, True, False)
    """
    if len(values) < size:
        return np.empty(0, np.uint64)
    with np.errstate(over="ignore"):
        # The sum of value * FACTOR ** place over a run, divided by FACTOR ** (its first place).
        factors = np.full(len(values), FACTOR)
        factors[0] = 1
        sums = np.zeros(len(values) + 1, np.uint64)
        np.cumsum(values * np.cumprod(factors, dtype=np.uint64), out=sums[1:])
        inverses = np.full(len(values) - size + 1, INVERSE)
        inverses[0] = 1
        hashes: U64 = (sums[size:] - sums[:-size]) * np.cumprod(inverses, dtype=np.uint64)
    return hashes


def _common(hashes: U64, known: Mapping[int, Any]) -> list[int]:
    """Return the hashes that are keys of a dict, each once."""
    if not len(hashes) or not known:
        return []
    keys = np.sort(np.fromiter(known, np.uint64, len(known)))
    places = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
    found: list[int] = np.unique(hashes[keys[places] == hashes]).tolist()
    return found


def _code_points(text: str) -> U64:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


def views(text: str) -> list[str]:
    """Return a text, and what it says when its escapes are undone in every order.

    >>> views(r"a\\u0026lt;b")
    ['a\\\\u0026lt;b', 'a&lt;b', 'a<b']
    """
    found = [text]
    for view in found:  # grows as it is walked
        for undo in UNDO:
            each = undo(view)
            if each not in found and len(found) < MAX_VIEWS:
                found.append(each)
    return found


def _unescaped(text: str) -> str:
    r"""Undo the escapes of JSON and of programming languages: \n, \", \u00e9, \xe9."""
    return _paired(ESCAPE.sub(_character, text)) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    number = match[1] or match[2] or match[3] or match[4]
    if number:
        value = int(number, 16)
        return chr(value) if value < 0x110000 else match[0]
    return " " if match[5] in "nrtbfv" else match[5]


def _paired(text: str) -> str:
    r"""Join surrogates, with which JSON writes letters beyond \uffff."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unquoted(text: str) -> str:
    if "%u" in text:
        text = _paired(SCRIPT.sub(lambda found: chr(int(found[1], 16)), text))
    return unquote(text) if re.search(r"%[0-9a-fA-F]{2}", text) else text


def _of_octal(text: str) -> str:
    r"""Undo the escapes of bytes as octal digits.

    >>> _of_octal(r"na\303\257ve")
    'naïve'
    """
    return OCTAL.sub(
        lambda found: bytes(int(each, 8) for each in found[0].split("\\")[1:]).decode(
            "utf-8", "replace"
        ),
        text,
    )


def _of_mail(text: str) -> str:
    r"""Undo quoted-printable.

    >>> _of_mail("na=C3=AFve=\n bound")
    'naïve bound'
    """
    return MAIL.sub(
        lambda found: bytes.fromhex(found[0].replace("=", "").strip()).decode("utf-8", "replace"),
        text,
    )


def _untagged(text: str) -> str:
    return TAG.sub("", text) if "<" in text else text


def _decoded(text: str) -> str:
    """Return what base64, base32 and hexadecimal digits in a text say, also if it is compressed.

    Return the text itself if they say nothing.
    """
    packed = [bytes.fromhex(match[0]) for match in HEX.finditer(text)]
    for match in BASE64.finditer(text):
        digits = re.sub(r"[\s=]", "", match[0]).replace("-", "+").replace("_", "/")
        for start in range(4):  # a word before the digits moves them
            rest = digits[start:]
            rest = rest[: len(rest) // 4 * 4] if len(rest) % 4 == 1 else rest
            packed.append(base64.b64decode(rest + "=" * (-len(rest) % 4)))
    for match in BASE32.finditer(text):
        digits = re.sub(r"[\s=]", "", match[0])
        for start in range(8):
            rest = digits[start:]
            rest = rest[: len(rest) - (len(rest) % 8 in (1, 3, 6))]
            packed.append(base64.b32decode(rest + "=" * (-len(rest) % 8)))
    said = [each for data in map(_unpacked, packed) if (each := _said(data))]
    return "\n".join(said) if said else text


def _unpacked(data: bytes) -> bytes:
    """Return compressed bytes as they were, as far as they can be unpacked, and others unchanged.

    What follows them does not matter: they may stand between other digits.
    """
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and int.from_bytes(data[:2]) % 31 == 0):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(47).decompress(data, MAX_PACKED)
    return data


UNDO = (html.unescape, _unescaped, _unquoted, _untagged, _of_octal, _of_mail, _decoded)


def _said(data: bytes) -> str | None:
    """Return bytes as text if they are text except for a few at the ends."""
    text = data.decode("utf-8", "ignore")
    is_utf8 = len(text.encode()) > 0.8 * len(data)
    seen = INVISIBLE.sub("", text)
    shown = sum(letter.isprintable() or letter.isspace() for letter in seen)
    return text if is_utf8 and shown > 0.8 * len(seen) else None
