"""`mathledger plan`: estimate what a training run needs, before you rent a GPU.

The module inputs reads the base model's configuration, totals counts responses and disk space, and
report formats the result. The arithmetic is that of a rehearsal (mathledger/training/estimate.py).
The command loads no weights and writes nothing. bench/training.py compares the estimates with a
measured run; see docs/benchmarks.md.
"""

import argparse
import logging
from pathlib import Path

from mathledger import terminal
from mathledger.card.outputs import Outputs
from mathledger.core.errors import InputError
from mathledger.core.keys import flatten
from mathledger.model import download, prompts
from mathledger.plan import inputs, report
from mathledger.plan.totals import evaluation
from mathledger.run import params
from mathledger.training import models, sft
from mathledger.training.estimate import GPUS, estimate
from mathledger.training.lengths import measure_rows
from mathledger.training.size import size_of


def run(arguments: argparse.Namespace) -> int:
    if arguments.gpu not in GPUS:
        raise InputError(f"--gpu {arguments.gpu} is unknown: choose one of {', '.join(GPUS)}")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # see tracking.errors_in_one_line
    settings = params.load("train", sft.Params)
    outputs = Outputs(Path())  # params.load also reads from the current folder
    base, mix = outputs.model("base"), outputs.mix("train")
    config = inputs.base_config(params.load("model", download.Params).source, base)
    models.check_context(config, settings.max_length)
    size = size_of(config, settings.lora)
    rows = None
    is_mixed = inputs.is_made_with("mix", flatten(params.read()))
    if is_mixed and base.exists() and mix.exists():
        rows = measure_rows(mix, prompts.load_tokenizer(base), settings.max_length)
    plan = estimate(settings, size, rows, arguments.gpu, arguments.utilisation)
    asked = evaluation(params.read())
    lines = report.render(settings, size, rows, plan, arguments.gpu, arguments.utilisation)
    lines += report.render_totals(
        settings, size, plan, asked, arguments.tokens_per_second, arguments.dollars
    )
    shown = report.columns(lines)
    terminal.show(f"{shown}\n", {"^fits +yes$": "green", "^fits +no;": "red"})
    return 0
