"""Sample the training set from the remaining rows and write it as prompts and completions.

Reads   data/decontaminate/kept.parquet, data/model/base/tokenizer.json;
        conf: mix, engine, corpus.*.mix, prompt
Writes  data/mix/train.parquet, data/mix/validation.parquet: id, corpus, source, repeat, answer,
        prompt, completion
Metrics metrics/mix.json

Whether a row is sampled depends only on the seed and its own id, so adding a corpus never
reshuffles another. Problems that differ only in their numbers form a family; a family and all its
solutions fall on one side of the validation split.
"""

from pathlib import Path

from mathledger.core.files import write_json
from mathledger.data import engine
from mathledger.filters import mix
from mathledger.model import prompts
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

IN = Path("data/decontaminate/kept.parquet")
TOKENIZER = Path("data/model/base/tokenizer.json")
OUT = Path("data/mix")
METRICS = Path("metrics/mix.json")


def main() -> None:
    arguments.expect_none("mix", __doc__)
    with stage_run("mix") as run:
        settings = params.load("mix", mix.Params)
        prompt = params.load("prompt", prompts.Params)
        engine.start(params.load("engine", engine.Params))
        wanted = {
            corpus: params.load(f"corpus.{corpus}.mix", mix.Corpus)
            for corpus in params.read()["corpus"]
        }
        metrics = mix.sample_rows(IN, OUT, TOKENIZER, settings, wanted, prompt)
        write_json(METRICS, metrics)
        run.log_metrics(metrics)
        train, validation = metrics["num_train"], metrics["num_validation"]
        print(f"{train} training and {validation} validation examples")


if __name__ == "__main__":
    main()
