"""`mathledger plan` estimates the needs of a training run."""

import json
import re
from pathlib import Path

import pytest

from mathledger.card.outputs import Outputs
from mathledger.core.files import read_json
from mathledger.model.launch import Launch
from mathledger.run import params
from mathledger.training import models, sft
from mathledger.training.lora import Lora, peft_config
from mathledger.training.memory import GIB, memory
from mathledger.training.size import size_of
from tests.conftest import Workspace
from tests.hub import commit_of, serve
from tests.plan.recipe import SHAPE

BASE = Outputs(Path()).model("base")
REPO = "deepseek-ai/deepseek-math-7b-rl"
# The values are the publisher's.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    **SHAPE,
}


def planned(workspace: Workspace, *options: str, **environment: str) -> dict[str, str]:
    shown = workspace.python("-m", "mathledger", "plan", *options, **environment)
    lines = [line.split("  ", 1) for line in shown.splitlines() if re.match(r"\S.*  ", line)]
    return {name.strip(): value.strip() for name, value in lines}


def test_the_seed_recipe_is_planned_from_the_hubs_config_alone(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "hub"
    (folder / REPO).mkdir(parents=True)
    (folder / REPO / "config.json").write_text(json.dumps(CONFIG))
    recipe = ["experiment=deepseek_math_7b", f"model.source.revision={commit_of(REPO)}"]
    recipe += ["model.source.files={config.json: null}"]
    with serve(folder) as hub:
        real = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        workspace.python("-m", "stages.params", *recipe)
        shown = planned(workspace, **real)
        # Two embeddings of 102400 x 4096; 30 layers of 4 attention and 3 MLP maps, 2 norms; a norm.
        assert shown["parameters"].startswith("6,910,365,696, 6,910,365,696 of them trained")
        assert shown["batch"].startswith("32 = 8 per GPU x 4 accumulated x 1 GPU,")
        assert shown["steps"] == "5,500"
        assert shown["tokens per step"] == f"at most {32 * 4096:,}"
        assert shown["epochs"] == "unknown until `dvc repro mix`"
        # At 16 bytes per parameter these are 103 GiB without any activation.
        assert shown["fits"].startswith("no; it would fit with train/launch=fsdp2")

        sharded = ["train/launch=fsdp2", "train.launch.num_processes=8"]
        workspace.python("-m", "stages.params", *recipe, *sharded)
        shown = planned(workspace, **real)
        assert shown["fits"] == "yes" and shown["batch"].startswith("256 = 8 per GPU")

        workspace.python("-m", "stages.params", *recipe, "train=qlora", "train.max_length=1024")
        shown = planned(workspace, "--gpu", "RTX4090-24GB", **real)
        assert "LoRA, rank 16, frozen weights in nf4" in shown["parameters"]


def test_the_seed_recipe_says_what_is_to_be_pinned(workspace: Workspace) -> None:
    shown = workspace.python("-m", "stages.params", "experiment=deepseek_math_7b", ok=False)
    assert shown == (
        "error: conf/ has no value for model.source.files, model.source.revision: set it there, or "
        "pass KEY=VALUE\n"
    )


def test_the_plan_counts_what_training_then_does(smoke: Workspace) -> None:
    measured = read_json(smoke.path / "metrics/train.json")
    shown = planned(smoke)
    assert shown["parameters"].startswith(f"{measured['num_trainable_parameters']:,}, ")
    assert shown["steps"] == str(measured["num_steps"])
    assert f"of {measured['num_examples']} rows" in shown["epochs"]
    assert f"longest {measured['longest_row_tokens']}" in shown["epochs"]
    mean = measured["num_tokens_per_epoch"] / measured["num_examples"]
    assert f"mean {mean:.0f} tokens" in shown["epochs"]


def test_lora_counts_its_adapters(smoke: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig

    monkeypatch.chdir(smoke.path)
    lora = Lora(4, 8, 0.0, "all-linear", load_in_4bit=False)
    size = size_of(AutoConfig.from_pretrained(BASE), lora)
    from peft import get_peft_model

    model = get_peft_model(models.load_model(BASE, lora, "sdpa"), peft_config(lora))
    assert size.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert size.total == sum(p.numel() for p in model.parameters())


def test_a_mix_of_other_params_is_not_counted(smoke_copy: Workspace) -> None:
    smoke_copy.python("-m", "stages.params", "experiment=smoke", "mix.seed=8")
    assert planned(smoke_copy)["epochs"] == "unknown until `dvc repro mix`"


def test_sharding_divides_what_is_trained(
    smoke: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from transformers import AutoConfig

    monkeypatch.chdir(smoke.path)
    settings = params.load("train", sft.Params)
    size = size_of(AutoConfig.from_pretrained(BASE), None)
    one = memory(settings, size, 100, on_gpu=True)
    sharded = replace(settings, launch=Launch("torchrun", 4, "fsdp2"))
    four = memory(sharded, size, 100, on_gpu=True)
    for part in ("weights", "gradients", "optimizer states"):
        assert four[part] == pytest.approx(one[part] / 4)
    assert one["weights"] * GIB == 4 * size.total
    checkpointed = replace(settings, activation_checkpointing=True)
    after = memory(checkpointed, size, 100, on_gpu=True)
    assert after["activations"] < one["activations"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--utilisation", "2"], "2 is not a share above 0 and up to 1"),
        (["--gpu", "H900"], "--gpu H900 is unknown: choose one of A100-40GB,"),
    ],
)
def test_wrong_options(smoke: Workspace, options: list[str], message: str) -> None:
    assert message in smoke.python("-m", "mathledger", "plan", *options, ok=False)


def test_a_model_that_is_not_there_yet(workspace: Workspace) -> None:
    shown = workspace.python("-m", "mathledger", "plan", ok=False)
    assert shown == (
        "mathledger plan: data/model/base does not exist yet: run `dvc repro download_model`\n"
    )
