"""What evidence a model card gives for its numbers: `mathledger audit CARD.md`.

card -> claims (of the model-index, tables and prose) and inputs -> findings -> report. What is
known by name stands in benchmarks.yaml and inputs.yaml, the arithmetic of k of n in arithmetic.py.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mathledger.audit import card, evidence, findings, inputs, provenance, report
from mathledger.audit.blocks import Table, Text
from mathledger.audit.card import Card
from mathledger.audit.claims import own_names
from mathledger.audit.model_index import model_index
from mathledger.audit.prose import text_claims
from mathledger.audit.tables import table_claims
from mathledger.audit.types import Audit, Claim
from mathledger.core import terminal
from mathledger.core.errors import InputError

MAX_CLAIMS = 1000


def audit(
    path: Path,
    *,
    only_model_index: bool = False,
    data: Path | None = None,
    known: Path | None = None,
) -> Audit:
    """Audit a card; data is a folder of corpora, known a file of published results.

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
    found = [*findings.of_claims(claims), *provenance.of_inputs(claims, stated)]
    if data:
        from mathledger.audit import measured

        found += measured.measure(data, claims, stated)
    if known:
        from mathledger.audit import published

        found += published.compare(claims, published.read(known))
    return Audit(page, claims, findings.in_order(found), sorted(set(unread)), is_cut)


def _claims(page: Card, unread: list[int], only_model_index: bool) -> Iterator[Claim]:
    yield from model_index(page, MAX_CLAIMS + 1)
    own = own_names(page)
    for block in [] if only_model_index else page.blocks:
        if isinstance(block, Table):
            yield from table_claims(block, own, unread)
        elif isinstance(block, Text):
            yield from text_claims(block, own, unread)


def run(arguments: argparse.Namespace) -> int:
    """The command: print the report."""
    result = audit(
        arguments.card,
        only_model_index=arguments.model_index,
        data=arguments.data,
        known=arguments.known,
    )
    if arguments.json:
        print(terminal.json_text(report.as_json(result), 2))
    else:
        sys.stdout.write(terminal.printable(report.markdown(result)))
    return 0
