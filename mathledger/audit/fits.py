"""Fit a claim to k of n items, for each possible number of items."""

import re

from mathledger.audit import known
from mathledger.audit.arithmetic import Fit, fit
from mathledger.audit.claims import NO_SHARE
from mathledger.audit.methods import is_vote
from mathledger.audit.types import Claim

_SEVERAL = re.compile(r"(?i)pass\s?@\s?(?!1\b)\d")


def _stated_n(claim: Claim) -> int:
    stated = re.fullmatch(r"(?i)n\s?=\s?(\d+)", claim.stated.get("n", ""))
    return claim.count[1] if claim.count else int(stated[1]) if stated else 0


def sizes_of(claim: Claim) -> list[known.Size]:
    """Return the numbers of items that the claim may be over: stated ones, else known ones."""
    n = _stated_n(claim)
    if n:
        return [known.Size(n, "as the card says", "", "")]
    if not claim.benchmark or known.benchmarks()[claim.benchmark].is_mean:
        return []
    benchmark = known.benchmarks()[claim.benchmark]
    if claim.subset:
        if claim.subset not in benchmark.subsets:
            return []
        source = benchmark.sizes[0]
        return [
            known.Size(benchmark.subsets[claim.subset], claim.subset, source.source, source.seen)
        ]
    said = re.match(r"\d+", claim.stated.get("n", ""))
    own = [size for size in benchmark.sizes if said and size.n == int(said[0])]
    return own or list(benchmark.sizes)


def has_fixed_size(claim: Claim) -> bool:
    """Return True if the number of items is stated or equal in all known copies."""
    if _stated_n(claim):
        return True
    return bool(claim.benchmark and known.benchmarks()[claim.benchmark].is_fixed)


def fits(claim: Claim) -> list[tuple[known.Size, Fit]]:
    """Return the k of n that the claim can stand for, by number of items.

    The list is empty if the claim is vague or its value is not a share of items: a vote over
    samples, an estimated pass@k, a score rescaled by a leaderboard, F1, or a part of the items.
    """
    if claim.value is None or claim.is_about or claim.is_normalised or claim.is_repeated:
        return []
    if claim.is_partial and not _stated_n(claim):
        return []
    metric = claim.metric or ""
    if is_vote(metric) or _SEVERAL.search(metric) or NO_SHARE.search(metric):
        return []
    return [(size, fit(claim.value, size.n, claim.passes or 1)) for size in sizes_of(claim)]
