"""Contamination rules on labelled pairs of problems: Mathledger and public peers, side by side.

    python -m bench.decontaminate_quality PAIRS.jsonl --peers PEERS/bin/python

PAIRS has the keys set, label, query (the training problem) and ref (the benchmark's); PEERS is the
virtual environment of bench/peers.txt. For each set: the share of its queries that a rule
takes for contaminated by their ref. Prints a Markdown table and writes
bench/results/decontaminate_quality.json.

datatrove runs its own code, with query n-grams on. The other peers' rules are ported from their
sources, for their code is tied to other data: open-r1 (any shared 8-gram of words), Tulu 3 (more
than half of the reference's tokens lie in shared 8-grams), and any shared 13-gram without
punctuation (GPT-3's, used by lm-evaluation-harness, NeMo Curator and others).
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.measure import circumstances, measure, progress, write_result
from mathledger.core.errors import InputError
from mathledger.core.files import read_json

Pair = dict[str, str]
Ngrams = set[tuple[str, ...]]
CONTAMINATED = ("same", "contained", "rephrase")  # Mathledger's classes that lead to removal
WORD = re.compile(r"\w+|[^\w\s]")
KEYS = ("set", "label", "query", "ref")


def ngrams(tokens: list[str], size: int) -> Ngrams:
    return {tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def open_r1(query: str, ref: str) -> bool:
    """Any shared 8-gram of lower-case words, split at white space."""
    return bool(ngrams(query.lower().split(), 8) & ngrams(ref.lower().split(), 8))


def tulu3(query: str, ref: str) -> bool:
    """More than half of the reference's tokens stand in 8-grams that the query shares.

    >>> tulu3("a b c d e f g h", "a b c d e f g h i j")
    True
    >>> tulu3("a b c d e f g h", "a b c d e f g h i j k l m n o p")
    False
    """
    tokens = WORD.findall(ref.lower())
    shared = ngrams(WORD.findall(query.lower()), 8)
    covered = {
        place
        for start in range(len(tokens) - 7)
        if tuple(tokens[start : start + 8]) in shared
        for place in range(start, start + 8)
    }
    return len(covered) > len(tokens) / 2


def any_13_gram(query: str, ref: str) -> bool:
    """Any shared 13-gram of lower-case words, punctuation removed."""
    one, two = (re.sub(r"[^\w\s]", "", text.lower()).split() for text in (query, ref))
    return bool(ngrams(one, 13) & ngrams(two, 13))


PORTED = {"open-r1": open_r1, "Tulu 3": tulu3, "13-gram": any_13_gram}


def mathledger(pairs: list[Pair]) -> list[str | None]:
    """The stage's class for each query against its own reference; None where it sees no overlap.

    Every reference is an item, and rarity is counted in them; thresholds are those of params.yaml.
    """
    import pyarrow as pa

    from mathledger.filters import decontaminate, overlap, overlap_index
    from mathledger.run import params

    settings = params.load("decontaminate", decontaminate.Params)
    queries, references = ([pair[key] for pair in pairs] for key in ("query", "ref"))
    number = {reference: at for at, reference in enumerate(dict.fromkeys(references))}
    items = pa.array([*number], pa.large_string())
    index = overlap_index.build(items, items, settings.thresholds)
    matches = overlap.match(pa.array(queries, pa.large_string()), index)
    rows, columns = matches.rows.tolist(), matches.items.tolist()
    classes = dict(zip(zip(rows, columns, strict=True), matches.classes.tolist(), strict=True))
    own = [classes.get((row, number[reference])) for row, reference in enumerate(references)]
    return [None if kind is None else overlap.CLASSES[kind] for kind in own]


def datatrove(pairs: Path, python: Path) -> list[bool]:
    """What datatrove's own code says, run in the peers' environment."""
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        measure([str(python), "bench/peers.py", "pairs", str(pairs), output.name])
        flagged: list[bool] = read_json(Path(output.name))
    return flagged


def read_pairs(path: Path) -> list[Pair]:
    """All pairs.

    Raises:
        InputError: the file is missing, or a line of it is no pair.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}: name one with labelled pairs") from None
    pairs = []
    for number, line in enumerate(lines, start=1):
        try:
            pair = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: not JSON: {error}") from None
        if missing := [key for key in KEYS if key not in pair]:
            raise InputError(f"{path}, line {number}: no {', '.join(missing)}")
        pairs.append(pair)
    return pairs


def score(pairs: list[Pair], flags: dict[str, list[bool]]) -> list[dict[str, Any]]:
    """For each set, in the file's order: label, size, and the share that each rule flags."""
    sets: dict[tuple[str, str], list[int]] = {}
    for index, pair in enumerate(pairs):
        sets.setdefault((pair["set"], pair["label"]), []).append(index)
    return [
        {
            "set": name,
            "label": label,
            "num_pairs": len(indices),
            "flagged": {
                rule: sum(flagged[index] for index in indices) / len(indices)
                for rule, flagged in flags.items()
            },
        }
        for (name, label), indices in sets.items()
    ]


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    rules = list(result["sets"][0]["flagged"])
    lines = [
        f"{result['num_pairs']:,} pairs; share of queries flagged",
        "",
        f"| set | label | pairs | {' | '.join(rules)} |",
        "|---|---|---:|" + "---:|" * len(rules),
    ]
    for row in result["sets"]:
        shares = " | ".join(f"{row['flagged'][rule]:.1%}" for rule in rules)
        lines.append(f"| {row['set']} | {row['label']} | {row['num_pairs']} | {shares} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--peers", type=Path, required=True, help="its Python interpreter")
    arguments = parser.parse_args()
    head = circumstances()
    try:
        pairs = read_pairs(arguments.pairs)
        flags = {}
        for name, rule in PORTED.items():
            progress(name)
            flags[name] = [rule(pair["query"], pair["ref"]) for pair in pairs]
        flags["datatrove"] = datatrove(arguments.pairs, arguments.peers)
        classes = mathledger(pairs)
        flags["Mathledger"] = [kind in CONTAMINATED for kind in classes]
        flags["Mathledger, as variant"] = [kind == "variant" for kind in classes]
        result = {
            **head,
            "num_pairs": len(pairs),
            "sets": score(pairs, flags),
        }
    except InputError as error:
        sys.exit(f"error: {error}")
    write_result("decontaminate_quality", result)
    print(table(result))


if __name__ == "__main__":
    main()
