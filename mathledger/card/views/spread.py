"""Format the noise beyond items: over trainings with other seeds, and over reruns."""

from mathledger.card.ledger import Ledger
from mathledger.card.ledger_replicates import TrainingSpread
from mathledger.card.markdown import percent, table
from mathledger.card.replicates import seeds
from mathledger.core.escaping import Markdown, markdown

HOW = "[docs/replicate.md](../docs/replicate.md)"


def rows(ledger: Ledger) -> list[TrainingSpread]:
    return ledger.replicates.spreads if ledger.replicates else []


def sentence(ledger: Ledger) -> Markdown:
    """Say what the spread rests on, or that a single training cannot tell it."""
    model, found = ledger.own_models[-1], ledger.replicates
    if not rows(ledger):
        other = ""
        if found and found.num_with_other_inputs:
            num = found.num_with_other_inputs
            other = f"{num} training{'s' * (num > 1)} with these params had other rows or code. "
        return Markdown(
            "The intervals above are over items, for this one training. The spread over trainings "
            f"is unknown, because no training with other seeds is recorded. {other}A difference "
            "between two trainings may be that of their seeds; `mathledger replicate` measures it "
            f"({HOW})."
        )
    varied = " and ".join(f"`{key}`" for key in seeds(ledger.params))
    return Markdown(
        f"The {markdown(model)} model was trained again with other seeds ({varied}), and with the "
        "same params, rows and code otherwise. The first training is the one of this card. The 95% "
        "interval of the mean is over items and trainings, and needs three trainings. "
        f"*sd* is the standard deviation over trainings, in points ({HOW})."
    )


def table_of(ledger: Ledger) -> str:
    """Tabulate mean, interval and standard deviation, and the score of each training."""
    num_items = {entry.benchmark: entry.num_items for entry in ledger.benchmarks}
    lines = []
    for each in rows(ledger):
        num = num_items[each.benchmark]
        mean, sd = percent(each.mean, num), percent(each.sd or 0, 200)
        if each.low is not None and each.high is not None:
            mean += f" [{percent(each.low, num)}, {percent(each.high, num)}]"
        scores = ", ".join(percent(score, num) for score in each.scores)
        lines.append([each.benchmark, str(len(each.scores)), mean, sd, scores])
    return table(["benchmark", "trainings", "mean, %", "sd", "each, %"], lines)


def reruns(ledger: Ledger) -> Markdown:
    """Say what changed when stored responses were generated again."""
    if not ledger.reruns:
        return Markdown(
            "Noise of a rerun (another process, batch or machine) was not measured for these "
            "responses; `--spot-check N --record` measures it "
            "([docs/evaluation.md](../docs/evaluation.md))."
        )
    shown = []
    for each in ledger.reruns:
        devices = ", ".join(each.gpus) or each.cpu
        share = each.num_same_characters / max(1, each.num_characters)
        shown.append(
            f"{markdown(each.model)} on {markdown(each.benchmark)}: {each.num_same} of "
            f"{each.num_responses} equal, {100 * share:.1f}% of the characters precede a "
            f"difference, {each.num_flipped} verdicts flipped (batch {each.batch_size}, "
            f"{markdown(each.backend)}, {markdown(each.dtype or 'unknown precision')}, "
            f"{markdown(devices)})"
        )
    return Markdown(f"Responses generated again, in another process: {'; '.join(shown)}.")
