"""Format claims, lines and numbers for findings and the report."""

from fractions import Fraction

from mathledger.audit import known
from mathledger.audit.types import Claim


def percent(value: Fraction | float, decimals: int = 2) -> str:
    """Format a percentage without needless zeros.

    >>> percent(Fraction(2900, 30)), percent(60)
    ('96.67', '60')
    """
    return f"{float(value):.{decimals}f}".rstrip("0").rstrip(".")


def benchmark_of(claim: Claim) -> str:
    name = known.benchmarks()[claim.benchmark].name if claim.benchmark else claim.label
    return f"{name}, {claim.subset}" if claim.subset else name


def whose(claim: Claim) -> str:
    """Say whose model the claim is about."""
    if claim.whose == "this":
        return "this model" + (f": {claim.model}" if claim.model and claim.is_member else "")
    if claim.whose == "family":
        return f"{claim.model} (same family)"
    return (
        str(claim.model)
        if claim.whose == "other"
        else "unclear" + (f" ({claim.model})" if claim.model else "")
    )


def span(ks: range) -> str:
    return f"{ks[0]:,}" if len(ks) == 1 else f"{ks[0]:,} to {ks[-1]:,}"


def passes(number: int) -> str:
    return "one pass" if number == 1 else f"{number} passes"


def lines_of(claims: list[Claim]) -> list[int]:
    return sorted({claim.line for claim in claims if claim.file is None})


def on_lines(claims: list[Claim]) -> str:
    lines = lines_of(claims)
    return f"{'line' if len(lines) == 1 else 'lines'} {', '.join(str(line) for line in lines)}"


def brief(claims: list[Claim]) -> str:
    """List the claims of a finding for its title."""
    names = list(dict.fromkeys(f"{benchmark_of(claim)} {claim.text}" for claim in claims))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def titled(lead: str, claims: list[Claim]) -> str:
    """Return a finding's title, which names only numbers of this model."""
    own = [claim for claim in claims if claim.whose == "this"]
    return f"{lead} {brief(own) if own else 'some values of others of its family'}"


def urls(sources: list[str]) -> list[str]:
    return list(dict.fromkeys(source for source in sources if source.startswith("http")))


def said(claim: Claim) -> str:
    where = f"{claim.file}, line" if claim.file else "Line"
    return f"{where} {claim.line}: {benchmark_of(claim)} {claim.text} ({whose(claim)})"
