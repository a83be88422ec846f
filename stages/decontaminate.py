"""Find every training example that overlaps an item of any configured benchmark.

Reads   data/deduplicate/kept.parquet, data/download_benchmark/;
        conf: decontaminate, engine, benchmark
Writes  data/decontaminate/kept.parquet (EXAMPLE), removed.parquet (EXAMPLE, reason, evidence),
        evidence.parquet (every hit, removed or not), canaries.json (what the filter missed),
        candidates.parquet (where decontaminate.embeddings names a model)
Metrics metrics/decontaminate.json, with the filter's recall on canaries

Problems are compared with every item of every benchmark, solutions are searched for whole items;
the classes are in mathledger/filters/overlap.py. On the way the filter measures itself on canaries,
which never leave this stage.
"""

from mathledger.filters import decontaminate

if __name__ == "__main__":
    decontaminate.main()
