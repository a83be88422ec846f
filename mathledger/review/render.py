"""Render the page on which a person judges pairs.

The page needs no network and no other file. Its script collects the verdicts, keeps them in the
browser's storage under the digest of the page's pairs, and writes the lines of the overlays.
"""

from collections.abc import Sequence

from mathledger.card.templating import environment
from mathledger.core.hashing import content_id
from mathledger.review.compute import Shown


def page(shown: Sequence[Shown], num_withheld: int) -> str:
    """Return the HTML page.

    Args:
        num_withheld: Number of pairs that are not shown because of private benchmarks.
    """
    text = (
        environment("mathledger.review", writes="html")
        .get_template("page.html.jinja")
        .render(
            pairs=shown,
            num_withheld=num_withheld,
            files=sorted({each.file for each in shown}),
            key=content_id(*(each.pair for each in shown)),
        )
    )
    return str(text)
