"""The typed records of the ledger, which holds every number of the card.

`model_card/ledger.json` wraps the ledger in an in-toto Statement (statement.py), and
docs/ledger.schema.json is generated from these records (`make params`). A record is built once,
from the stages' files or from a ledger.json, and rejects unknown keys, wrong types and NaN. Its
fields are in the order of the file. A field with a default may be absent: from ledgers of older
versions, or because it does not apply. A field that was never set is not written (`content`).
"""

from typing import Annotated, Any

from pydantic import Field

from mathledger.card.ledger_filters import Decontamination, Planted
from mathledger.card.ledger_memorisation import Memorisation
from mathledger.card.ledger_replicates import Replicates
from mathledger.card.quantities import Count, Md5, Sha256, Share
from mathledger.core.typed import Record
from mathledger.evaluation.reruns import Rerun


class Interval(Record):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


class Score(Record):
    """Accuracy over some items with its 95% interval, or nulls if there are no items."""

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
        """Return the accuracy with its interval; None if there are no items."""
        if self.accuracy is None or self.low is None or self.high is None:
            return None
        return Interval(value=self.accuracy, low=self.low, high=self.high)


class ResponseLengths(Record):
    """A histogram of tokens per response; the last bin includes every response that was cut."""

    limit: Count
    bin_width: Count
    counts: list[Count]
    thinking_counts: list[Count] | None = None  # tokens of the thinking; absent if there is none


class ModelScore(Score):
    """The scores and counts of one model's responses to one benchmark."""

    accuracy: Share
    low: Share
    high: Share
    pass_at: dict[str, Interval] = Field(description="pass@k for each k; empty without repeats.")
    majority: Interval | None = Field(
        description="maj@k: share of items whose most frequent answer is correct; null without "
        "repeats. Answers merge by equality: right ones by the grader's, wrong ones by their text."
    )
    items_without_overlap: Score
    items_with_overlap: Score
    overlap_gap: Interval | None = Field(description="Accuracy with overlap minus without.")
    subsets: dict[str, dict[str, Score]] = Field(
        description="Scores by key (subject, level) and by the key's values."
    )
    num_truncated: Count
    num_truncated_correct: Count | None = None
    num_too_long: Count
    num_no_answer: Count
    num_unsure: Count | None = Field(
        default=None,
        description="Responses that the grader could not judge; they count as wrong.",
    )
    accuracy_if_unsure_right: Share | None = Field(
        default=None, description="The accuracy if all of these responses were right."
    )
    mean_num_tokens: Annotated[float, Field(ge=0)]
    # Of the responses whose thinking was counted; absent if there are none.
    mean_num_thinking_tokens: Annotated[float, Field(ge=0)] | None = None
    num_judged_by_harness: Count
    num_harness_disagreements: Count
    # Responses that lm-eval's own task calls right; absent if it judges none.
    num_right_by_harness: Count | None = None
    response_lengths: ResponseLengths
    graders: Annotated[list[str], Field(min_length=1)]
    dtype: str | None
    batch_size: Count | None
    backend: str
    task_version: int | float | str | None
    samples_sha256: Sha256


class Comparison(Record):
    """A paired comparison of two models by item."""

    model: str
    against: str
    difference: Interval
    p_value: Share
    num_gained: Count
    num_lost: Count
    minimum_detectable: Share | None
    p_holm: Share = Field(description="p-value, adjusted for all comparisons of the ledger.")


class BenchmarkSource(Record):
    """The source of a benchmark's items."""

    name: str
    revision: str
    licence: str
    items_digest: str = Field(description="Digest of the texts and answers in any encoding.")


class Benchmark(Record):
    """A benchmark with its scores and comparisons."""

    benchmark: str
    about: str
    source: BenchmarkSource
    num_items: Annotated[int, Field(ge=1)]
    num_repeats: Annotated[int, Field(ge=1)]
    num_items_overlapping_training_candidates: Count
    models: Annotated[dict[str, ModelScore], Field(min_length=1)]
    comparisons: list[Comparison]


class Licence(Record):
    """The licence that the inputs require; id is null if an input's licence is unknown."""

    id: str | None
    name: str | None
    source: str | None
    on_hub: bool
    unknown: list[str] = Field(description="Names of the inputs with an unknown licence.")


class StatedScore(Record):
    """A score that another card states and that was not measured here."""

    model: str
    benchmark: str
    low: Share
    high: Share
    source: str
    is_evaluated: bool


class _Input(Record):
    """An input that a stage downloaded."""

    kind: str | None = None
    name: str
    revision: str
    licence: str


class BaseModelInput(_Input):
    base_model: str | None
    about: str


class OtherModel(_Input):
    """Somebody else's model, which answered the same prompts and was never trained here."""

    about: str
    base_url: str | None = Field(description="The server's address; null if we have the weights.")
    said: dict[str, str | int | float | bool] | None = Field(
        description="What the server says about the model; null if nothing, or without a server."
    )
    is_probed: bool = Field(
        description="Whether it completed halves of problems, and not only answered parts of them."
    )


class File(Record):
    bytes: Count
    sha256: Sha256


class Corpus(_Input):
    """A corpus with its files."""

    files: dict[str, File]


class Training(Record):
    """The content of metrics/train.json, and the number of validation examples."""

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
    """The content of metrics/reinforce.json."""

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
    """The model's answer to the held-out problem at a training step."""

    step: str
    id: str
    response: str


class HeldOut(Record):
    """The held-out problem, with its reference answer."""

    problem: str
    answer: str | None


class Ledger(Record):
    """Every number of the card, without any time stamp, run id or machine name."""

    name: str
    licence: Licence | None = None
    benchmarks: Annotated[list[Benchmark], Field(min_length=1)]
    num_comparisons: Count
    claims: list[StatedScore]
    base_model: BaseModelInput
    corpora: Annotated[dict[str, Corpus], Field(min_length=1)]
    funnel: dict[str, Annotated[list[Count], Field(min_length=5, max_length=5)]] = Field(
        description="For each corpus, the rows downloaded and the rows left after each stage."
    )
    removed: dict[str, dict[str, Count]] = Field(
        description="Number of rows removed, by stage and reason."
    )
    planted: list[Planted]
    decontaminate: Decontamination
    memorisation: Memorisation
    training: Training
    samples: dict[str, list[Answer]] = Field(
        description="Answers of the model during training, by stage."
    )
    held_out: dict[str, HeldOut] = Field(
        default_factory=dict, description="Problem that `samples` answer, by stage."
    )
    params: dict[str, Any] = Field(description="Content of params.yaml.")
    stages: dict[str, dict[str, Md5]] = Field(
        description="Digests of the data files that each stage read, by DVC's stage name and path."
    )
    code: dict[str, Md5] = Field(
        default_factory=dict, description="Digests of the code files that ran, by path."
    )
    reinforcement: Reinforcement | None = None
    others: dict[str, OtherModel] = Field(
        default_factory=dict, description="Other people's models that were measured here, by name."
    )
    reruns: list[Rerun] = Field(
        default_factory=list,
        description="Responses of this card that were generated again, from "
        "conf/model_card/reruns.jsonl.",
    )
    replicates: Replicates | None = Field(
        default=None,
        description="Spread over trainings from conf/model_card/replicates.jsonl; absent if it has "
        "no training with these params.",
    )

    @property
    def models(self) -> list[str]:
        """Return the models that answered every benchmark, the base model first."""
        return list(self.benchmarks[0].models)

    @property
    def own_models(self) -> list[str]:
        """Return the models that the pipeline downloads as a base or trains, the base first."""
        return [name for name in self.models if name not in self.others]
