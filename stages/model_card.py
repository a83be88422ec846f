"""Write the model card, its plots and its ledger from what the other stages measured.

Reads   metrics/, lineage/, data/evaluate/, data/probe/, data/deduplicate/removed.parquet,
        data/decontaminate/, data/mix/, data/download_benchmark/*/items.parquet, the receipts of
        data/download_*/, data/model/, plots/train/loss.csv; conf: all
Writes  model_card/: README.md (Hugging Face format), ledger.json (an in-toto Statement),
        croissant.json (the training set's metadata), report.html (what the filters did),
        scores.png, levels.png (where items have a level), lengths.png, funnel.png, loss.png
Plots   plots/model_card/: scores.csv, levels.csv, lengths.csv, funnel.csv, contamination.csv,
        canaries.csv

The scores are computed from the graded responses alone (docs/statistics.md), and no number is
typed: the card (mathledger/card/card.py) and its pictures are made from the ledger alone. All are
the same bytes for the same inputs; run ids and times stay in lineage/. The MLflow run of the stage
is the experiment's *result* run, with all params and all scores.
"""

from mathledger.card import collect

if __name__ == "__main__":
    collect.main()
