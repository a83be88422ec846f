"""The command line: `mathledger COMMAND ...`, also `python -m ledger COMMAND ...`.

Each command is one module or package here with `run(arguments) -> int`, its exit status; it is
imported when it is asked for. A wrong input ends in one line and exit status 2.
"""

import argparse
import os
import sys
from pathlib import Path

from stages.common.errors import InputError


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="mathledger", description="Explain and check results.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    audit = commands.add_parser(
        "audit",
        help="what evidence a model card gives for its numbers",
        description="List a model card's numeric claims, what each lacks to be checked, and what "
        "in the card does not fit together. The report is Markdown; it is no verdict.",
    )
    audit.add_argument("card", type=Path, metavar="CARD.md", help="a Hugging Face model card")
    audit.add_argument(
        "--model-index", action="store_true", help="only the results in the front matter"
    )
    audit.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="corpora and benchmarks as the hub lays them out (ORG/NAME/...), or data/decontaminate"
        ": count the benchmark items in them",
    )
    audit.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="published results (YAML: model, benchmark, value, source) to compare with",
    )
    audit.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    return top


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        if arguments.command == "audit":
            from ledger import audit

            status = audit.run(arguments)
        sys.stdout.flush()
    except InputError as error:
        print(f"mathledger {arguments.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
