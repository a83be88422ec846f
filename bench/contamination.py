"""Compare which copies different contamination rules find, and which false positives they have.

    python -m bench.contamination [PAIRS.jsonl] [--peers PEERS/bin/python]

PAIRS has the keys set, label, query (the training problem) and ref (the benchmark item); the
default is the labelled pairs of the test suite. For each set the table shows the share of queries
that a rule calls contaminated by their ref. It should be high for same_formatting, same, reworded,
rephrase, superset and translation, and low for variant and different.

PEERS is the virtual environment of bench/peers.txt, in which datatrove runs its own code, with
query n-grams enabled because its default reads only answers. The other rules are ported from their
sources, which are tied to other data: open-r1 (any shared 8-gram of words), Tulu 3 (over
half of the reference's tokens are in shared 8-grams), and any shared 13-gram without punctuation
(GPT-3's rule, used by lm-evaluation-harness and NeMo Curator).
"""

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import peers
from bench.measure import measure, options, report, run_main
from mathledger.core.errors import InputError
from mathledger.core.files import read_json

PAIRS = Path("tests/filters/pairs.jsonl")
CONTAMINATED = ("same", "contained", "rephrase")  # Our classes that cause removal.
WORD = re.compile(r"\w+|[^\w\s]")
KEYS = ("set", "label", "query", "ref")
Pair = dict[str, str]


def ngrams(tokens: list[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def open_r1(query: str, ref: str) -> bool:
    return bool(ngrams(query.lower().split(), 8) & ngrams(ref.lower().split(), 8))


def tulu3(query: str, ref: str) -> bool:
    """Return True if over half of the reference's tokens are in 8-grams that the query shares.

    >>> tulu3("a b c d e f g h", "a b c d e f g h i j")
    True
    >>> tulu3("a b c d e f g h", "a b c d e f g h i j k l m n o p")
    False
    """
    tokens = WORD.findall(ref.lower())
    shared = ngrams(WORD.findall(query.lower()), 8)
    starts = [at for at in range(len(tokens) - 7) if tuple(tokens[at : at + 8]) in shared]
    return len({place for at in starts for place in range(at, at + 8)}) > len(tokens) / 2


def any_13_gram(query: str, ref: str) -> bool:
    one, two = (re.sub(r"[^\w\s]", "", text.lower()).split() for text in (query, ref))
    return bool(ngrams(one, 13) & ngrams(two, 13))


PORTED = {"open-r1": open_r1, "Tulu 3": tulu3, "13-gram": any_13_gram}


def mathledger(pairs: list[Pair]) -> list[str | None]:
    """Return the class of each query against its own reference, or None if they do not overlap.

    Every reference is an item and counts for the rarity; params.yaml has the thresholds.
    """
    import pyarrow as pa

    from mathledger.filters import decontaminate, overlap, overlap_index
    from mathledger.run import params

    settings = params.load("decontaminate", decontaminate.Params)
    number = {ref: at for at, ref in enumerate(dict.fromkeys(pair["ref"] for pair in pairs))}
    items = pa.array([*number], pa.large_string())
    index = overlap_index.build(items, items, settings.thresholds)
    matches = overlap.match(pa.array([pair["query"] for pair in pairs], pa.large_string()), index)
    places = zip(matches.rows.tolist(), matches.items.tolist(), strict=True)
    classes = dict(zip(places, matches.classes.tolist(), strict=True))
    own = [classes.get((row, number[pair["ref"]])) for row, pair in enumerate(pairs)]
    return [None if kind is None else overlap.CLASSES[kind] for kind in own]


def read_pairs(path: Path) -> list[Pair]:
    """Read all pairs.

    Raises:
        InputError: The file is missing, or one of its lines is not a pair.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}: name one with labelled pairs")
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            pair = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: not JSON: {error}") from None
        if missing := [key for key in KEYS if key not in pair]:
            raise InputError(f"{path}, line {number}: no {', '.join(missing)}")
        pairs.append(pair)
    return pairs


def shares(pairs: list[Pair], flags: dict[str, list[bool]]) -> list[list[str]]:
    """Return a row for each set and label: the share of its pairs that each rule flags."""
    sets: dict[tuple[str, str], list[int]] = {}
    for index, pair in enumerate(pairs):
        sets.setdefault((pair["set"], pair["label"]), []).append(index)
    rows = []
    for (name, label), own in sets.items():
        found = [sum(flagged[index] for index in own) / len(own) for flagged in flags.values()]
        rows.append([name, label, str(len(own)), *(f"{share:.1%}" for share in found)])
    return rows


def digits(flags: dict[str, list[bool]]) -> dict[str, str]:
    """Return each rule's flags as a text of 0 and 1, one for each pair."""
    return {rule: "".join(map(str, map(int, own))) for rule, own in flags.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("pairs", {"type": Path, "nargs": "?", "default": PAIRS}),
        ("--peers", {"type": Path, "default": Path(sys.executable)}),
        is_timed=False,
    )
    pairs = read_pairs(chosen.pairs)
    flags = {
        name: [rule(pair["query"], pair["ref"]) for pair in pairs] for name, rule in PORTED.items()
    }
    note, installed = peers.available(chosen.peers, ["datatrove"])
    if installed:
        with tempfile.NamedTemporaryFile(suffix=".json") as output:
            measure(peers.command(chosen.peers, "pairs", str(chosen.pairs), output.name))
            flags["datatrove"] = read_json(Path(output.name))
    classes = mathledger(pairs)
    flags["Mathledger"] = [kind in CONTAMINATED for kind in classes]
    flags["Mathledger, as variant"] = [kind == "variant" for kind in classes]
    report(
        "contamination" if chosen.pairs == PAIRS else f"contamination-{chosen.pairs.stem}",
        chosen,
        f"{len(pairs):,} pairs of {chosen.pairs.name}{note}",
        ["set", "label", "pairs", *flags],
        shares(pairs, flags),
        {"flags": digits(flags)} | {"versions": installed},
    )


if __name__ == "__main__":
    run_main(main)
