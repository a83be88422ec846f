"""The records of the ledger that hold the probes of memorisation."""

from pydantic import Field

from mathledger.card.quantities import Count, Sha256, Share
from mathledger.core.typed import Record
from mathledger.evaluation.parts import Part


class Difference(Record):
    """A difference between two groups, with its unadjusted p-value."""

    against: str
    difference: float
    low: float | None = None
    high: float | None = None
    p_value: Share
    is_higher: bool


class _OfModel(Record):
    benchmark: str
    model: str


class SignificantTest(Difference, _OfModel):
    """A test that is significant after Holm's adjustment."""

    p_adjusted: Share


class TwinDrop(Record):
    """Accuracy on some items, and accuracy on their number-changed twins."""

    num_items: Count
    accuracy: Share | None
    accuracy_twins: Share | None
    drop: Difference | None


class TwinsRow(_OfModel):
    """The twins probe of one model on one benchmark."""

    all: TwinDrop
    overlapping: TwinDrop
    tests: list[Difference]


class Verbatim(Record):
    """The rate of problems that a model completes verbatim from their first half."""

    num: Count
    num_verbatim: Count
    verbatim_rate: Share
    verbatim_low: Share
    verbatim_high: Share
    mean_prefix_rate: Share
    mean_rouge_l: Share


class CompletionsRow(_OfModel):
    """The completion probe of one model on one benchmark."""

    items: Verbatim | None
    twins: Verbatim | None
    controls: Verbatim | None
    left_out: dict[str, Count]
    tests: list[Difference]


class ResponsesRow(_OfModel):
    """The mean shares of a response's n-grams that appear in training or other solutions."""

    num_items: Count
    num_solutions: Count
    num_solutions_kept: Count
    solutions_share: Share | None
    unrelated_share: Share | None
    num_with_reference: Count
    reference_share: Share | None
    num_others: Count
    others_reference_share: Share | None
    tests: list[Difference]


class Right(Record):
    """The rate of right answers to some problems."""

    num: Count
    num_correct: Count
    accuracy: Share
    accuracy_low: Share
    accuracy_high: Share


class PartsRow(_OfModel):
    """The answers of one model to one part of a benchmark's problems, with their controls."""

    part: Part
    whole_accuracy: Share  # on the same items, shown in full
    items: Right | None
    twins: Right | None
    overlapping: Right | None  # items that the corpora hold
    others: Right | None  # items that they do not hold
    tests: list[Difference]


class Parts(Record):
    """The probe for answers from part of the problem."""

    rows: list[PartsRow]
    left_out: dict[str, dict[str, Count]] = Field(
        description="For each benchmark, the number of items that are not probed, by reason."
    )
    num_tests: Count
    evidence: list[SignificantTest]
    parts_sha256: dict[str, Sha256]


class Twins(Record):
    rows: list[TwinsRow]
    num_tests: Count
    evidence: list[SignificantTest]


class Completions(Record):
    rows: list[CompletionsRow]
    num_tests: Count
    evidence: list[SignificantTest]
    completions_sha256: dict[str, Sha256]


class Responses(Record):
    ngram_size: Count
    rows: list[ResponsesRow]
    num_tests: Count
    evidence: list[SignificantTest]


class Memorisation(Record):
    twins: Twins
    completions: Completions
    parts: Parts | None = None  # null in ledgers of before this probe
    responses: Responses
