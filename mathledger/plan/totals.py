"""Count what a run needs in addition to training: responses to generate, and disk space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mathledger.evaluation.settings import token_limit
from mathledger.run.params import evaluated_models
from mathledger.training.size import Size

NUM_CHECKPOINTS = 3  # two are kept while a third is written


@dataclass(frozen=True)
class Evaluation:
    """The responses of all evaluated models to all benchmarks."""

    num_models: int
    num_responses: int
    max_tokens: int  # tokens if every response reaches its limit
    num_processes: int
    num_unknown: int  # benchmarks from the user's own files, with an unknown number of items

    def seconds(self, tokens_per_second: float) -> float:
        """Return an upper bound of the seconds that the evaluation takes.

        Args:
            tokens_per_second: the throughput of one GPU.
        """
        return self.max_tokens / (self.num_processes * tokens_per_second)


def evaluation(content: Mapping[str, Any]) -> Evaluation:
    """Count the responses that params.yaml asks for.

    >>> benchmark = {"source": {"num_rows": 30}, "mapping": {"max_items": None}}
    >>> benchmark["task"] = {"repeats": 16, "max_gen_toks": 2048}
    >>> launch = {"num_processes": 8}
    >>> content = {"benchmark": {"aime24": benchmark}, "evaluated_models": ["base", "tuned"]}
    >>> content["evaluate"] = {"temperature": 0.6, "launch": launch}
    >>> evaluation(content)
    Evaluation(num_models=2, num_responses=960, max_tokens=1966080, num_processes=8, num_unknown=0)
    """
    models, evaluate = evaluated_models(content), content["evaluate"]
    responses = tokens = unknown = 0
    for benchmark in content["benchmark"].values():
        source, task = benchmark["source"], benchmark["task"]
        known = [benchmark["mapping"]["max_items"], source.get("num_rows"), source.get("num_items")]
        items = min((each for each in known if each), default=0)
        unknown += not items
        repeats = task["repeats"] if evaluate["temperature"] else 1
        responses += items * repeats * len(models)
        tokens += items * repeats * len(models) * token_limit(evaluate, task)
    return Evaluation(len(models), responses, tokens, evaluate["launch"]["num_processes"], unknown)


def disk(size: Size) -> dict[str, float]:
    """Return the bytes that models and checkpoints take, by part.

    The base model takes two bytes per weight, like most published models, and the fine-tuned one is
    saved in float32. A checkpoint holds the trained weights and AdamW's two moments in float32.
    """
    return {
        "base model": 2.0 * size.total,
        "tuned model": 4.0 * size.total,
        f"{NUM_CHECKPOINTS} checkpoints": NUM_CHECKPOINTS * 12.0 * size.trainable,
    }
