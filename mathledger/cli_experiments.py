"""The options of the commands that compare experiments: compare, replicate, gate."""

import argparse
from pathlib import Path
from typing import Protocol

from mathledger.core.arguments import positive_integer


class Commands(Protocol):
    """The part of `ArgumentParser.add_subparsers`' result that is used here."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser: ...


def add_compare(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="compare experiments in a table: scores, significance, rows, cost",
        description="Compare experiments and revisions with a baseline: scores with intervals, "
        "tests paired by item, number of training rows, and cost of training. By default, compare "
        "HEAD with its experiments.",
    )
    command.set_defaults(module="mathledger.compare")
    command.add_argument(
        "revisions", nargs="*", metavar="REV|EXP", help="commits, branches or experiments"
    )
    command.add_argument(
        "--baseline", metavar="REV|EXP", help="default: the first one named, or HEAD"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print Markdown tables")
    form.add_argument("--csv", action="store_true", help="print CSV, with a line for each score")
    form.add_argument("--json", action="store_true", help="print everything as JSON")


def add_replicate(commands: Commands) -> None:
    command = commands.add_parser(
        "replicate",
        help="train the same experiment under other seeds, to measure the spread",
        description="Queue the same experiment under other seeds: the order of the training rows, "
        "the split, and the sampling of responses. With --collect, write the results of finished "
        "ones to conf/model_card/replicates.jsonl, from which the card states the spread.",
    )
    command.set_defaults(module="mathledger.replicate")
    command.add_argument(
        "-n", type=positive_integer, default=5, metavar="N", help="trainings; default: %(default)s"
    )
    command.add_argument(
        "-S",
        "--set-param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an override for all of them, as of `dvc exp run`",
    )
    command.add_argument(
        "--name", default="replicate", help="start of the experiments' names; default: %(default)s"
    )
    way = command.add_mutually_exclusive_group()
    way.add_argument(
        "--run",
        action="store_true",
        help="do not queue them: run them here, one after the other, and collect the results",
    )
    way.add_argument("--collect", action="store_true", help="only collect finished experiments")


def add_gate(commands: Commands) -> None:
    command = commands.add_parser(
        "gate",
        help="exit with status 1 if a score breaks a policy, for CI",
        description="Check rules such as `must not fall by more than 2 points with 95% confidence` "
        "against a base revision or a fixed value, with the paired tests. docs/gate.md shows a "
        "policy.",
    )
    command.set_defaults(module="mathledger.gate")
    command.add_argument("policy", type=Path, metavar="POLICY.yaml")
    command.add_argument(
        "--base", metavar="REV", help="state to compare with; default: the policy's `base`"
    )
    command.add_argument(
        "--revision",
        default="workspace",
        metavar="REV",
        help="state to check: a revision, an experiment or a card; default: %(default)s",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    form.add_argument("--json", action="store_true", help="print everything as JSON")
