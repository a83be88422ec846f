"""`mathledger trace`: from a number, a training row or a benchmark item back to where it is from.

    mathledger trace BENCHMARK[@MODEL]     the number on the card, and all that it rests on
    mathledger trace row ID                one training row, through every stage, to the raw row
    mathledger trace item BENCHMARK/ID     one item: its responses, and the rows that overlap it

git, dvc.lock and the files of lineage/ are what is followed; MLflow is only linked to.
"""

import argparse
from typing import Any

from mathledger.chain.chain import Chain
from mathledger.core import terminal
from mathledger.core.errors import InputError


def run(arguments: argparse.Namespace) -> int:
    """Print what was asked for.

    Raises:
        InputError: the target is none, or the chain to it is broken; the text says where.
    """
    what, *rest = arguments.target
    if len(rest) > 1 or (rest and what not in ("row", "item")):
        raise InputError(
            f"{' '.join(arguments.target)} is no target: give BENCHMARK[@MODEL], `row ID` or "
            "`item BENCHMARK/ID`"
        )
    if rest and arguments.html:
        raise InputError(f"--html shows the chain of a number, not one {what}")
    chain = Chain.open(arguments.rev)
    found: dict[str, Any]
    if rest:
        from mathledger.trace import examples

        if what == "row":
            found, text = examples.row(chain, rest[0])
        else:
            found, text = examples.item(chain, rest[0])
    else:
        from mathledger.trace import number, tree

        found = number.trace(chain, what)
        if arguments.html:
            from mathledger.trace import page

            try:
                arguments.html.write_text(page.page(found), encoding="utf-8")
            except OSError as error:
                raise InputError(f"{arguments.html}: {error.strerror}") from None
            print(f"wrote {arguments.html}")
            return 0
        text = "" if arguments.json else tree.text(found)
    print(terminal.json_text(found, 1) if arguments.json else text)
    return 0
