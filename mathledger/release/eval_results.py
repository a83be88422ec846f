"""Write `.eval_results/*.yaml`, from which the hub fills a benchmark's leaderboard.

The format is huggingface_hub's `EvalResultEntry`. The client calls the model-index in the card's
front matter legacy; the card keeps it, and both give the same numbers.
"""

from collections.abc import Sequence
from pathlib import Path

from mathledger.card.card import place
from mathledger.card.ledger import Ledger
from mathledger.release.measured import Measured

FOLDER = ".eval_results"


def write(folder: Path, ledger: Ledger, scores: Sequence[Measured]) -> None:
    """Write the final model's results, one file for each benchmark.

    Args:
        folder: the published folder of the model.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    for one in scores:
        if not one.is_final:
            continue
        score = one.score
        entry = EvalResultEntry(
            dataset_id=one.hub_dataset or one.entry.source.name,
            task_id=one.benchmark,
            value=score.accuracy,
            dataset_revision=one.entry.source.revision,
            date=one.run.started,
            source_url=place(ledger, "model_card/ledger.json"),
            source_name=f"ledger {score.samples_sha256[:8]}",
            notes=(
                f"{one.metric}, n={score.num_items}, {score.num_correct} of {score.num_samples} "
                f"responses correct, 95% interval {score.low:.4f} to {score.high:.4f}"
            ),
        )
        text = yaml.safe_dump(
            eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True, width=1000
        )
        path = folder / FOLDER / f"{one.benchmark}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
