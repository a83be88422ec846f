"""Parse the arguments of a stage; every mistake is one line with the usage."""

import argparse
import sys
from typing import Never

from mathledger.core.configuration import PARAMS
from mathledger.core.errors import InputError
from mathledger.core.escaping import printable
from mathledger.core.secrets import without_secrets
from mathledger.run import params


class Parser(argparse.ArgumentParser):
    """A parser of `python -m stages.STAGE ...` that prints a mistake and the usage on one line."""

    def __init__(self, stage: str, description: str | None) -> None:
        super().__init__(
            prog=f"python -m stages.{stage}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> Never:
        usage = " ".join(self.format_usage().split())
        self.exit(2, f"error: {printable(without_secrets(message))}; {usage}\n")


def expect_none(stage: str, description: str | None) -> None:
    """Exit with one line if the command line has arguments; a launcher's rank has none either."""
    Parser(stage, description).parse_args()


def only_item(stage: str, kind: str, section: str, description: str | None) -> str:
    """Return the item that the command line names, such as a corpus.

    Exits with one line if it names none, several, or one that params.yaml does not have.

    Args:
        kind: What an item is: corpus, benchmark or model.
        section: The section of params.yaml whose keys or members are the items.
    """
    parser = Parser(stage, description)
    parser.add_argument("item", metavar=kind.upper(), help=f"one of {section} in {PARAMS}")
    item: str = parser.parse_args().item
    try:
        items = [*params.load(section, dict | list)]
    except InputError as error:
        sys.exit(f"error: {stage}: {error}")
    if item not in items:
        parser.error(
            f"{PARAMS} has no {kind} {item!r}, only {', '.join(items) or 'none'}; "
            "`python -m stages.params` with overrides chooses them"
        )
    return item
