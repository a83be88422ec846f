"""What a training run will need, before a GPU is rented: `mathledger plan`.

inputs (configuration of the base model, lengths of rows) -> size, memory -> estimate -> report. It
loads no weights and writes nothing. Memory is counted part by part (memory.py), time from the
operations that a token takes (size.py). bench/training.py compares both with a measured run:
docs/benchmarks.md.
"""

import argparse
import logging
from pathlib import Path

from mathledger import terminal
from mathledger.card.outputs import Outputs
from mathledger.core.errors import InputError
from mathledger.core.keys import flatten
from mathledger.model import download
from mathledger.plan import inputs, report
from mathledger.plan.estimate import GPUS, estimate
from mathledger.plan.size import size_of
from mathledger.run import params
from mathledger.training import models, sft


def run(arguments: argparse.Namespace) -> int:
    if arguments.gpu not in GPUS:
        raise InputError(f"--gpu {arguments.gpu} is not known; known are {', '.join(GPUS)}")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # see tracking.stage_run
    settings = params.load("train", sft.Params)
    outputs = Outputs(Path())  # params.load, too, reads the current folder
    base, mix = outputs.model("base"), outputs.mix("train")
    config = inputs.base_config(params.load("model", download.Params).source, base)
    models.check_context(config, settings.max_length)
    size = size_of(config, settings.lora)
    rows = None
    is_mixed = inputs.is_made_with("mix", flatten(params.read()))
    if is_mixed and base.exists() and mix.exists():
        rows = inputs.measure_rows(mix, base, settings.max_length)
    plan = estimate(settings, size, rows, arguments.gpu, arguments.utilisation)
    text = report.render(settings, size, rows, plan, arguments.gpu, arguments.utilisation)
    terminal.show(f"{text}\n", {"^fits +yes$": "green", "^fits +no;": "red"})
    return 0
