"""Store the base model and its tokenizer, at a pinned revision, as a `from_pretrained` folder.

Reads   conf: model
Writes  data/model/base/: weights, tokenizer, receipt.json
"""

from pathlib import Path

from mathledger.model import download
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

OUT = Path("data/model/base")


def main() -> None:
    arguments.expect_none("download_model", __doc__)
    with stage_run("download_model") as run:
        settings = params.load("model", download.Params)
        size = download.download_model(settings, OUT)
        run.log_metrics(size)
        print(f"base model: {size['num_parameters']:,} parameters, {size['dtype']}")


if __name__ == "__main__":
    main()
