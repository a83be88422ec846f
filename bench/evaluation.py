"""Compare the cost of the stage `evaluate` with a bare loop over `generate`.

    python -m bench.evaluation SCRATCH [--project .] [--benchmark gsm_symbolic] [--batch 16]

PROJECT is a checkout whose pipeline has run. Two processes alternate in a copy of it: the stage,
from its first line to its last response, and a loop written with transformers alone, for the same
items, batches and limits, with the longest prompts first. Tokens are those of the responses, up to
their end of turn.
"""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import (
    alternate,
    compare,
    copy_of,
    finish,
    options,
    report,
    run_main,
    run_part,
)

MODEL = Path("data/model/base")
ITEMS = "data/download_benchmark/{}/items.parquet"


def run_stage(benchmark: str) -> None:
    """Run the stage and stop after its last response."""
    import lm_eval.models.huggingface  # noqa: F401
    import torch  # noqa: F401

    from mathledger.evaluation.responses import respond
    from stages import evaluate

    started = time.monotonic()

    def timed(*arguments: Any, **keywords: Any) -> None:
        ready = time.monotonic()
        found = respond(*arguments, **keywords)
        seconds, tokens = time.monotonic() - ready, sum(each.num_tokens for each in found)
        finish(ready_seconds=ready - started, seconds=seconds, tokens=tokens)

    vars(evaluate)["respond"] = timed  # The stage calls it by this name.
    sys.argv = ["stages.evaluate", "base", benchmark]
    evaluate.main()


def run_bare(benchmark: str) -> None:
    """Run a loop written with transformers alone, for the same items."""
    import pyarrow.parquet as pq
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mathledger.model import prompts
    from mathledger.run import params

    started = time.monotonic()
    content = params.read()
    items = pq.read_table(ITEMS.format(benchmark)).to_pylist()
    tokenizer = AutoTokenizer.from_pretrained(MODEL, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    template = params.load("prompt", prompts.Params).template
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": template.format(problem=item["problem"])}],
            tokenize=False,
            add_generation_prompt=True,
        )
        for item in items
    ]
    texts.sort(key=lambda text: -len(tokenizer(text)["input_ids"]))
    ready, num_tokens, size = time.monotonic(), 0, content["evaluate"]["batch_size"]
    limit, end = content["benchmark"][benchmark]["task"]["max_gen_toks"], tokenizer.eos_token_id
    for at in range(0, len(texts), size):
        batch = tokenizer(texts[at : at + size], padding=True, return_tensors="pt")
        with torch.inference_mode():
            output = model.generate(**batch, max_new_tokens=limit, do_sample=False)
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            num_tokens += row.index(end) + 1 if end in row else len(row)
    seconds = time.monotonic() - ready
    finish(ready_seconds=ready - started, seconds=seconds, tokens=num_tokens)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("scratch", {"type": Path}),
        ("--project", {"type": Path, "default": Path()}),
        ("--benchmark", {"default": "gsm_symbolic"}),
    )
    folder = copy_of(chosen.project, chosen.scratch / "project", with_data=True)
    parts = {
        name: partial(run_part, folder, "bench.evaluation", name, chosen.benchmark)
        for name in ("stage", "bare")
    }
    runs = alternate(parts, chosen.rounds)
    rows, keys = compare(runs)
    n = f"the items of {chosen.benchmark}, the base model of {chosen.project.resolve().name}"
    report("evaluation", chosen, n, ["", *keys], rows, runs)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stage", benchmark]:
            run_stage(benchmark)
        case ["bare", benchmark]:
            run_bare(benchmark)
        case _:
            run_main(main)
