"""`mathledger review`: write an HTML page on which a person judges the filters' pairs.

The page shows the most doubtful pairs of each class and a random draw of it, side by side. The
person downloads the verdicts and appends them to conf/decontaminate/reviewed.jsonl or
conf/deduplicate/reviewed.jsonl, which the stages obey.
"""

import argparse
from pathlib import Path

from mathledger import destination, terminal
from mathledger.card.outputs import Outputs
from mathledger.filters import reviewed


def run(arguments: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        InputError: data/ is missing, an overlay is malformed, or the page cannot be written.
    """
    from mathledger.review import compute, load, render

    destination.check_file(arguments.html)
    outputs = Outputs(Path())
    verdicts = [each for file in reviewed.FILES.values() for each in reviewed.read(file)]
    size = arguments.pairs + len(verdicts)
    pool = load.read_pool(outputs, size, verdicts)
    judged = {(str(each.place), each.pair) for each in verdicts}
    shown = compute.choose(pool.found, outputs, judged, arguments.pairs)
    destination.write(arguments.html, render.page(shown, pool.num_withheld))
    said = f"wrote {arguments.html} with {len(shown)} pairs to judge; open it in a browser"
    print(terminal.printable(said))
    return 0
