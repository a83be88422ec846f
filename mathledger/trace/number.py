"""Trace a number on the card: the number, and each stage behind it."""

from dataclasses import dataclass

from mathledger.card.ledger import Benchmark, ModelScore
from mathledger.chain.chain import Chain
from mathledger.core.paths import is_within
from mathledger.run.params import final_model
from mathledger.trace import remarks
from mathledger.trace.predictions import Predictions, predictions
from mathledger.trace.steps import Step, step
from mathledger.trace.store import Store

# These modules graded before mathledger/grading existed.
GRADING_BEFORE = {
    f"stages/common/{name}.py"
    for name in ("grading", "extraction", "answers", "equality", "algebra", "notation", "spelling")
} | {"stages/common/verdicts.py"}


def is_grading(path: str) -> bool:
    """Return True if a code file belongs to the grader."""
    return is_within(path, "mathledger/grading") or path in GRADING_BEFORE


@dataclass(frozen=True)
class NumberTrace:
    """A number with everything behind it."""

    revision: str
    commit: str | None
    model: str
    benchmark: Benchmark  # the ledger's entry
    ledger_sha256: str
    predictions: Predictions
    grading_code: dict[str, str]  # path -> md5 of the grader's files
    store: Store
    steps: list[Step]  # the evaluation first, then upstream
    remarks: list[str]  # gaps and breaks in the chain

    @property
    def score(self) -> ModelScore:
        return self.benchmark.models[self.model]


def trace(chain: Chain, target: str) -> NumberTrace:
    """Follow a number back to the downloads.

    Args:
        target: BENCHMARK or BENCHMARK@MODEL; the default model is the card's last one.

    Raises:
        InputError: the card has no such number, or a link of its chain is missing.
    """
    name, _, model = target.partition("@")
    benchmark = chain.benchmark(name)
    model = model or final_model(chain.params)
    score = chain.score(model, name)
    evaluate = chain.stage(f"evaluate@{model}-{name}")
    store = Store(chain.at)
    steps = [step(chain, stage, store) for stage in chain.walk(evaluate)]
    responses = predictions(chain, evaluate)
    return NumberTrace(
        chain.name,
        chain.commit,
        model,
        benchmark,
        chain.ledger_sha256,
        responses,
        {path: md5 for path, md5 in steps[0].lineage.code_files.items() if is_grading(path)},
        store,
        steps,
        [
            *remarks.of_steps(chain, steps),
            *remarks.of_history(chain, steps),
            *remarks.of_store(store, steps),
            *remarks.of_predictions(chain, score, responses),
        ],
    )
