"""What evidence a model card gives for its numbers: `mathledger audit CARD.md`.

card -> claims (of the model-index, tables and prose) and inputs -> findings -> report. What is
known by name stands in benchmarks.yaml and inputs.yaml, the arithmetic of k of n in arithmetic.py.
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mathledger import terminal
from mathledger.audit import card, evidence, findings, inputs, provenance, report
from mathledger.audit.blocks import Table, Text
from mathledger.audit.card import Card
from mathledger.audit.claims import own_names
from mathledger.audit.model_index import model_index
from mathledger.audit.prose import text_claims
from mathledger.audit.tables import table_claims
from mathledger.audit.types import Audit, Claim
from mathledger.core.errors import InputError

if TYPE_CHECKING:
    from mathledger.filters.overlap_index import Thresholds

MAX_CLAIMS = 1000


def audit(
    path: Path,
    *,
    only_model_index: bool = False,
    data: Path | None = None,
    thresholds: "Thresholds | None" = None,
    known: Path | None = None,
) -> Audit:
    """Audit a card.

    Args:
        data: a folder of corpora, in which benchmark items are counted.
        thresholds: of that search; None if data holds the results of one.
        known: a file of published results.

    Raises:
        InputError: one of them cannot be read.
    """
    page = card.read(path)
    if only_model_index and "model-index" not in page.metadata:
        raise InputError(f"{path} has no model-index in its front matter: leave --model-index out")
    unread: list[int] = []
    claims = [*islice(_claims(page, unread, only_model_index), MAX_CLAIMS + 1)]
    is_cut = len(claims) > MAX_CLAIMS
    claims = sorted(claims[:MAX_CLAIMS], key=lambda claim: claim.line)
    evidence.attach(page, claims)
    stated = inputs.read(page)
    all_findings = [*findings.of_claims(claims), *provenance.of_inputs(claims, stated)]
    if data:
        from mathledger.audit import measured

        all_findings += measured.measure(data, claims, stated, thresholds)
    if known:
        from mathledger.audit import published

        all_findings += published.compare(claims, published.read(known))
    return Audit(page, claims, findings.in_order(all_findings), sorted(set(unread)), is_cut)


def _claims(page: Card, unread: list[int], only_model_index: bool) -> Iterator[Claim]:
    yield from model_index(page, MAX_CLAIMS + 1)
    own = own_names(page)
    for block in [] if only_model_index else page.blocks:
        if isinstance(block, Table):
            yield from table_claims(block, own, unread)
        elif isinstance(block, Text):
            yield from text_claims(block, own, unread)


def search_thresholds(data: Path) -> "Thresholds | None":
    """The project's own, unless the folder holds the results of a search."""
    from mathledger.audit import measured

    if not data.is_dir() or measured.is_searched(data):
        return None
    from mathledger.filters.decontaminate import Params
    from mathledger.run import params

    return params.load("decontaminate", Params).thresholds


def run(arguments: argparse.Namespace) -> int:
    """Print the report."""
    data: Path | None = arguments.data
    result = audit(
        arguments.card,
        only_model_index=arguments.model_index,
        data=data,
        thresholds=search_thresholds(data) if data else None,
        known=arguments.known,
    )
    if arguments.json:
        print(terminal.json_text(report.as_json(result), 2))
    else:
        terminal.show(report.markdown(result), {r"^#+ .*": "bold"})
    return 0
