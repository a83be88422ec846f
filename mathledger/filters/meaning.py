"""Propose pairs by their meaning, and add those that a language model calls the same problem."""

from pathlib import Path
from typing import Any

from mathledger.filters import embeddings, judge, overlap
from mathledger.filters.decision import Match, Ruling
from mathledger.filters.items import Item


def propose(
    problems: Path,
    out: Path,
    items: list[Item],
    model: embeddings.Params | None,
    judging: judge.Params | None,
    by_id: dict[str, list[Match]],
    forbidden: set[str],
) -> tuple[set[tuple[str, int]] | None, dict[str, Any]]:
    """Write candidates and judgements into out, and add the pairs judged the same to by_id.

    Args:
        problems: A file with the columns `id` and `problem`.
        by_id: The matches of each problem that has any, by id.
        forbidden: Ids that are never proposed.

    Returns:
        The proposed pairs that the rule has classified, by id and item's number, or None without
        an embedding model; and metrics.
    """
    if model is None:
        return None, {}
    candidates = out / "candidates.parquet"
    num_candidates, classified = embeddings.write_candidates(
        candidates, problems, items, model, by_id, forbidden
    )
    metrics: dict[str, Any] = {"num_candidates": num_candidates}
    if judging is None:
        return classified, metrics
    judged, counts = judge.write_judgements(
        out / "judgements.parquet", candidates, judging, judge.store()
    )
    number = {(item.benchmark, item.id): at for at, item in enumerate(items)}
    note = f"{judging.model}, prompt {judging.prompt}: the same problem in both orders"
    ruling = Ruling("judge", overlap.NO_CLASS, note)
    for each in judged:
        if each.verdict == "same":
            item = number[each.benchmark, each.item_id]
            match = Match(item, overlap.REPHRASE, "problem", 0.0, 0.0, 0.0, ruling)
            by_id.setdefault(each.id, []).append(match)
    metrics["judged"] = {"model": judging.model, "prompt": judging.prompt, **counts}
    return classified, metrics
