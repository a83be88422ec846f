"""Print a script that completes the commands and options of `mathledger` in a shell."""

import argparse
import sys
from pathlib import Path
from typing import Any

from mathledger.core.arguments import absolute
from mathledger.destination import to_write


class PrintCompletion(argparse.Action):
    """An action that prints the completion script for a shell, then exits."""

    def __call__(self, parser: argparse.ArgumentParser, _: object, shell: Any, *__: object) -> None:
        import shtab

        for command in [parser, *_commands_of(parser)]:
            for argument in command._actions:
                if argument.type in (Path, absolute, to_write) or argument.dest == "card":
                    argument.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell))
        sys.stdout.flush()  # so that a full disk is told in one line
        parser.exit()


def _commands_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    (found,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return list(found.choices.values())
