"""Download one pinned benchmark and convert it to the canonical form.

Reads   conf: benchmark.<benchmark>.source and .mapping
Writes  data/download_benchmark/<benchmark>/: items.parquet (BENCHMARK_ITEM, the evaluated items),
        all_items.parquet (ALL_ITEM, the items decontamination searches for), receipt.json,
        left_out.json (the items that are not evaluated, with reasons), and source/ (the pinned
        files, from which `mathledger verify` makes the items again)
Metrics metrics/download_benchmark/<benchmark>.json

No message of this stage quotes an item, because a benchmark may be private.
"""

from pathlib import Path

from mathledger.core.files import replacing, write_json
from mathledger.data import benchmarks, sources
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

OUT = Path("data/download_benchmark")
METRICS = Path("metrics/download_benchmark")


def main() -> None:
    benchmark = arguments.only_item("download_benchmark", "benchmark", "benchmark", __doc__)
    with stage_run("download_benchmark", benchmark) as run:
        source = params.load(f"benchmark.{benchmark}.source", sources.BenchmarkSource)
        mapping = params.load(f"benchmark.{benchmark}.mapping", benchmarks.Mapping)
        with replacing(OUT / benchmark) as folder:
            files = benchmarks.fetch(source, folder / "source")
            rows = benchmarks.read(source, mapping, files)
            metrics = benchmarks.write(source, mapping, rows, folder)
        write_json(METRICS / f"{benchmark}.json", metrics)
        run.log_metrics(metrics)
        print(f"{benchmark}: {metrics['num_kept']} items of {metrics['num_in']}")


if __name__ == "__main__":
    main()
