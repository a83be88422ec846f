"""`mathledger view`: write a page to read the responses of several models side by side.

The page needs no network and no other file. It shows no item and no response of a private
benchmark.
"""

import argparse
from pathlib import Path

from mathledger import destination
from mathledger.card.outputs import Outputs
from mathledger.core.escaping import printable
from mathledger.run import params


def run(arguments: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        InputError: a name is unknown, all chosen benchmarks are private, data/ is missing, the page
            cannot be written, or MLflow does not take it.
    """
    from mathledger.view import compute, load, render

    destination.check_file(arguments.out)
    outputs = Outputs(Path())
    chosen = load.choose(arguments.names, params.read(), outputs)
    shown = compute.content(load.read(chosen, outputs, arguments.max_items))
    text = render.page(shown)
    destination.write(arguments.out, text)
    size = len(text.encode()) / 1e6
    models = ", ".join(shown.models)
    said = f"{len(shown.items):,} items, answered by {models}; {size:.1f} MB"
    print(printable(f"wrote {arguments.out}: {said}"))
    for note in shown.notes:
        print(note)
    if arguments.mlflow:
        from mathledger.run.mlflow_attach import attach

        run_id = outputs.lineage("model_card").mlflow_run_id
        name = attach(arguments.out, run_id, Path().resolve())
        print(printable(f"attached to the run {name} in MLflow, under Artifacts"))
    return 0
