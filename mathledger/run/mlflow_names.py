"""Make names and values from user data fit for MLflow.

Corpora bring any text into the names of metrics (a source called "Counting & Probability") and of
params (a file called "train (1).jsonl"). MLflow takes word characters, `/`, `.`, `-` and spaces, in
names that are also paths, up to 250 of them.
"""

import hashlib
import re

MAX_NAME = 250  # metrics, params, tags, names of runs
MAX_PARAM = 6000
MAX_TAG = 5000  # older servers; newer ones take 8,000
# `:` is taken by servers on Linux, but not on Windows; some databases refuse astral characters.
REFUSED = re.compile(r"[^\w.\- /]|[\U00010000-\U0010ffff]")
REFUSED_IN_MODELS = re.compile(r"[/:.%\"'\x00-\x1f\x7f\ud800-\udfff]|[\U00010000-\U0010ffff]")
# An empty part of a path, `.` or `..`, and two dots that begin a name.
NO_FOLDER = re.compile(r"\A\.\.|(?<![^/])\.{0,2}(?![^/])")
MARKED = re.compile(r"-[0-9a-f]{16}$")
NOT_STORED = re.compile(r"[\x00\ud800-\udfff]")


def fit_name(name: str) -> str:
    """Return a metric's, param's or tag's name that MLflow takes; two names never become one.

    A name that MLflow takes stays as it is. Another one gets a digest of itself as its end.

    >>> fit_name("in_by_source.Algebra"), fit_name("corpus.a.files.train (1).jsonl")
    ('in_by_source.Algebra', 'corpus.a.files.train _1_.jsonl-c59636496ad0b357')
    """
    return _marked(name, NO_FOLDER.sub("_", REFUSED.sub("_", name)), MAX_NAME)


def fit_model_name(name: str) -> str:
    """Return the name of a LoggedModel, as `fit_name` does for other names.

    >>> fit_model_name("tuned-lr 3e-5")
    'tuned-lr 3e-5'
    """
    return _marked(name, REFUSED_IN_MODELS.sub("-", name).strip() or "-", MAX_NAME)


def fit_value(value: str, limit: int) -> str:
    """Return a value that MLflow stores; one that is too long ends in a digest of its whole."""
    kept = storable(value)
    if len(kept) <= limit:
        return kept
    return f"{kept[: limit - 60]}... ({len(kept)} characters, blake2 {_digest(value)})"


def storable(text: str) -> str:
    """Return a text with NUL and lone surrogates, which no store takes, spelled out."""
    return NOT_STORED.sub(lambda each: ascii(each[0])[1:-1], text)


def _marked(name: str, fitting: str, limit: int) -> str:
    # A name that looks marked is marked as well, so that it cannot be another one's.
    if fitting == name and len(name) <= limit and not MARKED.search(name):
        return name
    return f"{fitting[: limit - 17].rstrip(' /')}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
