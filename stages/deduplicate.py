"""Remove exact and near duplicates across all corpora, and record which row each one copies.

Reads   data/prepare/<corpus>/kept.parquet for every corpus,
        conf/deduplicate/reviewed.jsonl (people's verdicts about near duplicates);
        conf: deduplicate, engine, corpus
Writes  data/deduplicate/kept.parquet (EXAMPLE), removed.parquet (EXAMPLE, reason, evidence),
        families.parquet (kept problems that differ only in their numbers)
Metrics metrics/deduplicate.json

An exact duplicate has the same canonical problem and solution as another row; a second solution of
the same problem is not a duplicate. A near duplicate is removed, with all its solutions, only if
a direct comparison with a kept problem confirms what MinHash proposed (filters/near_copies.py).
Chains of similar problems are therefore not merged, and problems with different numbers are never
duplicates.

Of two near copies, the one with a figure stays; otherwise the one from the corpus named first
stays, then the one with the smaller id. With `action: keep` all copies stay, and only the cap on
solutions removes rows.
"""

from pathlib import Path

from mathledger.core.files import write_json
from mathledger.data import engine
from mathledger.filters import deduplicate, reviewed
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

IN = Path("data/prepare")
REVIEWED = reviewed.FILES["deduplicate"]
OUT = Path("data/deduplicate")
METRICS = Path("metrics/deduplicate.json")


def main() -> None:
    arguments.expect_none("deduplicate", __doc__)
    with stage_run("deduplicate") as run:
        settings = params.load("deduplicate", deduplicate.Params)
        engine.start(params.load("engine", engine.Params))
        paths = [IN / corpus / "kept.parquet" for corpus in params.read()["corpus"]]
        verdicts = reviewed.read(REVIEWED)
        metrics = deduplicate.filter_rows(paths, OUT, settings, verdicts)
        write_json(METRICS, metrics)
        run.log_metrics(metrics)
        kept, removed = metrics["num_kept"], metrics["removed_by_reason"]
        print(f"kept {kept} of {metrics['num_in']}, {removed}")
        for line in reviewed.lines(metrics["reviewed"], REVIEWED):
            print(line)


if __name__ == "__main__":
    main()
