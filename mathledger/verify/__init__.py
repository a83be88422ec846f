"""`mathledger verify`: check byte for byte that everything behind the card still holds.

The command works on a clone after `dvc pull`. It does not rely on DVC's or git's records of
changes, and checks link by link from the files to the card. Each link ends in PASS, or in FAIL with
every reason; a link that cannot be checked fails. docs/verify.md says what each link proves.
"""

import argparse

from mathledger import terminal
from mathledger.verify import options, render
from mathledger.verify.links import Result, check


def run(arguments: argparse.Namespace) -> int:
    """Check every requested link; return 0 if all hold, else 1."""
    asked = options.from_arguments(arguments)
    if arguments.json:
        result = check(asked)
        print(terminal.json_text(render.content(result), 1))
    else:
        result = check_aloud(asked)
    return 0 if result.holds else 1


def check_aloud(asked: options.VerifyOptions) -> Result:
    """Check every link, print a line for each when it ends, then print a summary."""
    result = check(asked, render.show_start, render.show_end)
    terminal.show(f"\n{render.summary(result)}\n", render.STYLES)
    return result
