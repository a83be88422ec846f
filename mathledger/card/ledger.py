"""The ledger: every number of the card, as typed records.

`model_card/ledger.json` is an in-toto Statement about these (statement.py), and
docs/ledger.schema.json is generated from them (`make params`). A record is built once, from what
the stages wrote or from a ledger.json, and refuses unknown keys, wrong types and NaN. Its fields
stand in the order of the file. A field with a default is missing from older ledgers, or from those
that have no use for it; what was never set is not written (`content`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from mathledger.core.typed import Record

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Of a file's bytes.")]
Md5 = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{32}(\.dir)?$", description="DVC's digest; ends in .dir for a folder."
    ),
]


class Interval(Record):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


class Score(Record):
    """Accuracy over some items with its 95% interval; null for no items."""

    num_items: Count
    num_samples: Count
    num_correct: Count
    accuracy: Share | None
    low: Share | None
    high: Share | None

    def statistics(self) -> dict[str, float | None]:
        """Return the fields that every score has."""
        return {key: getattr(self, key) for key in Score.model_fields}

    @property
    def interval(self) -> Interval | None:
        """Return the accuracy with its interval; None for no items."""
        if self.accuracy is None or self.low is None or self.high is None:
            return None
        return Interval(value=self.accuracy, low=self.low, high=self.high)


class ResponseLengths(Record):
    """Histogram of tokens: the first bin holds 1 to bin_width, the last all that were cut."""

    limit: Count
    bin_width: Count
    counts: list[Count]


class ModelScore(Score):
    """What one model's responses to one benchmark give."""

    accuracy: Share
    low: Share
    high: Share
    pass_at: dict[str, Interval] = Field(description="pass@k by k; empty for one response an item.")
    majority: Interval | None = Field(
        description="The most frequent answer is right; null for one response an item."
    )
    items_without_overlap: Score
    items_with_overlap: Score
    overlap_gap: Interval | None = Field(description="Accuracy with overlap minus without.")
    subsets: dict[str, dict[str, Score]] = Field(
        description="By key (subject, level) and each of its values."
    )
    num_truncated: Count
    num_truncated_correct: Count | None = None
    num_too_long: Count
    num_no_answer: Count
    mean_num_tokens: Annotated[float, Field(ge=0)]
    num_judged_by_harness: Count
    num_harness_disagreements: Count
    response_lengths: ResponseLengths
    graders: Annotated[list[str], Field(min_length=1)]
    dtype: str | None
    batch_size: Count | None
    backend: str
    task_version: int | float | str | None
    samples_sha256: Sha256


class Comparison(Record):
    """Two models, paired by item."""

    model: str
    against: str
    difference: Interval
    p_value: Share
    num_gained: Count
    num_lost: Count
    minimum_detectable: Share | None
    p_holm: Share = Field(description="Corrected for all comparisons of the ledger.")


class BenchmarkSource(Record):
    """Where a benchmark's items come from."""

    name: str
    revision: str
    licence: str
    items_digest: str = Field(description="Of the texts and answers, whatever the file's encoding.")


class Benchmark(Record):
    benchmark: str
    about: str
    source: BenchmarkSource
    num_items: Annotated[int, Field(ge=1)]
    num_repeats: Annotated[int, Field(ge=1)]
    num_items_overlapping_training_candidates: Count
    models: Annotated[dict[str, ModelScore], Field(min_length=1)]
    comparisons: list[Comparison]


class Licence(Record):
    """The licence that the inputs ask for; id is null if that of an input is not known."""

    id: str | None
    name: str | None
    source: str | None
    on_hub: bool
    unknown: list[str] = Field(description="The inputs whose licence is not known.")


class StatedScore(Record):
    """A score that another card states: not measured here."""

    model: str
    benchmark: str
    low: Share
    high: Share
    source: str
    is_evaluated: bool


class _Input(Record):
    """What a stage downloaded."""

    kind: str | None = None
    name: str
    revision: str
    licence: str


class BaseModelInput(_Input):
    base_model: str | None
    about: str


class File(Record):
    bytes: Count
    sha256: Sha256


