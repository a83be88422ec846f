"""Write the model card, its plots and its ledger from the results of the other stages.

Reads   metrics/, lineage/, data/evaluate/, data/probe/, data/deduplicate/removed.parquet,
        data/decontaminate/, data/mix/, data/download_benchmark/*/items.parquet, the receipts of
        data/download_*/, data/model/, plots/train/loss.csv,
        conf/model_card/replicates.jsonl (trainings with other seeds),
        conf/model_card/reruns.jsonl (responses that were generated again); conf: all
Writes  model_card/: README.md (Hugging Face format), ledger.json (an in-toto Statement),
        croissant.json (the training set's metadata), report.html (what the filters did),
        scores.png, levels.png (if items have a level), lengths.png, funnel.png, loss.png
Plots   plots/model_card/: scores.csv, levels.csv, lengths.csv, funnel.csv, contamination.csv,
        canaries.csv

The scores are computed from the graded responses alone (docs/statistics.md). No number is typed by
hand: the card (mathledger/card/templates/) and its figures come from the ledger. The same inputs
give the same bytes; run ids and times stay in lineage/. The stage's MLflow run is the experiment's
*result* run, with all params and all scores.
"""

from pathlib import Path

from mathledger.card import collect, files, plot_tables, settings, statement
from mathledger.card.outputs import Outputs
from mathledger.card.views.scores import summary
from mathledger.core.files import write_text
from mathledger.run import arguments, params
from mathledger.run.compose import choices
from mathledger.run.tracking import stage_run

ROOT = Path()  # The other stages' outputs are read from here.
OUT = Path("model_card")
PLOTS = Path("plots/model_card")


def main() -> None:
    arguments.expect_none("model_card", __doc__)
    with stage_run("model_card") as run:
        own = params.load("model_card", settings.Params)
        settings.check_claims(own.claims, choices("benchmark"))
        content = params.read()
        outputs = Outputs(ROOT)
        ledger = collect.ledger(outputs, content, own.claims)
        files.write(ledger, outputs, content, OUT, PLOTS)
        subject = collect.subject(outputs, content)
        write_text(OUT / "ledger.json", statement.text(statement.statement(ledger, subject, ROOT)))
        run.log_metrics(plot_tables.result_metrics(ledger))
        run.facts = {"runs": collect.runs(outputs, content)}
        shown = [f"{entry.benchmark} {summary(entry)}" for entry in ledger.benchmarks]
        print(f"{OUT}/README.md: {'; '.join(shown)}")


if __name__ == "__main__":
    main()
