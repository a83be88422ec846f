"""Store the base model and its tokenizer, at a pinned revision, as a `from_pretrained` folder.

Reads   conf: model
Writes  data/model/base/: weights, tokenizer, receipt.json (with facts about the chat template)
"""

from pathlib import Path

from mathledger.model import download
from mathledger.run import arguments, params
from mathledger.run.leaving import run_and_leave
from mathledger.run.tracking import stage_run

OUT = Path("data/model/base")


def main() -> None:
    arguments.expect_none("download_model", __doc__)
    with stage_run("download_model") as run:
        settings = params.load("model", download.Params)
        model = download.download_model(settings, OUT)
        run.log_metrics({"num_parameters": model["num_parameters"]})
        for change in model["chat_template"]["changes"]:
            print(f"base model: {change}")
        print(f"base model: {model['num_parameters']:,} parameters, {model['dtype']}")


if __name__ == "__main__":
    run_and_leave(main)