class Corpus(_Input):
    files: dict[str, File]


class Planted(Record):
    """Rows that were built into the corpora to be found."""

    kind: str
    num_planted: Count
    num_removed: Count


class Canaries(Record):
    """Changed copies of benchmark items that the filter was shown."""

    form: str
    is_control: bool
    num: Count
    num_found: Count
    found_rate: Share
    low: Share
    high: Share


class Decontamination(Record):
    action: Literal["remove", "flag", "keep"]
    variants: Literal["kept", "removed"]
    canaries: list[Canaries]
    num_items_checked: Count
    num_variant_hits: Count


class Difference(Record):
    """A difference between two groups, with its p value before any adjustment."""

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
    """Accuracy on some items and on their number-changed twins."""

    num_items: Count
    accuracy: Share | None
    accuracy_twins: Share | None
    drop: Difference | None


class TwinsRow(_OfModel):
    all: TwinDrop
    overlapping: TwinDrop
    tests: list[Difference]


class Verbatim(Record):
    """Problems that were continued from their first half."""

    num: Count
    num_verbatim: Count
    verbatim_rate: Share
    verbatim_low: Share
    verbatim_high: Share
    mean_prefix_rate: Share
    mean_rouge_l: Share


class CompletionsRow(_OfModel):
    items: Verbatim | None
    twins: Verbatim | None
    controls: Verbatim | None
    left_out: dict[str, Count]
    tests: list[Difference]


class ResponsesRow(_OfModel):
    """Mean shares of a response's n-grams that stand in some solutions."""

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
    responses: Responses


class Training(Record):
    """metrics/train.json, and how many examples were set aside for validation."""

    num_examples: Count
    num_too_long: Count
    num_sequences: Count
    num_steps: Count
    effective_batch_size: Count
    num_trainable_parameters: Count
    num_tokens_seen: Count
    num_tokens_per_epoch: Count
    longest_row_tokens: Count
    first_loss: float
    last_loss: float
    first_validation_loss: float
    last_validation_loss: float
    num_validation: Count


class Reinforcement(Record):
    """metrics/reinforce.json."""

    num_problems: Count
    num_rows_left_out: Count
    num_steps: Count
    effective_batch_size: Count
    num_trainable_parameters: Count
    num_tokens_seen: Count
    first_reward: float
    last_reward: float
    first_validation_reward: float
    last_validation_reward: float


class Answer(Record):
    """What the model answered to the held-out problem at a step of its training."""

    step: str
    id: str
    response: str


class HeldOut(Record):
    """The problem that the answers are to."""

    problem: str
    answer: str | None


class Ledger(Record):
    """Every number of the card. It holds no clock, no run id and no machine."""

    name: str
    licence: Licence | None = None
    benchmarks: Annotated[list[Benchmark], Field(min_length=1)]
    num_comparisons: Count
    claims: list[StatedScore]
    base_model: BaseModelInput
    corpora: Annotated[dict[str, Corpus], Field(min_length=1)]
    funnel: dict[str, Annotated[list[Count], Field(min_length=5, max_length=5)]] = Field(
        description="By corpus the rows downloaded, then left by each stage up to the training set."
    )
    removed: dict[str, dict[str, Count]] = Field(description="Rows removed by stage and reason.")
    planted: list[Planted]
    decontaminate: Decontamination
    memorisation: Memorisation
    training: Training
    samples: dict[str, list[Answer]] = Field(
        description="The model's answers while it trained, by stage."
    )
    held_out: dict[str, HeldOut] = Field(
        default_factory=dict, description="The problem that `samples` answer, by stage."
    )
    params: dict[str, Any] = Field(description="The content of params.yaml.")
    stages: dict[str, dict[str, Md5]] = Field(
        description="By stage, as DVC names it, the data that it read: path to digest."
    )
    code: dict[str, Md5] = Field(
        default_factory=dict, description="The files of code that ran: path to digest."
    )
    reinforcement: Reinforcement | None = None

    @property
    def models(self) -> list[str]:
        """Return the models that answered every benchmark, the base model first."""
        return list(self.benchmarks[0].models)
