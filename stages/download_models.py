"""Store one other model, which is evaluated and probed but never trained.

Reads   conf: models.<name>
Writes  data/model/<name>/: weights, tokenizer, receipt.json; for a model behind a server
receipt.json alone, with what the server says about it
"""

from pathlib import Path

from mathledger.model import download
from mathledger.run import arguments, params
from mathledger.run.leaving import run_and_leave
from mathledger.run.tracking import stage_run

OUT = Path("data/model")


def main() -> None:
    name = arguments.only_item("download_models", "model", "models", __doc__)
    with stage_run("download_models", name) as run:
        section = f"models.{name}"
        settings = params.load(f"models.{name}", download.Other)
        model = download.download_model(settings, OUT / name, section)
        if "server" in model:
            print(f"{name}: {model['server']['model']} at {model['server']['base_url']}")
            return
        run.log_metrics({"num_parameters": model["num_parameters"]})
        for change in model["chat_template"]["changes"]:
            print(f"{name}: {change}")
        print(f"{name}: {model['num_parameters']:,} parameters, {model['dtype']}")


if __name__ == "__main__":
    run_and_leave(main)
