"""Write the ledger's numbers next to the responses, in the formats that others read.

    results/every_eval_ever/ records in the schema of Every Eval Ever
    results/eval_result/     in-toto statements with the draft predicate `eval-result`
    results/croissant.json   Croissant 1.1, with a digest of every row

All numbers come from the ledger, and all dates from the lineage. Private benchmarks are left out.
"""

from collections.abc import Iterable
from pathlib import Path

from mathledger.card.outputs import Outputs
from mathledger.chain.chain import Chain
from mathledger.publish import (
    croissant_results,
    eval_result_predicate,
    every_eval_ever,
)
from mathledger.release.measured import measured


def write(folder: Path, chain: Chain, private: Iterable[str]) -> None:
    """Write every export.

    Args:
        folder: the folder with results/, which has the responses already.
        private: the names of the benchmarks that are left out.
    """
    ledger, scores = chain.ledger, measured(chain, set(private))
    every_eval_ever.write(folder / "results", ledger, scores)
    eval_result_predicate.write(folder / "results", chain, scores)
    croissant_results.write(folder / "results", ledger, Outputs(chain.at), scores)
