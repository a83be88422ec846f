"""The command line: `mathledger COMMAND ...`, also `python -m mathledger COMMAND ...`.

Each command is one module or package here with `run(arguments) -> int`, its exit status; it is
imported when it is asked for. A wrong input ends in one line and exit status 2.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

from mathledger.core.errors import InputError

SIGNATURE = Path("model.sig")


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

    diff = commands.add_parser(
        "diff",
        help="what changed between the numbers of two states, and why",
        description="A and B are revisions, experiments, `workspace`, or model cards with their "
        "ledger (a folder, its README.md or ledger.json). Exit status 0 whatever differs, 2 where "
        "a side cannot be read.",
    )
    diff.add_argument("a", metavar="A")
    diff.add_argument("b", metavar="B")
    diff.add_argument(
        "benchmark", nargs="?", metavar="BENCHMARK[@MODEL]", help="only these numbers"
    )
    diff.add_argument("--json", action="store_true", help="all of it, as JSON")
    trace = commands.add_parser(
        "trace",
        help="where a number, a training row or a benchmark item comes from",
        description="Follow a number on the card, a training row or a benchmark item back to the "
        "pinned downloads. Needs the files of `dvc pull`.",
    )
    trace.add_argument(
        "target",
        nargs="+",
        metavar="TARGET",
        help="BENCHMARK[@MODEL]; or `row ID`: a training row, by the head of its id; or "
        "`item BENCHMARK/ID`",
    )
    trace.add_argument("--rev", help="a commit, branch or experiment; the files as they stand")
    form = trace.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON, with every digest whole")
    form.add_argument(
        "--html", type=_absolute, metavar="FILE", help="a page with a number's chain as a graph"
    )
    compare = commands.add_parser(
        "compare",
        help="experiments as a table: scores, significance, rows, cost",
        description="Set experiments and revisions beside a baseline: scores with intervals, tests "
        "paired by item, rows trained on, and what training cost. Without names: HEAD and its "
        "experiments.",
    )
    compare.add_argument(
        "revisions", nargs="*", metavar="REV|EXP", help="a commit, a branch, an experiment"
    )
    compare.add_argument(
        "--baseline", metavar="REV|EXP", help="default: HEAD, or the first of those named"
    )
    form = compare.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="Markdown tables")
    form.add_argument("--csv", action="store_true", help="a line for each score, all digits")
    form.add_argument("--json", action="store_true", help="all of it, as JSON")

    verify = commands.add_parser(
        "verify",
        help="whether everything that the card rests on still holds",
        description="Check a clone, after `dvc pull`: every digest, every response graded anew, "
        "every number computed anew. A line for each link of the chain; exit status 1 where one "
        "does not hold.",
    )
    verify.add_argument(
        "--deep", type=_at_least_one, metavar="N", help="generate N responses anew, by chance"
    )
    _add_options_of_verify(verify)

    attest = commands.add_parser(
        "attest",
        help="sign the model and its ledger",
        description="Verify, then sign the final model's files with the card and the ledger "
        "(OpenSSF model signing). Offline with a key, or with a key and its certificate.",
    )
    attest.add_argument("--signature", type=_absolute, default=SIGNATURE, metavar="FILE")
    by = attest.add_mutually_exclusive_group(required=True)
    by.add_argument("--private-key", type=_absolute, metavar="PEM", help="an elliptic-curve key")
    by.add_argument(
        "--keyless", action="store_true", help="by your identity, through Sigstore; needs network"
    )
    attest.add_argument("--certificate", type=_absolute, metavar="PEM", help="of the private key")
    attest.add_argument(
        "--certificate-chain", type=_absolute, nargs="+", default=[], metavar="PEM", help="of that"
    )
    _add_overrides(attest)

    sync = commands.add_parser(
        "sync-mlflow",
        help="rebuild the runs in MLflow from git and lineage/",
        description="Write the runs that these states of the project tell of, and the store lacks. "
        "What the store holds is left alone, so that a second time writes nothing.",
    )
    sync.add_argument(
        "revisions",
        nargs="*",
        metavar="REV",
        help="revisions or experiments; the files as they stand unless given",
    )
    sync.add_argument(
        "-A", "--all-experiments", action="store_true", help="all of DVC's experiments as well"
    )
    sync.add_argument(
        "--uri",
        help="of the store: a server, or sqlite:///FILE; else MLFLOW_TRACKING_URI, mlflow.db",
    )

    publish = commands.add_parser(
        "publish",
        help="write, and upload, what goes to the hub",
        description="Verify, then write FOLDER/model (weights, card, ledger, signature) and "
        "FOLDER/results (every response, as a dataset). Only --upload sends anything.",
    )
    publish.add_argument("folder", type=_absolute, metavar="FOLDER", help="a new folder")
    publish.add_argument("--upload", metavar="ORG/NAME", help="the model's repository on the hub")
    publish.set_defaults(deep=None)
    _add_options_of_verify(publish)
    return top


def _add_options_of_verify(command: argparse.ArgumentParser) -> None:
    """What `publish` verifies with, too."""
    _add_overrides(command)
    command.add_argument(
        "--signature",
        type=_absolute,
        nargs="?",
        const=SIGNATURE,
        metavar="FILE",
        help=f"check the signature, {SIGNATURE} unless given, with one of these:",
    )
    command.add_argument("--public-key", type=_absolute, metavar="PEM", help="the signer's key")
    command.add_argument(
        "--certificate-chain", type=_absolute, nargs="+", metavar="PEM", help="root certificates"
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


def _check_signer(arguments: argparse.Namespace) -> None:
    """How a signature is checked must be said, once, and only with a signature to check."""
    by_identity = arguments.identity and arguments.identity_provider
    ways = [arguments.public_key, arguments.certificate_chain, by_identity]
    num_ways = sum(map(bool, ways))
    if arguments.signature and num_ways != 1:
        raise InputError(
            "--signature wants one of --public-key, --certificate-chain, or --identity with "
            "--identity-provider: a signature proves nothing without its signer"
        )
    for path in (arguments.public_key, *(arguments.certificate_chain or [])):
        if path and not path.is_file():
            raise InputError(f"{path}: there is no such key or certificate")
    if not arguments.signature and (num_ways or arguments.identity or arguments.identity_provider):
        raise InputError("a signer is given, but no --signature to check")


def _absolute(text: str) -> Path:
    """A path as the caller means it: commands that need the project's folder change to it."""
    return Path(text).absolute()


def _at_least_one(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    if not given:
        parser().print_help()
        return 2
    arguments = parser().parse_args(given)
    try:
        if arguments.command in ("verify", "publish"):
            _check_signer(arguments)
        command = importlib.import_module(f"mathledger.{arguments.command.replace('-', '_')}")
        status = int(command.run(arguments))
        sys.stdout.flush()
    except InputError as error:
        print(f"mathledger {arguments.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
