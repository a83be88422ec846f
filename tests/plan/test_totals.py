"""The plan also counts responses, disk space and money."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from mathledger.core import configuration
from mathledger.plan import report
from mathledger.plan.totals import disk, evaluation
from mathledger.run.compose import compose
from mathledger.training import sft
from mathledger.training.estimate import estimate
from mathledger.training.size import size_of
from tests.conftest import ROOT
from tests.plan import recipe

GPU = "H100-80GB"


def content(*overrides: str) -> dict[str, Any]:
    composed = OmegaConf.to_container(OmegaConf.create(compose(list(overrides))))
    assert isinstance(composed, dict)
    return {str(key): value for key, value in composed.items()}


def plan_of_the_recipe() -> str:
    """Return what `mathledger plan --dollars 3` prints for the seed recipe before `mix` has run."""
    from transformers import LlamaConfig

    params = content(*recipe.OVERRIDES, *recipe.PIN)
    settings = configuration.check("train", params["train"], sft.Params)
    size = size_of(LlamaConfig(**recipe.SHAPE), settings.lora)
    plan = estimate(settings, size, None, GPU, 0.4)
    lines = report.render(settings, size, None, plan, GPU, 0.4)
    lines += report.render_totals(settings, size, plan, evaluation(params), 1000.0, 3.0)
    return report.columns(lines)


def test_scaling_shows_the_plan_of_the_recipe() -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    assert f"```\n{plan_of_the_recipe()}\n```\n" in page


def test_a_sampled_evaluation_asks_for_every_repeat() -> None:
    greedy, sampled = (
        evaluation(content("experiment=smoke", *more)) for more in ([], ["evaluate=sampled"])
    )
    assert sampled.num_responses >= greedy.num_responses > 0
    assert sampled.seconds(10.0) == 2 * sampled.seconds(20.0)


def test_a_benchmark_of_files_of_ones_own_is_not_counted() -> None:
    pin = f"benchmark.local.source.files={{a.jsonl: {'a' * 64}}}"
    found = evaluation(content("benchmark=[local,gsm8k]", pin))
    assert found.num_unknown == 1 and found.num_responses % 1319 == 0


def test_checkpoints_of_adapters_are_small() -> None:
    from transformers import LlamaConfig

    whole = size_of(LlamaConfig(**recipe.SHAPE), None)
    params = content("train=lora")
    lora = configuration.check("train", params["train"], sft.Params).lora
    adapters = size_of(LlamaConfig(**recipe.SHAPE), lora)
    assert disk(adapters)["3 checkpoints"] < 0.02 * disk(whole)["3 checkpoints"]
    assert disk(whole)["tuned model"] == pytest.approx(4 * whole.total)
