"""Download one pinned benchmark and bring it to the canonical form.

Reads   conf: benchmark.<benchmark>.source and .mapping
Writes  data/download_benchmark/<benchmark>/: items.parquet (BENCHMARK_ITEM, what is evaluated),
        all_items.parquet (ALL_ITEM, what decontamination searches for), receipt.json, and the items
        that are not evaluated with their reason (left_out.json)
Metrics metrics/download_benchmark/<benchmark>.json

No message of this stage quotes an item: a benchmark may be private.
"""

from mathledger.data import benchmarks

if __name__ == "__main__":
    benchmarks.main()
