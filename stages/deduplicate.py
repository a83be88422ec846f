"""Remove exact and near duplicates over all corpora together, each with the row that is kept.

Reads   data/prepare/<corpus>/kept.parquet for every corpus; conf: deduplicate, engine, corpus
Writes  data/deduplicate/kept.parquet (EXAMPLE), removed.parquet (EXAMPLE, reason, evidence),
        families.parquet (kept problems that are the same but for their numbers)
Metrics metrics/deduplicate.json

Exact: equal canonical problem and solution; several solutions of one problem are no duplicates.
Near, among the unique problems: MinHash proposes, and a problem goes, with all its solutions, only
when its own comparison with a kept one succeeds (filters/minhash.py). There is no chain of
likeness, and a problem with another number is another problem.

Of two copies the one of the corpus named first stays, then the one of smaller id. `action: keep`
lets all copies stay; only the cap on solutions then removes rows.

Texts stream through; held in memory are hashes, of 128 bits where they decide alone: too many to
meet by chance.
"""

from pathlib import Path

from mathledger.core.files import write_json
from mathledger.data import engine
from mathledger.filters import deduplicate
from mathledger.run import params
from mathledger.run.tracking import stage_run

IN = Path("data/prepare")
OUT = Path("data/deduplicate")
METRICS = Path("metrics/deduplicate.json")


def main() -> None:
    with stage_run("deduplicate") as run:
        settings = params.load("deduplicate", deduplicate.Params)
        engine.start(params.load("engine", engine.Params))
        paths = [IN / corpus / "kept.parquet" for corpus in params.read()["corpus"]]
        metrics = deduplicate.filter_rows(paths, OUT, settings)
        write_json(METRICS, metrics)
        run.log_metrics(metrics)
        kept, removed = metrics["num_kept"], metrics["removed_by_reason"]
        print(f"kept {kept} of {metrics['num_in']}, {removed}")


if __name__ == "__main__":
    main()
