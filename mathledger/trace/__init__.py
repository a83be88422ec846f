"""`mathledger trace`: from a number, a training row or a benchmark item back to where it is from.

    mathledger trace BENCHMARK[@MODEL]     the number on the card, and all that it rests on
    mathledger trace row ID                one training row, through every stage, to the raw row
    mathledger trace item BENCHMARK/ID     one item: its responses, and the rows that overlap it

git, dvc.lock and the files of lineage/ are what is followed; MLflow is only linked to.

number, row, item (what the chain records) -> render_number, render_row, render_item -> tree, JSON.
"""

import argparse
from pathlib import Path
from typing import Any

from mathledger import terminal
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.trace.tree import Branch, printed


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
    if rest:
        show = show_row if what == "row" else show_item
        show(chain, rest[0], arguments.json)
    elif arguments.html:
        write_page(chain, what, arguments.html)
    else:
        show_number(chain, what, arguments.json)
    return 0


def show_number(chain: Chain, target: str, as_json: bool) -> None:
    from mathledger.trace import number, render_number

    trace = number.trace(chain, target)
    show(render_number.content(trace) if as_json else render_number.tree(trace))


def show_row(chain: Chain, target: str, as_json: bool) -> None:
    from mathledger.trace import render_row, row

    trace = row.trace(chain, target)
    show(render_row.content(trace) if as_json else render_row.tree(trace))


def show_item(chain: Chain, target: str, as_json: bool) -> None:
    from mathledger.trace import item, render_item

    trace = item.trace(chain, target)
    show(render_item.content(trace) if as_json else render_item.tree(trace))


def show(rendered: Branch | dict[str, Any]) -> None:
    """Print a tree, or JSON."""
    if isinstance(rendered, Branch):
        print(printed(rendered))
    else:
        print(terminal.json_text(rendered, 1))


def write_page(chain: Chain, target: str, file: Path) -> None:
    from mathledger.trace import number, page

    trace = number.trace(chain, target)
    try:
        file.write_text(page.page(trace), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    print(f"wrote {file}")
