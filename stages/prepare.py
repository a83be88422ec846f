"""Map a corpus's columns to the canonical schema and remove rows that cannot be trained on.

Reads   data/download_corpus/<corpus>/; conf: corpus.<corpus>.mapping, prepare
Writes  data/prepare/<corpus>/kept.parquet (EXAMPLE), removed.parquet (EXAMPLE, reason, evidence),
        flagged.parquet (kept rows whose answer could not be compared, with the same columns)
Metrics metrics/prepare/<corpus>.json: rows in, kept, flagged and removed, by reason and by source;
        answers compared with the reference, by verdict

mathledger/data/readers.py streams the rows in batches, and mathledger/filters/defects.py defines
the reasons.
"""

from pathlib import Path

from mathledger.core.files import write_json
from mathledger.filters import prepare
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

IN = Path("data/download_corpus")
OUT = Path("data/prepare")
METRICS = Path("metrics/prepare")


def main() -> None:
    corpus = arguments.only_item("prepare", "corpus", "corpus", __doc__)
    with stage_run("prepare", corpus) as run:
        mapping = params.load(f"corpus.{corpus}.mapping", prepare.Mapping)
        limits = params.load("prepare", prepare.Params)
        metrics = prepare.filter_rows(corpus, IN / corpus, OUT / corpus, mapping, limits)
        write_json(METRICS / f"{corpus}.json", metrics)
        run.log_metrics(metrics)
        kept, removed = metrics["num_kept"], metrics["removed_by_reason"]
        print(f"{corpus}: kept {kept} of {metrics['num_in']}, {removed}")


if __name__ == "__main__":
    main()
