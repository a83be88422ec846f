"""Audit the evidence that a model card gives for its numbers: `mathledger audit CARD.md`.

The flow is card -> claims (from the model-index, tables and prose) and inputs -> findings ->
report. benchmarks.yaml and inputs.yaml hold the known names; arithmetic.py tests k of n.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mathledger import destination, terminal
from mathledger.audit import (
    batch,
    card,
    eval_results,
    evidence,
    findings,
    inputs,
    page,
    provenance,
    report,
    unread,
)
from mathledger.audit.blocks import Table, Text
from mathledger.audit.card import Card
from mathledger.audit.claims import settle
from mathledger.audit.fetch import is_name
from mathledger.audit.methods import METRIC
from mathledger.audit.model_index import model_index
from mathledger.audit.owners import name_of
from mathledger.audit.prose import intro_of, text_claims
from mathledger.audit.tables import table_claims
from mathledger.audit.types import Audit, Claim, Unread
from mathledger.core.errors import InputError

if TYPE_CHECKING:
    from mathledger.audit.fetch import Fetched
    from mathledger.filters.overlap_index import Thresholds

MAX_CLAIMS = 15_000
LEDGER = "ledger.json"  # next to a card that this project wrote


def audit(
    path: Path,
    *,
    repo: str | None = None,
    only_model_index: bool = False,
    data: Path | None = None,
    thresholds: "Thresholds | None" = None,
    known: Path | None = None,
    fetched: "Fetched | None" = None,
) -> Audit:
    """Audit a card.

    Args:
        repo: ORG/NAME of the card's model, if known.
        data: Folder of corpora in which benchmark items are counted.
        thresholds: Thresholds of that search; None if `data` holds the results of one.
        known: File of published results.
        fetched: Record of the download, if the card came from the hub.

    Raises:
        InputError: If one of the inputs cannot be read.
    """
    text = card.read(path, repo or repo_of(path))
    if only_model_index and "model-index" not in text.metadata:
        raise InputError(f"{path} has no model-index in its front matter: leave --model-index out")
    left_out = Unread()
    claims = [*islice(_claims(text, left_out, only_model_index), MAX_CLAIMS + 1)]
    is_cut = len(claims) > MAX_CLAIMS
    claims = sorted(claims[:MAX_CLAIMS], key=lambda claim: claim.line)
    settle(claims)
    evidence.attach(text.body, claims, text.own)
    is_family = not any(name.sizes for name in text.own.names)
    for claim in claims:
        if claim.whose == "other" and not text.own.names:
            claim.whose = "unclear"  # Nothing says which model the card is about.
        claim.is_member = bool(is_family and claim.model and name_of(claim.model).sizes)
    unread.count(text, claims, left_out)
    stated = inputs.read(text)
    all_findings = [*findings.of_claims(claims, text.body), *provenance.of_inputs(claims, stated)]
    if data:
        from mathledger.audit import measured

        all_findings += measured.measure(data, claims, stated, thresholds)
    if known:
        from mathledger.audit import published

        all_findings += published.compare(claims, published.read(known))
    all_findings += eval_results.leaderboard(claims)
    if (path.parent / LEDGER).is_file():
        from mathledger.audit import carried

        all_findings += carried.compare(path.parent / LEDGER, text.path, claims)
    found = findings.in_order(all_findings)
    result = Audit(text, text.own, claims, found, left_out, stated.licences, is_cut)
    return replace(result, commit=fetched.commit, note=fetched.note) if fetched else result


def repo_of(path: Path) -> str | None:
    """Return ORG/NAME if the file is called ORG__NAME.md."""
    match = re.fullmatch(r"([\w.-]{1,96}?)__([\w.-]{1,96})\.md", path.name)
    return f"{match[1]}/{match[2]}" if match else None


def _claims(text: Card, left_out: Unread, only_model_index: bool) -> Iterator[Claim]:
    yield from model_index(text, MAX_CLAIMS + 1)
    yield from eval_results.eval_results(text.path)
    blocks = [] if only_model_index else text.body.blocks
    notes_of = (" ".join(block.plain)[:1000] for block in blocks if isinstance(block, Text))
    notes = " ".join(islice((text for text in notes_of if METRIC.search(text)), 20))
    intro = None
    for number, block in enumerate(blocks):
        if isinstance(block, Table):
            yield from table_claims(block, number, text.own, left_out, notes)
        elif isinstance(block, Text):
            if not block.is_item:
                intro = intro_of(block)
            yield from text_claims(block, text.own, left_out, intro)


def search_thresholds(data: Path) -> "Thresholds | None":
    """Load the project's own thresholds; None if the folder holds the results of a search."""
    from mathledger.audit import measured

    if not data.is_dir() or measured.is_searched(data):
        return None
    from mathledger.filters.decontaminate import Params
    from mathledger.run import params

    return params.load("decontaminate", Params).thresholds


def run(arguments: argparse.Namespace) -> int:
    """Print the report of one card, or the table of a folder's cards."""
    path: Path = arguments.card
    if arguments.html:
        destination.check_file(arguments.html)
    if arguments.model is not None and not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?", arguments.model):
        raise InputError(f"--model needs ORG/NAME, not {arguments.model[:60]!r}")
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise InputError(f"{str(path)[:60]} cannot be read: {error.strerror}") from None
    if is_folder:
        return _run_folder(path, arguments)
    fetched = None
    if not path.exists() and is_name(str(path)):
        from mathledger.audit.fetch import fetch

        fetched = fetch(str(path))
    result = _audited(fetched.path if fetched else path, arguments, fetched)
    if arguments.html:
        destination.write(arguments.html, page.html([(result.title, result, None)]))
    if arguments.json:
        print(terminal.json_text(report.as_json(result), 2))
    elif not arguments.html:
        terminal.show(report.markdown(result), {r"^#+ .*": "bold"})
    return _status([result], arguments.fail_on)


def _audited(path: Path, arguments: argparse.Namespace, fetched: "Fetched | None" = None) -> Audit:
    data: Path | None = arguments.data
    return audit(
        path,
        repo=arguments.model or (fetched.repo if fetched else None),
        only_model_index=arguments.model_index,
        data=data,
        thresholds=search_thresholds(data) if data else None,
        known=arguments.known,
        fetched=fetched,
    )


def _run_folder(folder: Path, arguments: argparse.Namespace) -> int:
    if arguments.model:
        raise InputError(f"--model names one model, and {folder} is a folder of cards: omit it")
    entries = []
    for path in batch.cards(folder):
        name = path.relative_to(folder).as_posix()
        try:
            entries.append(batch.Entry(name, _audited(path, arguments), None))
        except InputError as error:
            entries.append(batch.Entry(name, None, str(error)))
    results = [entry.audit for entry in entries if entry.audit]
    if arguments.html:
        destination.write(arguments.html, page.html([(e.name, e.audit, e.error) for e in entries]))
    if arguments.json:
        told = [
            {"file": entry.name, "error": entry.error}
            | ({"audit": report.as_json(entry.audit)} if entry.audit else {"audit": None})
            for entry in entries
        ]
        print(terminal.json_text(told, 2))
    elif not arguments.html:
        terminal.show(batch.markdown(folder, entries), {r"^#+ .*": "bold"})
    return _status(results, arguments.fail_on)


def _status(results: list[Audit], fail_on: str | None) -> int:
    """Return 1 if a card has a finding of the strength of --fail-on or stronger."""
    if fail_on is None:
        return 0
    wanted = report.STRENGTHS[: report.STRENGTHS.index(fail_on) + 1]
    return int(any(finding.strength in wanted for one in results for finding in one.findings))
