"""`mathledger verify`: does everything that the card rests on still hold, down to the byte?

It works on a clone after `dvc pull`, trusts neither DVC's nor git's notes of what changed, and goes
link by link from the files to the card. Each link ends in PASS or in FAIL with every reason, and a
link that cannot be checked has failed. docs/verify.md says what each link proves.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.verify import files, filtering, results
from mathledger.verify.project import Project

MAX_REASONS = 20  # of one link; the others are counted


@dataclass(frozen=True)
class Link:
    """One check: it yields what is wrong, and returns what it looked at."""

    name: str
    check: Callable[[Project], Iterator[str]]


LINKS = [
    Link("commit", files.commit),
    Link("history", files.history),
    Link("params", files.params),
    Link("lock", files.lock),
    Link("digests", files.digests),
    Link("lineage", files.lineage),
    Link("ledger", results.ledger),
    Link("card", results.card),
    Link("responses", results.responses),
    Link("metrics", results.metrics),
    Link("canaries", filtering.canaries),
    Link("filter", filtering.again),
]


def run(arguments: argparse.Namespace) -> int:
    """Check every link that is asked for. The exit status is 0 where all hold, 1 otherwise."""
    links = [*LINKS]
    if arguments.deep:
        links.append(Link("generation", results.generation))
    if arguments.signature:
        from mathledger.verify import attest

        links.append(Link("signature", attest.check))
    return 0 if all_hold(links, arguments) else 1


def all_hold(links: Sequence[Link], arguments: argparse.Namespace) -> bool:
    """Check links and print a line for each, then one for all of them.

    Args:
        arguments: `overrides`, and what the links look at.
    """
    chain = Chain.open()
    with contextlib.chdir(chain.at):
        if not any(Path(out).exists() for stage in chain.stages.values() for out in stage.outs
                   if chain.is_cached(out)):  # fmt: skip
            raise InputError(
                "there is no data here that could be verified: run `dvc pull`, or, where the "
                "repository names no DVC remote, `make repro`"
            )
        project = Project(chain, arguments)
        failed = [link.name for link in links if not holds(link, project)]
    if failed:
        print(f"\nFAIL: {len(failed)} of {len(links)} links do not hold: {', '.join(failed)}")
        return False
    print(f"\nPASS: all {len(links)} links hold")
    return True


def holds(link: Link, project: Project) -> bool:
    """Check one link and print how it ended."""
    _progress(f"{link.name} ...")
    project.looked_at = ""
    try:
        reasons = list(link.check(project))
    except InputError as error:
        reasons = [str(error)]
    except Exception as error:  # files may hold anything; what stops the check fails the link
        reasons = [f"could not be checked: {type(error).__name__}: {error}"]
    _progress("")
    if not reasons:
        print(f"PASS  {link.name:10}  {project.looked_at}", flush=True)
        return True
    print(f"FAIL  {link.name:10}  {reasons[0]}")
    for reason in reasons[1:MAX_REASONS]:
        print(f"{'':18}{reason}")
    if len(reasons) > MAX_REASONS:
        print(f"{'':18}and {len(reasons) - MAX_REASONS} more")
    sys.stdout.flush()
    return False


def _progress(text: str) -> None:
    """What is being done, on a terminal only."""
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        print(f"\r\033[K{text[:width]}", end="", file=sys.stderr, flush=True)
