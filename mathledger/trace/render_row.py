"""Format the trace of a training row as JSON or as a tree."""

from dataclasses import asdict
from typing import Any

from mathledger.core.tables import Row
from mathledger.trace.row import Copy, Decontaminated, Passage, RowTrace, Sampled
from mathledger.trace.tree import SHOWN, Branch, lines_of, text_lines


def content(trace: RowTrace) -> dict[str, Any]:
    """Return the trace as `--json` prints it."""
    return {
        "revision": trace.revision,
        "commit": trace.commit,
        "id": trace.id,
        "copies": [_copy(copy) for copy in trace.copies],
    }


def _copy(copy: Copy) -> dict[str, Any]:
    stages = [_passage(stage) for stage in copy.stages]
    if copy.sampled:
        is_kept = is_sampled(copy.sampled)
        stages.insert(0, {"stage": "mix", "is_kept": is_kept, **asdict(copy.sampled)})
    return {
        "corpus": copy.corpus,
        "source": copy.source,
        "problem": copy.problem,
        "solution": copy.solution,
        "answer": copy.answer,
        "stages": stages,
        "raw": vars(copy.raw),
    }


def _passage(stage: Passage) -> dict[str, Any]:
    return {
        "stage": stage.stage,
        "is_kept": stage.removal is None,
        **(vars(stage.removal) if stage.removal else {}),
        **({"hits": stage.hits} if isinstance(stage, Decontaminated) else {}),
    }


def is_sampled(sampled: Sampled) -> bool:
    return sampled.train > 0 or sampled.validation > 0


def tree(trace: RowTrace) -> Branch:
    """Return a tree with a branch for each copy of the row, from the mix back to the raw row."""
    num_copies = len(trace.copies)
    top = Branch(
        f"row {trace.id}", "" if num_copies == 1 else f"{num_copies} rows with the same text"
    )
    top.branches = [_branch(copy) for copy in trace.copies]
    return top


def _branch(copy: Copy) -> Branch:
    raw = copy.raw
    branch = Branch(copy.corpus, copy.source, text_lines(vars(copy), "problem", "solution"))
    branch.lines += text_lines(vars(copy), "answer")
    if copy.sampled:
        branch.branches.append(Branch("mix", in_mix(copy.sampled)))
    branch.branches += [Branch(stage.stage, *outcome(stage)) for stage in copy.stages]
    raw_lines = [line for key, value in raw.content.items() for line in lines_of(key, value)]
    branch.branches.append(
        Branch(
            f"download_corpus@{copy.corpus}",
            f"{raw.name} {raw.revision}, {raw.licence}",
            [f"{raw.file} sha256 {raw.sha256[:SHOWN]}, row {raw.row}:", *raw_lines],
        )
    )
    return branch


def in_mix(sampled: Sampled) -> str:
    if not is_sampled(sampled):
        return "not sampled"
    if not sampled.train:
        return "in the validation set"
    times = f", {sampled.train} times" if sampled.train > 1 else ""
    return f"in the training set{times}"


def outcome(stage: Passage) -> tuple[str, list[str]]:
    """Return whether the row was kept or removed, with lines of evidence."""
    if stage.removal:
        evidence = stage.removal.evidence if isinstance(stage.removal.evidence, dict) else {}
        lines = [
            line
            for key, value in evidence.items()
            if value not in (None, []) and not key.endswith("_spans")
            if key not in ("decided_by", "rule_class") or evidence["note"]
            for line in lines_of(key, value)
        ]
        return f"removed: {stage.removal.reason}", lines
    hits = stage.hits if isinstance(stage, Decontaminated) else []
    return "kept", [hit_line(hit) for hit in hits]


def hit_line(hit: Row) -> str:
    """Format a hit as `same chain_sum/chain_sum-900003, in the problem, containment 1.00: kept`."""
    return (
        f"{hit['class']} {hit['benchmark']}/{hit['item_id']}, in the {hit['place']}, containment "
        f"{hit['containment']:.2f}: {hit['action']}"
    )
