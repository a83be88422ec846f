"""Map a corpus's own columns to the canonical example, and remove what cannot be trained on.

Reads   data/download_corpus/<corpus>/; conf: corpus.<corpus>.mapping, prepare
Writes  data/prepare/<corpus>/kept.parquet (EXAMPLE), removed.parquet (EXAMPLE, reason, evidence)
Metrics metrics/prepare/<corpus>.json: rows in, kept, removed, by reason and by source; how many
        answers were compared with the reference, by verdict

Rows stream through in batches, whole columns at a time: mathledger/data/readers.py reads them, and
mathledger/filters/defects.py holds the reasons.
"""

import sys
from pathlib import Path

from mathledger.core.files import write_json
from mathledger.filters import prepare
from mathledger.run import params
from mathledger.run.tracking import stage_run

IN = Path("data/download_corpus")
OUT = Path("data/prepare")
METRICS = Path("metrics/prepare")


def main() -> None:
    corpus = sys.argv[1]
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
