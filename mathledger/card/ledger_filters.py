"""The ledger's records of what the filters did; ledger.py explains records."""

from typing import Literal

from mathledger.card.quantities import Count, Share
from mathledger.core.typed import Record


class Planted(Record):
    """Rows that were planted in the corpora to test the filters."""

    kind: str
    num_planted: Count
    num_removed: Count


class Canaries(Record):
    """Changed copies of benchmark items that test the contamination filter."""

    form: str
    is_control: bool
    num: Count
    num_found: Count
    found_rate: Share
    low: Share
    high: Share


class Verdicts(Record):
    """People's verdicts about pairs of training problems."""

    num_same: Count
    num_different: Count
    num_stale: Count


class Reviewed(Verdicts):
    """People's verdicts about pairs of a training text and an item."""

    num_overruled: Count


class Remaining(Record):
    """Estimated number of leaks that neither proposer finds, with its 95% interval."""

    value: float
    low: Count
    high: Count


class Leaks(Record):
    """Numbers of distinct leaks by the proposer that finds them (filters/remaining.py)."""

    first: str
    second: str
    num_first: Count
    num_second: Count
    num_both: Count
    remaining: Remaining | None


class Judged(Record):
    """A language model's verdicts about the pairs that an embedding model proposes."""

    model: str
    prompt: str
    num_same: Count
    num_different: Count
    num_undecided: Count
    num_private: Count


class Decontamination(Record):
    """The settings and the results of decontamination."""

    action: Literal["remove", "flag", "keep"]
    variants: Literal["kept", "removed"]
    canaries: list[Canaries]
    num_items_checked: Count
    num_variant_hits: Count
    reviewed: Reviewed | None = None
    reviewed_copies: Verdicts | None = None
    leaks: Leaks | None = None
    judged: Judged | None = None
