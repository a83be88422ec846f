"""Define the command line: `mathledger COMMAND ...` or `python -m mathledger COMMAND ...`.

Each command has a function below, which adds its arguments and names its module. The module has a
function `run(arguments) -> int`, which returns the exit status, and is imported only when its
command runs. Wrong input prints one line to stderr and exits with status 2.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Never

from mathledger import __version__, terminal
from mathledger.cli_experiments import Commands, add_compare, add_gate, add_replicate
from mathledger.cli_proof import add_attest, add_publish, add_reproduce, add_verify
from mathledger.completion import PrintCompletion
from mathledger.core.arguments import positive_integer, positive_number, share
from mathledger.core.errors import InputError, machine_fault
from mathledger.core.escaping import cut
from mathledger.core.extras import what_is_missing
from mathledger.core.secrets import without_secrets
from mathledger.destination import to_write

MAX_MESSAGE = 1000  # characters of a message about an argument
REVIEW, VIEW = Path("review.html"), Path("view.html")


class Parser(argparse.ArgumentParser):
    """A parser whose messages, and those of its commands, repeat no password or escape sequence."""

    def error(self, message: str) -> Never:
        super().error(terminal.printable(cut(without_secrets(message), MAX_MESSAGE)))


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="mathledger", description="Explain and check results.")
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
        help="check what evidence a model card gives for its numbers",
        description="List the numeric claims of a model card, the evidence that each lacks, and "
        "the card's contradictions. The report is Markdown. It raises questions and gives no "
        "verdict.",
    )
    command.set_defaults(module="mathledger.audit")
    command.add_argument(
        "card",
        type=Path,
        metavar="CARD.md",
        help="a Hugging Face model card, ORG/NAME[@REVISION] on the hub, or a folder of cards",
    )
    command.add_argument(
        "--model",
        metavar="ORG/NAME",
        help="the model that the card describes, to separate its numbers from other models'",
    )
    command.add_argument(
        "--model-index", action="store_true", help="read only the results in the front matter"
    )
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="count benchmark items in corpora with the hub's layout (ORG/NAME/...), or in "
        "data/decontaminate",
    )
    command.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="compare with published results (YAML: model, benchmark, value, source)",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    command.add_argument(
        "--fail-on",
        choices=["contradiction", "question", "missing"],
        metavar="STRENGTH",
        help="exit with status 1 if a finding is at least this strong: contradiction, question, "
        "missing",
    )
    command.add_argument("--html", type=to_write, metavar="FILE", help="write an HTML page instead")


def add_diff(commands: Commands) -> None:
    command = commands.add_parser(
        "diff",
        help="show what changed between the numbers of two states, and why",
        description="A and B are revisions, experiments, `workspace`, or model cards with their "
        "ledger (a folder, its README.md or ledger.json). The exit status is 0 even if they "
        "differ, and 2 if a side cannot be read.",
    )
    command.set_defaults(module="mathledger.diff")
    command.add_argument("a", metavar="A")
    command.add_argument("b", metavar="B")
    command.add_argument(
        "benchmark", nargs="?", metavar="BENCHMARK[@MODEL]", help="compare only these numbers"
    )
    command.add_argument("--json", action="store_true", help="print everything as JSON")


def add_trace(commands: Commands) -> None:
    command = commands.add_parser(
        "trace",
        help="show where a number, a training row or a benchmark item comes from",
        description="Trace a number on the card, a training row or a benchmark item back to the "
        "pinned downloads. This needs the files of `dvc pull`.",
    )
    command.set_defaults(module="mathledger.trace")
    command.add_argument(
        "target",
        nargs="+",
        metavar="TARGET",
        help="BENCHMARK[@MODEL], `row ID` (the first digits are enough), or `item BENCHMARK/ID`",
    )
    command.add_argument(
        "--rev", help="a commit, branch or experiment; default: the files in the working tree"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--all", action="store_true", help="show digests, params and runs of a number's stages too"
    )
    form.add_argument("--json", action="store_true", help="print JSON with full digests")
    form.add_argument(
        "--html",
        type=to_write,
        metavar="FILE",
        help="write a page with a number's chain as a graph",
    )


def add_sync_mlflow(commands: Commands) -> None:
    command = commands.add_parser(
        "sync-mlflow",
        help="rebuild the runs in MLflow from git and lineage/",
        description="Write the runs of these states of the project that the MLflow store lacks. "
        "Runs in the store are not changed, so a second call writes nothing.",
    )
    command.set_defaults(module="mathledger.sync_mlflow")
    command.add_argument(
        "revisions",
        nargs="*",
        metavar="REV",
        help="revisions or experiments; default: the files in the working tree",
    )
    command.add_argument(
        "-A", "--all-experiments", action="store_true", help="include all DVC experiments"
    )
    command.add_argument(
        "--uri",
        help="a server or sqlite:///FILE; default: MLFLOW_TRACKING_URI, or mlflow.db",
    )


def add_plan(commands: Commands) -> None:
    command = commands.add_parser(
        "plan",
        help="estimate what a training run needs, before you rent a GPU",
        description="Estimate the tokens, the memory per GPU and the hours of the run in "
        "params.yaml. This needs the base model's configuration, but no weights. Without data/mix "
        "the rows' lengths are unknown, and the numbers are upper bounds.",
    )
    command.set_defaults(module="mathledger.plan")
    command.add_argument(
        "--gpu",
        default="H100-80GB",
        metavar="NAME",
        help="default: %(default)s; an unknown name prints the list",
    )
    command.add_argument(
        "--utilisation",
        type=share,
        default=0.4,
        metavar="SHARE",
        help="share of the GPU's peak that training reaches (MFU); default: %(default)s",
    )
    command.add_argument(
        "--tokens-per-second",
        type=positive_number,
        default=1000.0,
        metavar="N",
        help="tokens that one GPU generates per second; default: %(default).0f",
    )
    command.add_argument(
        "--dollars",
        type=positive_number,
        metavar="PRICE",
        help="price of a GPU hour, to add the cost",
    )


def add_review(commands: Commands) -> None:
    command = commands.add_parser(
        "review",
        help="write a page on which a person judges the filters' pairs",
        description="Write an HTML page with the most doubtful pairs of each class and a random "
        "draw of it. The stages obey the verdicts in conf/decontaminate/reviewed.jsonl and "
        "conf/deduplicate/reviewed.jsonl.",
    )
    command.set_defaults(module="mathledger.review")
    command.add_argument(
        "--html", type=to_write, default=REVIEW, metavar="FILE", help="default: %(default)s"
    )
    command.add_argument(
        "--pairs",
        type=positive_integer,
        default=10,
        metavar="N",
        help="doubtful pairs of each class, and as many drawn ones; default: %(default)s",
    )


def add_view(commands: Commands) -> None:
    command = commands.add_parser(
        "view",
        help="write a page to read the responses of several models side by side",
        description="Write one HTML page with items, references and the responses of the models, "
        "with filters by verdict, flip, subset, ending and overlap. Private benchmarks stay out.",
    )
    command.set_defaults(module="mathledger.view")
    command.add_argument(
        "names",
        nargs="*",
        metavar="MODEL|BENCHMARK",
        help="models, in the order of params.yaml, and benchmarks; default: all",
    )
    command.add_argument(
        "--out", type=to_write, default=VIEW, metavar="FILE", help="default: %(default)s"
    )
    command.add_argument(
        "--max-items",
        type=positive_integer,
        default=1000,
        metavar="N",
        help="items of each benchmark on the page; default: %(default)s",
    )
    command.add_argument(
        "--mlflow", action="store_true", help="attach the page to the result's run in MLflow"
    )


def add_pin(commands: Commands) -> None:
    command = commands.add_parser(
        "pin",
        help="write the pins of a benchmark on the hub into its file in conf/",
        description="Download the files of a benchmark, check the number of rows, and write commit "
        "and sha256 into conf/benchmark/NAME.yaml. `lm-eval` writes the file for a task of "
        "lm-evaluation-harness.",
    )
    command.set_defaults(module="mathledger.pin")
    command.add_argument("group", choices=["benchmark", "lm-eval"])
    command.add_argument(
        "name", metavar="NAME", help="the benchmark in conf/benchmark/, or the task"
    )
    command.add_argument("--revision", metavar="REV", help="default: the file's own, or main")
    command.add_argument(
        "--files", nargs="+", default=[], metavar="PATTERN", help="the files with the questions"
    )


ADD = [
    add_audit,
    add_diff,
    add_trace,
    add_compare,
    add_replicate,
    add_gate,
    add_verify,
    add_reproduce,
    add_attest,
    add_sync_mlflow,
    add_publish,
    add_plan,
    add_review,
    add_view,
    add_pin,
]  # in the order of the help


def main(argv: list[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    if not given:
        parser().print_help()
        return 2
    name = "mathledger"
    try:
        arguments = parser().parse_args(given)
        name = f"mathledger {arguments.command}"
        status = int(importlib.import_module(arguments.module).run(arguments))
        sys.stdout.flush()
    except InputError as error:
        said = without_secrets(f"{name}: {error}")
        print(terminal.printable(said), file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not (missing := what_is_missing(error)):
            raise
        print(f"{name}: {missing}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if not (fault := machine_fault(error)):
            raise
        print(terminal.printable(without_secrets(f"{name}: {fault}")), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    return status
