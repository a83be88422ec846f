"""Map a corpus's own columns to the canonical example, and remove what cannot be trained on.

Reads   data/download_corpus/<corpus>/; conf: corpus.<corpus>.mapping, prepare
Writes  data/prepare/<corpus>/kept.parquet (EXAMPLE), removed.parquet (EXAMPLE, reason, evidence)
Metrics metrics/prepare/<corpus>.json: rows in, kept, removed, by reason and by source; how many
        answers were compared with the reference, by verdict

Rows stream through in batches, whole columns at a time: mathledger/data/raw.py reads them, and
mathledger/filters/defects.py holds the reasons.
"""

from mathledger.filters import prepare

if __name__ == "__main__":
    prepare.main()
