"""Render report.html, which shows the removed rows and the reasons, so that a person can judge.

The page is self-contained: it has no script and needs no network. It holds no date. Its layout is
in report.html.jinja, which escapes every text.
"""

from collections.abc import Sequence

from mathledger.card import funnel, pairs
from mathledger.card.outputs import Outputs
from mathledger.card.templating import environment
from mathledger.data.canary_forms import CONTROLS, COPIES


def share(value: float) -> str:
    """Format a share in percent; a small positive share never rounds to 0%.

    >>> share(0.0), share(0.00002), share(0.25)
    ('0%', '< 0.1%', '25.0%')
    """
    return "0%" if value == 0 else "< 0.1%" if value < 0.001 else f"{100 * value:.1f}%"


def page(outputs: Outputs, name: str, corpora: Sequence[str], benchmarks: Sequence[str]) -> str:
    """Render the HTML page of a finished pipeline.

    Args:
        name: the model's name.

    Raises:
        InputError: an input file is missing or damaged.
    """
    by_corpus, by_source = funnel.by_corpus(outputs, corpora), funnel.by_source(outputs, corpora)
    totals = [sum(column) for column in zip(*by_corpus.values(), strict=True)]
    assert totals == [sum(column) for column in zip(*by_source.values(), strict=True)]
    removed, variants = pairs.choose(outputs)
    templates = environment("mathledger.card", writes="html")
    templates.filters |= {"comma": "{:,}".format, "share": share}
    text = templates.get_template("report.html.jinja").render(
        name=name,
        steps=funnel.STEPS,
        by_corpus=by_corpus,
        by_source=funnel.largest(by_source),
        totals=totals,
        removals=funnel.removals(outputs, corpora),
        benchmarks=benchmarks,
        contamination=funnel.contamination(outputs, corpora, benchmarks),
        canaries=funnel.canaries(outputs),
        forms=COPIES | CONTROLS,
        pairs=removed,
        variants=variants,
    )
    return str(text)
