"""`mathledger trace`: trace a number, a training row or a benchmark item back to its origin.

    mathledger trace BENCHMARK[@MODEL]     a number on the card, with every stage behind it
    mathledger trace row ID                a training row, through every stage, to the raw row
    mathledger trace item BENCHMARK/ID     an item, its responses, and the rows that overlap it

The command follows git, dvc.lock and lineage/, and only links to MLflow. The modules number, row
and item read the chain, and render_number, render_row and render_item format it as a tree or JSON.
"""

import argparse
from pathlib import Path
from typing import Any

from mathledger import destination, terminal
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.trace.tree import Branch, printed


def run(arguments: argparse.Namespace) -> int:
    """Print the trace of a target.

    Raises:
        InputError: the target is malformed, or its chain is broken; the message says where.
    """
    what, *rest = arguments.target
    if len(rest) > 1 or (rest and what not in ("row", "item")):
        raise InputError(
            f"{' '.join(arguments.target)} is not a target: give BENCHMARK[@MODEL], `row ID` or "
            "`item BENCHMARK/ID`"
        )
    if rest and arguments.html:
        raise InputError(f"--html shows the chain of a number, not of one {what}: omit it")
    chain = Chain.open(arguments.rev)
    if rest:
        show = show_row if what == "row" else show_item
        show(chain, rest[0], arguments.json)
    elif arguments.html:
        write_page(chain, what, arguments.html)
    else:
        show_number(chain, what, arguments.json, arguments.all)
    return 0


def show_number(chain: Chain, target: str, as_json: bool, is_whole: bool) -> None:
    from mathledger.trace import brief, number, render_number

    trace = number.trace(chain, target)
    if as_json:
        show(render_number.content(trace))
    elif is_whole:
        show(render_number.tree(trace))
    else:
        print(printed(brief.brief(render_number.tree(trace)), is_brief=True))


def show_row(chain: Chain, target: str, as_json: bool) -> None:
    from mathledger.trace import render_row, row

    trace = row.trace(chain, target)
    show(render_row.content(trace) if as_json else render_row.tree(trace))


def show_item(chain: Chain, target: str, as_json: bool) -> None:
    from mathledger.trace import item, render_item

    trace = item.trace(chain, target)
    show(render_item.content(trace) if as_json else render_item.tree(trace))


def show(rendered: Branch | dict[str, Any]) -> None:
    """Print a tree, or anything else as JSON."""
    if isinstance(rendered, Branch):
        print(printed(rendered))
    else:
        print(terminal.json_text(rendered, 1))


def write_page(chain: Chain, target: str, file: Path) -> None:
    from mathledger.trace import number, page

    destination.check_file(file)
    trace = number.trace(chain, target)
    destination.write(file, page.page(trace))
    print(terminal.printable(f"wrote {file}"))
