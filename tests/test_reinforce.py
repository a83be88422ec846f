"""The stage `reinforce` works through DVC, and its trainer resumes exactly."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mathledger.core.files import read_json
from mathledger.evaluation.apart import thinking_apart
from mathledger.evaluation.engines.engine import Request, Response
from mathledger.evaluation.samples import grade_responses
from mathledger.model import conversations, prompts
from mathledger.model.generated import read_tokens
from mathledger.model.launch import Launch
from mathledger.model.thinking import control_ids
from mathledger.run import params
from mathledger.training import grpo as reinforce
from mathledger.training.callbacks import Checkpointing
from mathledger.training.loop import train_to_end
from stages.reinforce import MIX, START
from tests.conftest import Workspace
from tests.model import families

SMALL = [
    "experiment=smoke",
    "reinforce=grpo",
    "reinforce.grpo.max_steps=3",
    "reinforce.grpo.num_generations=4",
    "reinforce.grpo.per_device_train_batch_size=4",
    "reinforce.grpo.gradient_accumulation_steps=2",
    "reinforce.grpo.max_completion_length=8",
    "reinforce.grpo.learning_rate=1e-3",
]


@pytest.fixture(scope="module")
def grpo(smoke: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Extend the smoke run to a reinforced model."""
    copy = smoke.copy(tmp_path_factory.mktemp("grpo") / "project")
    copy.python("-m", "stages.params", *SMALL)
    shown = copy.repro()
    assert "Stage 'train' didn't change, skipping" in shown
    return copy


def test_one_option_puts_the_stage_between_train_and_evaluate(grpo: Workspace) -> None:
    from transformers import AutoModelForCausalLM

    metrics = read_json(grpo.path / "metrics/reinforce.json")
    assert metrics["num_steps"] == 3 and metrics["effective_batch_size"] == 8
    AutoModelForCausalLM.from_pretrained(grpo.path / "data/model/reinforced")
    assert (grpo.path / "data/evaluate/reinforced-tiny_chain_sum/samples.parquet").exists()
    card = (grpo.path / "model_card/README.md").read_text()
    assert "| benchmark | base | tuned | reinforced |" in card
    assert "GRPO followed with 3 steps of 8 answers, 4 per problem" in card
    lineage = read_json(grpo.path / "lineage/reinforce.json")
    assert lineage["deps"]["data/model/tuned"]
    ledger = read_json(grpo.path / "model_card/ledger.json")["predicate"]
    assert set(ledger["samples"]) == {"train", "reinforce"}


def test_switched_off_the_card_forgets_it(grpo: Workspace, tmp_path: Path) -> None:
    copy = grpo.copy(tmp_path / "project")
    copy.python("-m", "stages.params", "experiment=smoke")
    copy.repro()
    assert "reinforced" not in (copy.path / "model_card/README.md").read_text()


@cache
def made() -> Any:
    return families.tokenizer(
        next(family for family in families.FAMILIES if family.name == "qwen3")
    )


def rewards(texts: list[str], answers: list[str], prompt: str = "3 + 4?") -> list[float]:
    """Return the rewards of responses; one without <|im_end|> is cut."""
    ids = [made()(text, add_special_tokens=False)["input_ids"] for text in texts]
    asked = [[{"role": "user", "content": prompt}]] * len(texts)
    correct = reinforce.reward(made(), {made().eos_token_id})
    return correct(prompts=asked, completions=[], completion_ids=ids, answer=answers)


def test_the_reward_is_what_evaluation_calls_correct() -> None:
    said = [r"so \boxed{\frac12}", "12", "no idea", "The answer is 3."]
    found = rewards([f"{text}<|im_end|>" for text in said], ["0.5", "12", "4", "4"])
    assert found == [1.0, 1.0, 0.0, 0.0]


def test_a_cut_response_earns_only_what_it_states() -> None:
    said = ["So far 2 + 2 = 4", "The answer is 4.", "So far 2 + 2 = 4<|im_end|>"]
    assert rewards(said, ["4"] * 3) == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("response", "earned"),
    [
        (r"<think>It is \boxed{5}.</think>It is 6.<|im_end|>", 0.0),
        (r"<think>It is \boxed{6}.</think>The answer is 5.<|im_end|>", 1.0),
        (r"<think>It is \boxed{5}.</think><|im_end|>", 0.0),
        (r"<think>It is \boxed{5}.", 0.0),
        (r"<think>It is 6.</think>It is \boxed{5}.", 1.0),
    ],
)
def test_thinking_earns_nothing(response: str, earned: float) -> None:
    assert rewards([response], ["5"]) == [earned]


