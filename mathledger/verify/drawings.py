"""Check the link `drawings`: everything in model_card/ and plots/ is what the ledger gives."""

from pathlib import Path

from mathledger.card.ledger import Ledger
from mathledger.chain.chain import LEDGER
from mathledger.verify import comparing
from mathledger.verify.comparing import files_below
from mathledger.verify.project import Check, Project
from mathledger.verify.sources import scratch

CARD, TABLES = Path("model_card"), Path("plots/model_card")
OTHERS = {Path("plots/train/loss.csv"), Path("plots/reinforce/reward.csv")}  # of other stages


def drawings(project: Project) -> Check:
    """Check that plots, tables, report and metadata are, byte for byte, what is drawn again."""
    from mathledger.card import files

    ledger: Ledger = project.ledger_again
    with scratch() as name:
        card, tables = Path(name) / "card", Path(name) / "tables"
        files.write(ledger, project.outputs, project.settings, card, tables)
        made = {CARD / path.name: path for path in card.iterdir()}
        made |= {TABLES / path.name: path for path in tables.iterdir()}
        for stored, path in sorted(made.items()):
            if stored.name != "README.md":  # which the link `card` compares
                yield from comparing.files(stored, path)
        # Nothing else may be there, because a reader would take it for the pipeline's.
        for folder in (CARD, Path("plots")):
            for stored in files_below(folder):
                if stored not in {*made, *OTHERS, Path(LEDGER)}:
                    yield f"{stored} is not made by any stage: remove it"
                elif stored.is_symlink():
                    yield f"{stored} is a link: run `dvc repro model_card`"
    return f"{len(made)} files of the card and its plots are drawn the same again"
