"""Tabulate how the responses ended, and how each score was measured."""

from mathledger.card.ledger import Ledger
from mathledger.card.markdown import percent, table


def endings_table(ledger: Ledger) -> str:
    """Tabulate how the responses ended and how long they were."""
    rows = []
    for entry in ledger.benchmarks:
        for name in ledger.models:
            score = entry.models[name]
            counts = (
                score.num_truncated,
                score.num_no_answer,
                score.num_unsure or 0,
                score.num_too_long,
            )
            cells = [
                f"{count:,} ({percent(count / score.num_samples, score.num_samples)}%)"
                for count in counts
            ]
            if score.num_truncated_correct:
                cells[0] += f", {score.num_truncated_correct} right"
            limit = f"{score.response_lengths.limit:,}"
            samples = f"{score.num_samples:,}"
            thought = score.mean_num_thinking_tokens
            mean = str(score.mean_num_tokens)
            mean += "" if thought is None else f", {thought} of them thinking"
            rows.append([entry.benchmark, name, samples, *cells, mean, limit])
    head = ["benchmark", "model", "responses", "cut at the limit", "no answer found"]
    return table([*head, "not judged", "prompt too long", "mean tokens", "limit"], rows, 2)


def has_thinking(ledger: Ledger) -> bool:
    """Return True if a model thinks before it answers."""
    scores = (score for entry in ledger.benchmarks for score in entry.models.values())
    return any(score.mean_num_thinking_tokens is not None for score in scores)


def methods_table(ledger: Ledger) -> str:
    """Tabulate how each score was measured."""
    rows = []
    for entry in ledger.benchmarks:
        for name in ledger.models:
            score = entry.models[name]
            how = [score.backend, score.dtype, score.batch_size, score.task_version]
            rows.append([entry.benchmark, name, *how, ", ".join(score.graders)])
    head = ["benchmark", "model", "backend", "dtype", "batch size", "task version", "grader"]
    return table(head, rows, 4)


def judged_otherwise(ledger: Ledger) -> dict[str, list[str]]:
    """Count the responses that lm-eval's own task grades differently, by benchmark and model."""
    counts = {
        entry.benchmark: [
            f"{score.num_harness_disagreements} of {score.num_judged_by_harness:,} ({name}"
            + (
                f"; it calls {score.num_right_by_harness:,} right)"
                if score.num_right_by_harness is not None
                else ")"
            )
            for name, score in entry.models.items()
            if score.num_judged_by_harness
        ]
        for entry in ledger.benchmarks
    }
    return {benchmark: own for benchmark, own in counts.items() if own}
