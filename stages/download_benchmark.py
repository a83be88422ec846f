"""Download one pinned benchmark and convert it to the canonical form.

Reads   conf: benchmark.<benchmark>.source and .mapping
Writes  data/download_benchmark/<benchmark>/: items.parquet (BENCHMARK_ITEM, the evaluated items),
        all_items.parquet (ALL_ITEM, the items decontamination searches for), receipt.json, and
        left_out.json (the items that are not evaluated, with reasons)
Metrics metrics/download_benchmark/<benchmark>.json

No message of this stage quotes an item, because a benchmark may be private.
"""

import tempfile
from pathlib import Path

from mathledger.core.files import replacing, write_json
from mathledger.data import benchmarks, receipts, sources
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

OUT = Path("data/download_benchmark")
METRICS = Path("metrics/download_benchmark")


def main() -> None:
    benchmark = arguments.only_item("download_benchmark", "benchmark", "benchmark", __doc__)
    with stage_run("download_benchmark", benchmark) as run:
        source = params.load(f"benchmark.{benchmark}.source", sources.BenchmarkSource)
        mapping = params.load(f"benchmark.{benchmark}.mapping", benchmarks.Mapping)
        with tempfile.TemporaryDirectory() as scratch:
            rows, files = benchmarks.read(source, mapping, Path(scratch))
        kept, left_out = benchmarks.select(rows, mapping)
        is_private = isinstance(source, sources.LocalBenchmark) and source.private
        receipt = {**receipts.identity(source), **files, "private": is_private}
        with replacing(OUT / benchmark) as folder:
            benchmarks.write(folder, rows, kept, left_out, receipt)
        metrics = {"num_in": len(rows), "num_kept": len(kept), "num_left_out": len(left_out)}
        write_json(METRICS / f"{benchmark}.json", metrics)
        run.log_metrics(metrics)
        print(f"{benchmark}: {len(kept)} items of {len(rows)}")


if __name__ == "__main__":
    main()
