"""Choose the pairs that a person has not judged, and mark the tokens that differ."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mathledger.card import pairs
from mathledger.card.outputs import Outputs
from mathledger.core.tables import Row
from mathledger.filters import reviewed, spelling
from mathledger.filters.spelling import Token
from mathledger.review.load import AGAIN, Found

MAX_TOKENS = 1500  # Of a longer text only this many tokens are compared and shown.
MIN_UNREAD = 12  # Characters between two tokens that are shown as text that the filter drops.
SHARED, DIFFERS, UNREAD = "shared", "differs", "unread"

Piece = tuple[str, str]  # A text, and one of SHARED, DIFFERS and UNREAD.


@dataclass(frozen=True)
class Side:
    """One text of a pair, cut into pieces."""

    label: str
    id: str
    pieces: list[Piece]


@dataclass(frozen=True)
class Shown:
    """A pair as the page shows it, with what a verdict about it must say."""

    kind: str
    why: str
    action: str
    sides: tuple[Side, Side]
    facts: dict[str, str]
    file: str  # The overlay that the verdict belongs to.
    pair: str
    place: str
    row: str
    against: str


def differences(own: str, other: str) -> tuple[list[Piece], list[Piece]]:
    r"""Cut two texts into pieces that are shared, differ, or are not read by the filter.

    Formatting makes no difference, because canonical tokens are compared.

    >>> differences(r"Find $\dfrac12$ of 8.", r"Find \frac{1}{2} of 9")[1]
    [('Find \\frac{1}{2} of ', 'shared'), ('9', 'differs')]
    """
    both = [spelling.spelled(text)[:MAX_TOKENS] for text in (own, other)]
    left, right = ([token.spelling for token in tokens] for tokens in both)
    blocks = difflib.SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    shared = [
        {first + step for first, size in starts for step in range(size)}
        for starts in (
            [(block.a, block.size) for block in blocks],
            [(block.b, block.size) for block in blocks],
        )
    ]
    return pieces(own, both[0], shared[0]), pieces(other, both[1], shared[1])


def pieces(text: str, tokens: Sequence[Token], shared: set[int]) -> list[Piece]:
    """Cut a text at the borders of its shared and other tokens."""
    found: list[Piece] = []

    def add(start: int, end: int, kind: str) -> None:
        if start < end and found and found[-1][1] == kind:
            found[-1] = found[-1][0] + text[start:end], kind
        elif start < end:
            found.append((text[start:end], kind))

    at = 0
    for number, token in enumerate(tokens):
        kind = SHARED if number in shared else DIFFERS
        if token.start > at:
            gap = text[at : token.start]
            between = found[-1][1] if found and found[-1][1] == kind else SHARED
            add(at, token.start, UNREAD if is_unread(gap) else between)
        add(max(at, token.start), token.end, kind)
        at = max(at, token.end)
    rest = text[at:]
    if len(tokens) == MAX_TOKENS:
        rest, text = " …", text[:at] + " …"
    add(at, at + len(rest), UNREAD if is_unread(rest) else SHARED)
    return found


def is_unread(gap: str) -> bool:
    """Return True if the text between two tokens is more than formatting."""
    return len(gap) >= MIN_UNREAD and any(letter.isalpha() for letter in gap)


def choose(
    found: Iterable[Found], outputs: Outputs, judged: set[tuple[str, str]], size: int
) -> list[Shown]:
    """Return the pairs to show: of each class and reason up to `size` that nobody judged.

    Args:
        judged: The places and names of the pairs that have a verdict.
    """
    found = list(found)
    wanted = {each.hit["id"] for each in found if "place" in each.hit}
    texts = pairs.texts([outputs.removed, outputs.kept], wanted)
    shown: list[Shown] = []
    taken, seen = Counter[tuple[str, str]](), set(judged)
    for each in found:
        group = each.why, each.kind
        if taken[group] == size and each.why != AGAIN:
            continue
        if each.stage == "deduplicate":
            own = _near_copy(each)
        elif "place" in each.hit:
            own = _overlap(each, texts[each.hit["id"]])
        else:
            own = _candidate(each)
        if (own.place, own.pair) not in seen:
            seen.add((own.place, own.pair))
            taken[group] += 1
            shown.append(own)
    return shown


def _overlap(found: Found, row: Row) -> Shown:
    hit = found.hit
    split = f", {hit['benchmark_split']}" if hit["benchmark_split"] else ""
    facts = {
        "n-grams of the item in the row": f"{100 * hit['containment']:.0f}%",
        "stems of the item in the row": f"{100 * hit['item_in_text']:.0f}%",
        "stems of the row in the item": f"{100 * hit['text_in_item']:.0f}%",
    }
    if hit["note"]:
        facts["judged by"] = hit["note"]
    for what in ("numbers", "operators"):
        for side in ("missing", "extra"):
            if values := hit[f"{side}_{what}"]:
                facts[f"{side} {what}"] = pairs.listed(values)
    labels = (
        f"{hit['corpus']} / {hit['source']}, {hit['place']}",
        f"{hit['benchmark']}{split}, revision {hit['benchmark_revision']}",
    )
    texts = row[hit["place"]], hit["item_solution"] or hit["item_problem"]
    against = f"{hit['benchmark']}/{hit['item_id']}"
    return _shown(found, labels, texts, against, hit["action"], facts, hit["place"])


def _candidate(found: Found) -> Shown:
    hit = found.hit
    labels = "training problem", hit["benchmark"]
    facts = {"cosine similarity": f"{hit['cosine']:.2f}"}
    against = f"{hit['benchmark']}/{hit['item_id']}"
    texts = hit["problem"], hit["item_problem"]
    return _shown(found, labels, texts, against, "kept", facts, "problem")


def _near_copy(found: Found) -> Shown:
    row, kept = found.hit, found.hit["evidence"]
    labels = (
        f"{row['corpus']} / {row['source']}, problem",
        f"kept: {kept['kept_corpus']} / {kept['kept_source']}, problem",
    )
    facts = {"Jaccard similarity": f"{kept['jaccard']:.2f}"}
    texts = row["problem"], kept["kept_problem"]
    return _shown(found, labels, texts, kept["kept_id"], "removed", facts, "problem")


def _shown(
    found: Found,
    labels: tuple[str, str],
    texts: tuple[str, str],
    against: str,
    action: str,
    facts: dict[str, str],
    place: str,
) -> Shown:
    own, other = differences(*texts)
    row = found.hit["id"]
    return Shown(
        found.kind,
        found.why,
        action,
        (Side(labels[0], row, own), Side(labels[1], against, other)),
        facts,
        str(reviewed.FILES[found.stage]),
        reviewed.pair(*texts),
        place,
        row,
        against,
    )
