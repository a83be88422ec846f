"""Find every training example that overlaps an item of any configured benchmark.

Reads   data/deduplicate/kept.parquet, data/download_benchmark/,
        conf/decontaminate/reviewed.jsonl (people's verdicts about pairs);
        conf: decontaminate, engine, benchmark
Writes  data/decontaminate/kept.parquet (KEPT), removed.parquet (EXAMPLE, reason, evidence),
        evidence.parquet (every hit, removed or not), canaries.json (what the filter missed),
        candidates.parquet (only if decontaminate.embeddings names a model),
        judgements.parquet (only if decontaminate.judge names one)
Metrics metrics/decontaminate.json, with the filter's recall on canaries

The stage compares every problem with every item of every benchmark, and searches the solutions for
whole items. mathledger/filters/overlap.py classifies a pair; decision.py decides what happens to
the row. The filter also measures its own recall on canaries, which never leave this stage.
"""

from pathlib import Path

from mathledger.core.files import write_json
from mathledger.data import engine
from mathledger.filters import decontaminate, reviewed
from mathledger.filters.items import read_items
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

IN = Path("data/deduplicate/kept.parquet")
BENCHMARKS = Path("data/download_benchmark")
REVIEWED = reviewed.FILES["decontaminate"]
OUT = Path("data/decontaminate")
METRICS = Path("metrics/decontaminate.json")


def main() -> None:
    arguments.expect_none("decontaminate", __doc__)
    with stage_run("decontaminate") as run:
        settings = params.load("decontaminate", decontaminate.Params)
        engine.start(params.load("engine", engine.Params))
        items = read_items(BENCHMARKS, params.read()["benchmark"])
        verdicts = reviewed.read(REVIEWED)
        metrics = decontaminate.filter_rows(IN, items, OUT, settings, verdicts)
        write_json(METRICS, metrics)
        run.log_metrics({key: value for key, value in metrics.items() if key != "contamination"})
        recall = ", ".join(
            f"{form} {count['num_found']}/{count['num']}"
            for form, count in metrics["canaries"].items()
        )
        removed, hits = metrics["removed_by_reason"], metrics["hits_by_class"]
        print(f"kept {metrics['num_kept']} of {metrics['num_in']}, {removed}; pairs found: {hits}")
        print(f"canaries called contamination: {recall}")
        for line in reviewed.lines(metrics["reviewed"], REVIEWED):
            print(line)
        if "judged" in metrics:
            print(f"judged: {metrics['judged']}; replies in {OUT}/judgements.parquet")
        if "num_candidates" in metrics:
            print(f"{metrics['num_candidates']} candidates to review: {OUT}/candidates.parquet")


if __name__ == "__main__":
    main()
