"""Let one model answer one benchmark through lm-evaluation-harness, and grade every response.

Reads   data/model/<model>/, data/download_benchmark/<benchmark>/; conf: evaluate,
        benchmark.<benchmark>.task
Writes  data/evaluate/<model>-<benchmark>/samples.parquet (SAMPLE)
        lineage/evaluate/<model>-<benchmark>.csv: the seconds that each response took
Metrics metrics/evaluate/<model>-<benchmark>.json: accuracy, its 95% interval, what explains it

    python -m stages.evaluate base champ                  what DVC runs, through evaluate.launch
    python -m stages.evaluate base champ --spot-check 8   generate 8 of its responses anew, compare

Greedy decoding in float32 gives the same responses at any batch size. Times go to lineage/, so that
the samples are the same bytes on every run.
"""

from mathledger.evaluation import evaluate

if __name__ == "__main__":
    evaluate.main()
