"""`mathledger verify`: does everything that the card rests on still hold, down to the byte?

It works on a clone after `dvc pull`, trusts neither DVC's nor git's notes of what changed, and goes
link by link from the files to the card. Each link ends in PASS or in FAIL with every reason, and a
link that cannot be checked has failed. docs/verify.md says what each link proves.
"""

import argparse

from mathledger import terminal
from mathledger.verify import options, render
from mathledger.verify.links import Result, check


def run(arguments: argparse.Namespace) -> int:
    """Check every link that is asked for. The exit status is 0 if all hold, 1 otherwise."""
    asked = options.from_arguments(arguments)
    if arguments.json:
        result = check(asked)
        print(terminal.json_text(render.content(result), 1))
    else:
        result = check_aloud(asked)
    return 0 if result.holds else 1


def check_aloud(asked: options.VerifyOptions) -> Result:
    """Check every link, and print a line for each as it ends, then one for all of them."""
    result = check(asked, render.show_start, render.show_end)
    print(f"\n{render.summary(result)}")
    return result
