"""Which k of n items a claim can stand for, for each number of items that it may be of."""

import re

from mathledger.audit import known
from mathledger.audit.arithmetic import Fit, fit
from mathledger.audit.types import Claim


def sizes_of(claim: Claim) -> list[known.Size]:
    """How many items the claim may be of: what the card says, else what is known."""
    stated = re.fullmatch(r"(?i)n\s?=\s?(\d+)", claim.stated.get("n", ""))
    n = claim.count[1] if claim.count else int(stated[1]) if stated else 0
    if n:
        return [known.Size(n, "as the card says", "")]
    if not claim.benchmark or known.benchmarks()[claim.benchmark].is_mean:
        return []
    benchmark = known.benchmarks()[claim.benchmark]
    if claim.subset:
        n = benchmark.subsets[claim.subset]
        return [known.Size(n, claim.subset, benchmark.sizes[0].source)]
    said = re.match(r"\d+", claim.stated.get("n", ""))
    own = [size for size in benchmark.sizes if said and size.n == int(said[0])]
    return own or list(benchmark.sizes)


def fits(claim: Claim) -> list[tuple[known.Size, Fit]]:
    """The k of n that the claim can stand for, by number of items; nothing where it is vague."""
    if claim.value is None or claim.is_about:
        return []
    return [(size, fit(claim.value, size.n, claim.passes or 1)) for size in sizes_of(claim)]
