"""`mathledger review`: write an HTML page on which a person judges the filters' pairs.

The page shows the most doubtful pairs of each class and a random draw of it, side by side. The
person downloads the verdicts and appends them to conf/decontaminate/reviewed.jsonl or
conf/deduplicate/reviewed.jsonl, which the stages obey.
"""

import argparse
from pathlib import Path

from mathledger.card.outputs import Outputs
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.filters import reviewed


def run(arguments: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        InputError: data/ is missing, an overlay is malformed, or the page cannot be written.
    """
    from mathledger.review import compute, load, render

    outputs = Outputs(Path())
    verdicts = [each for file in reviewed.FILES.values() for each in reviewed.read(file)]
    size = arguments.pairs + len(verdicts)
    pool = load.read_pool(outputs, size, verdicts)
    judged = {(str(each.place), each.pair) for each in verdicts}
    shown = compute.choose(pool.found, outputs, judged, arguments.pairs)
    try:
        write_text(arguments.html, render.page(shown, pool.num_withheld))
    except OSError as error:
        raise InputError(f"{arguments.html}: {error.strerror}") from None
    print(f"wrote {arguments.html} with {len(shown)} pairs to judge; open it in a browser")
    return 0
