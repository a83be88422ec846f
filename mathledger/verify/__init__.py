"""`mathledger verify`: check byte for byte that everything behind the card still holds.

The command works on a clone after `dvc pull`. It does not rely on DVC's or git's records of
changes, and checks link by link from the files to the card. Each link holds, is new (results that
were made here and are not committed) or is broken, with every reason; a link that cannot be checked
is broken. docs/verify.md says what each link proves.
"""

import argparse

from mathledger import terminal
from mathledger.chain.chain import Chain
from mathledger.verify import options, render, statements
from mathledger.verify.links import Result, check

STATUS = {"holds": 0, "broken": 1, "new": 3}  # exit status; 2 is an error


def run(arguments: argparse.Namespace) -> int:
    """Check every requested link; return the exit status of the worst state."""
    asked = options.from_arguments(arguments)
    if arguments.json:
        result = check(asked)
        found = [each.content() for each in statements.read(Chain.open())]
        print(terminal.json_text(render.content(result) | {"statements": found}, 1))
    else:
        result = check_aloud(asked)
    return STATUS[result.state]


def check_aloud(asked: options.VerifyOptions) -> Result:
    """Check every link, print a line for each when it ends, then statements and a summary."""
    result = check(asked, render.show_start, render.show_end)
    if found := statements.read(Chain.open()):
        terminal.show("\nStatements of people who reproduced results:\n")
        for each in found:
            terminal.show(f"{each.line}\n")
    terminal.show(f"\n{render.summary(result)}\n", render.STYLES)
    return result
