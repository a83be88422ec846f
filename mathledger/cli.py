"""The command line: `mathledger COMMAND ...`, also `python -m mathledger COMMAND ...`.

Each command has one function below, which adds its arguments and names its module. That module has
`run(arguments) -> int`, which returns the exit status, and is imported only when its command is
called. A wrong input ends in one line on stderr and exit status 2.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Any, Protocol

from mathledger import __version__, terminal
from mathledger.core.errors import InputError
from mathledger.core.extras import what_is_missing

SIGNATURE = Path("model.sig")


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser: ...


class PrintCompletion(argparse.Action):
    """Print the completion script of a shell, then exit."""

    def __call__(self, parser: argparse.ArgumentParser, _: object, shell: Any, *__: object) -> None:
        import shtab

        for command in [parser, *_commands_of(parser)]:
            for argument in command._actions:
                if argument.type in (Path, absolute):
                    argument.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell))
        parser.exit()


def _commands_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    (found,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return list(found.choices.values())


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="mathledger", description="Explain and check results.")
    top.add_argument("--version", action="version", version=f"mathledger {__version__}")
    top.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=("bash", "zsh", "tcsh"),
        help="print a script that completes commands and options in this shell",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in ADD:
        add(commands)
    return top


def add_audit(commands: Commands) -> None:
    command = commands.add_parser(
        "audit",
        help="what evidence a model card gives for its numbers",
        description="List a model card's numeric claims, what each lacks to be checked, and what "
        "in the card does not fit together. The report is Markdown; it is no verdict.",
    )
    command.set_defaults(module="mathledger.audit")
    command.add_argument(
        "card",
        metavar="CARD.md",
        help="a Hugging Face model card; or ORG/NAME[@REVISION] on the hub; or a folder of cards",
    )
    command.add_argument(
        "--model",
        metavar="ORG/NAME",
        help="the model that the card is of, to tell its numbers from those of others",
    )
    command.add_argument(
        "--model-index", action="store_true", help="only the results in the front matter"
    )
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="corpora and benchmarks as the hub lays them out (ORG/NAME/...), or data/decontaminate"
        ": count the benchmark items in them",
    )
    command.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="published results (YAML: model, benchmark, value, source) to compare with",
    )
    command.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    command.add_argument(
        "--fail-on",
        choices=["contradiction", "question", "missing"],
        metavar="STRENGTH",
        help="exit with status 1 if there is such a finding, or a stronger one: contradiction, "
        "question, missing",
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page instead")


def add_diff(commands: Commands) -> None:
    command = commands.add_parser(
        "diff",
        help="what changed between the numbers of two states, and why",
        description="A and B are revisions, experiments, `workspace`, or model cards with their "
        "ledger (a folder, its README.md or ledger.json). Exit status 0 whatever differs, 2 where "
        "a side cannot be read.",
    )
    command.set_defaults(module="mathledger.diff")
    command.add_argument("a", metavar="A")
    command.add_argument("b", metavar="B")
    command.add_argument(
        "benchmark", nargs="?", metavar="BENCHMARK[@MODEL]", help="only these numbers"
    )
    command.add_argument("--json", action="store_true", help="all of it, as JSON")


def add_trace(commands: Commands) -> None:
    command = commands.add_parser(
        "trace",
        help="where a number, a training row or a benchmark item comes from",
        description="Follow a number on the card, a training row or a benchmark item back to the "
        "pinned downloads. Needs the files of `dvc pull`.",
    )
    command.set_defaults(module="mathledger.trace")
    command.add_argument(
        "target",
        nargs="+",
        metavar="TARGET",
        help="BENCHMARK[@MODEL]; or `row ID`: a training row, by the head of its id; or "
        "`item BENCHMARK/ID`",
    )
    command.add_argument("--rev", help="a commit, branch or experiment; the files as they stand")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON, with every digest whole")
    form.add_argument(
        "--html", type=absolute, metavar="FILE", help="a page with a number's chain as a graph"
    )


def add_compare(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="experiments as a table: scores, significance, rows, cost",
        description="Set experiments and revisions beside a baseline: scores with intervals, tests "
        "paired by item, rows trained on, and what training cost. Without names: HEAD and its "
        "experiments.",
    )
    command.set_defaults(module="mathledger.compare")
    command.add_argument(
        "revisions", nargs="*", metavar="REV|EXP", help="a commit, a branch, an experiment"
    )
    command.add_argument(
        "--baseline", metavar="REV|EXP", help="default: HEAD, or the first of those named"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="Markdown tables")
    form.add_argument("--csv", action="store_true", help="a line for each score, all digits")
    form.add_argument("--json", action="store_true", help="all of it, as JSON")


def add_verify(commands: Commands) -> None:
    command = commands.add_parser(
        "verify",
        help="whether everything that the card rests on still holds",
        description="Check a clone, after `dvc pull`: every digest, every response graded anew, "
        "every number computed anew. A line for each link of the chain; exit status 1 where one "
        "does not hold.",
    )
    command.set_defaults(module="mathledger.verify")
    command.add_argument(
        "--deep", type=positive, metavar="N", help="regenerate N randomly chosen responses"
    )
    command.add_argument("--json", action="store_true", help="all of it, as JSON")
    _add_verification(command)


def add_attest(commands: Commands) -> None:
    command = commands.add_parser(
        "attest",
        help="sign the model and its ledger",
        description="Verify, then sign the final model's files with the card and the ledger "
        "(OpenSSF model signing). Offline with a key, or with a key and its certificate.",
    )
    command.set_defaults(module="mathledger.publish.attest")
    command.add_argument("--signature", type=absolute, default=SIGNATURE, metavar="FILE")
    by = command.add_mutually_exclusive_group(required=True)
    by.add_argument("--private-key", type=absolute, metavar="PEM", help="an elliptic-curve key")
    by.add_argument(
        "--keyless", action="store_true", help="by your identity, through Sigstore; needs network"
    )
    command.add_argument("--certificate", type=absolute, metavar="PEM", help="of the private key")
    command.add_argument(
        "--certificate-chain", type=absolute, nargs="+", default=[], metavar="PEM", help="of that"
    )
    _add_overrides(command)


def add_sync_mlflow(commands: Commands) -> None:
    command = commands.add_parser(
        "sync-mlflow",
        help="rebuild the runs in MLflow from git and lineage/",
        description="Write the runs that these states of the project tell of, and the store lacks. "
        "What the store holds is left alone, so that a second time writes nothing.",
    )
    command.set_defaults(module="mathledger.sync_mlflow")
    command.add_argument(
        "revisions",
        nargs="*",
        metavar="REV",
        help="revisions or experiments; the files as they stand unless given",
    )
    command.add_argument(
        "-A", "--all-experiments", action="store_true", help="all of DVC's experiments as well"
    )
    command.add_argument(
        "--uri",
        help="of the store: a server, or sqlite:///FILE; else MLFLOW_TRACKING_URI, mlflow.db",
    )


def add_publish(commands: Commands) -> None:
    command = commands.add_parser(
        "publish",
        help="write, and upload, what goes to the hub",
        description="Verify, then write FOLDER/model (weights, card, ledger, signature) and "
        "FOLDER/results (every response, as a dataset). Only --upload sends anything.",
    )
    command.set_defaults(module="mathledger.publish")
    command.add_argument("folder", type=absolute, metavar="FOLDER", help="a new folder")
    command.add_argument("--upload", metavar="ORG/NAME", help="the model's repository on the hub")
    _add_verification(command)


def add_plan(commands: Commands) -> None:
    command = commands.add_parser(
        "plan",
        help="what a training run will need, before a GPU is rented",
        description="Count tokens, memory of each GPU and hours of the run that params.yaml "
        "describes. Needs no weights, only the base model's configuration; with data/mix the rows' "
        "lengths are known, and without it the numbers are upper bounds.",
    )
    command.set_defaults(module="mathledger.plan")
    command.add_argument(
        "--gpu",
        default="H100-80GB",
        metavar="NAME",
        help="default: %(default)s; an unknown name lists those known",
    )
    command.add_argument(
        "--utilisation",
        type=_share,
        default=0.4,
        metavar="SHARE",
        help="of the peak that the model's operations reach (MFU); default: %(default)s",
    )
    command.add_argument(
        "--tokens-per-second",
        type=_positive,
        default=1000.0,
        metavar="N",
        help="that one GPU generates in evaluation; default: %(default).0f",
    )
    command.add_argument(
        "--dollars", type=_positive, metavar="PRICE", help="of a GPU hour: adds what a run costs"
    )


# ------------------------------------------------------------------------ shared by several


def _add_verification(command: argparse.ArgumentParser) -> None:
    """Add the options of `verify` that `publish` has too."""
    _add_overrides(command)
    command.add_argument(
        "--signature",
        type=absolute,
        nargs="?",
        const=SIGNATURE,
        metavar="FILE",
        help=f"check the signature, {SIGNATURE} unless given, with one of these:",
    )
    command.add_argument("--public-key", type=absolute, metavar="PEM", help="the signer's key")
    command.add_argument(
        "--certificate-chain", type=absolute, nargs="+", metavar="PEM", help="root certificates"
    )
    command.add_argument("--identity", metavar="MAIL", help="of a signer without a key")
    command.add_argument("--identity-provider", metavar="URL", help="who vouches for the identity")


def _add_overrides(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--overrides",
        nargs="+",
        metavar="KEY=VALUE",
        help="what params.yaml was compiled with, such as experiment=smoke",
    )


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share, above 0 and up to 1")
    return share


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def absolute(text: str) -> Path:
    """Resolve a path where the caller stands, before a command changes to the project's folder."""
    return Path(text).absolute()


def positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return int(text)


ADD = [
    add_audit,
    add_diff,
    add_trace,
    add_compare,
    add_verify,
    add_attest,
    add_sync_mlflow,
    add_publish,
    add_plan,
]  # in the order of the help


def main(argv: list[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    if not given:
        parser().print_help()
        return 2
    arguments = parser().parse_args(given)
    try:
        status = int(importlib.import_module(arguments.module).run(arguments))
        sys.stdout.flush()
    except InputError as error:
        print(terminal.printable(f"mathledger {arguments.command}: {error}"), file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not (missing := what_is_missing(error)):
            raise
        print(f"mathledger {arguments.command}: {missing}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