def test_reward_and_evaluation_agree_on_any_response() -> None:
    chance = random.Random(0)
    pieces = ["<think>", "</think>", r"\boxed{5}", "The answer is 5.", "So", "<|im_end|>"]
    texts = ["".join(chance.choices(pieces, k=chance.randrange(1, 7))) for _ in range(200)]
    item = {"id": "a", "problem": "3 + 4?", "answer": "5", "answer_type": "expression"}
    (prompt,) = conversations.render(made(), [[{"role": "user", "content": "3 + 4?"}]], True)
    requests, responses = [], []
    for repeat, text in enumerate(texts):
        ids = made()(text, add_special_tokens=False)["input_ids"]
        shown = read_tokens(ids, {made().eos_token_id}, [], made(), control_ids(made()))
        requests.append(Request("a", repeat, [], prompt.text, prompt.ids, None))
        responses.append(Response(*shown, 0.0))
    split = thinking_apart(responses, requests, made())
    by_key = dict(zip((request.key for request in requests), split, strict=True))
    graded = [float(row["correct"]) for row in grade_responses(requests, by_key, [item], None)]
    assert rewards(texts, ["5"] * len(texts)) == graded and 20 < sum(graded) < 180


def test_problems_are_those_with_an_answer_each_once(
    smoke: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pq.read_table(smoke.path / "data/mix/train.parquet")
    rows = table.to_pylist()
    rows[0]["answer"] = None
    twice = [*rows, {**rows[1], "id": "again"}]
    path = tmp_path / "train.parquet"
    pq.write_table(table.from_pylist(twice, schema=table.schema), path)
    problems, num_left_out = reinforce.load_problems(path, tmp_path / "cache")
    first: dict[str, str] = {}
    for row in rows[1:]:
        first.setdefault(row["prompt"][-1]["content"], row["id"])
    assert problems["id"] == list(first.values())
    assert num_left_out == len(twice) - len(problems)


def test_resumed_is_straight(
    smoke: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run resumed in its second epoch is bit-identical, and the reward moves the weights."""
    monkeypatch.chdir(smoke.path)
    # A random model is never right, so reward its text in another way to get a gradient.
    monkeypatch.setattr(
        reinforce,
        "reward",
        lambda tokenizer, ends: (
            lambda completions, **_: [
                random.Random(turns[-1]["content"]).random() for turns in completions
            ]
        ),
    )
    section = params.read()["train"]
    settings = reinforce.Params(
        learning_rate=1e-2,
        lr_scheduler_type="constant",
        warmup_steps=0.0,
        max_steps=9,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        activation_checkpointing=False,
        num_generations=4,
        max_completion_length=6,
        temperature=1.0,
        beta=0.0,
        use_vllm=False,
        attn_implementation="sdpa",
        max_grad_norm=1.0,
        logging_steps=1,
        save_minutes=0.0,
        seed=3,
        lora=None,
        launch=Launch(**section["launch"]),
    )
    tokenizer = prompts.load_tokenizer(START)
    problems = reinforce.load_problems(MIX / "train.parquet", tmp_path / "cache")[0].select(
        range(10)
    )
    kept: list[dict[str, Any]] = []
    for checkpoint in (None, "checkpoint-7"):
        trainer = reinforce.make_trainer(settings, START, tmp_path, tokenizer, problems, problems)
        assert len(problems) / 2 < 7  # With two problems a step, this is the second epoch.
        trainer.args.eval_strategy = "no"
        trainer.args.save_total_limit = None
        trainer.add_callback(Checkpointing(0.0))
        before = {name: each.detach().clone() for name, each in trainer.model.named_parameters()}
        train_to_end(trainer, tmp_path / checkpoint if checkpoint else None)
        kept.append(dict(trainer.model.named_parameters()))
        assert not any(each.equal(before[name]) for name, each in kept[-1].items())
    straight, resumed = kept
    assert all(each.equal(resumed[name]) for name, each in straight.items())
