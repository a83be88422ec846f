"""Write the files of the stage `model_card`: the card, its plots, tables, report and metadata."""

from pathlib import Path

from mathledger.card import card, croissant, plot_tables, plots, report
from mathledger.card.collect import Settings
from mathledger.card.ledger import Ledger
from mathledger.card.outputs import Outputs
from mathledger.core.files import write_text


def write(ledger: Ledger, outputs: Outputs, settings: Settings, out: Path, tables: Path) -> None:
    """Write everything that the stage writes except ledger.json, which has the card's digest.

    Args:
        settings: the content of params.yaml.
        out: the folder of the card.
        tables: the folder of the tables that `dvc plots` draws.
    """
    corpora, benchmarks = list(settings["corpus"]), list(settings["benchmark"])
    for name, figure in plots.figures(ledger, outputs.loss_curve()).items():
        plots.save(out / f"{name}.png", figure)
    for name, text in plot_tables.texts(ledger, outputs, corpora, benchmarks).items():
        write_text(tables / f"{name}.csv", text)
    write_text(out / "report.html", report.page(outputs, ledger.name, corpora, benchmarks))
    write_text(out / "README.md", card.text(ledger))
    write_text(out / "croissant.json", croissant.text(ledger, outputs))
