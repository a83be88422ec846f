"""The probes distinguish memorised texts and answers from others."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.core.files import write_json
from mathledger.core.tables import BENCHMARK_ITEM, write_rows
from mathledger.data import sources
from mathledger.evaluation import part_probe, probe
from mathledger.filters.mix import TRAINING_ROW
from mathledger.model import download as download_model
from mathledger.model import prompts
from mathledger.run import params
from tests.conftest import Workspace

LEARNED = {
    "hens": "Ada keeps 14 hens and each of them lays 5 eggs in a week. She sells 3 eggs out of "
    "every 7 at the market. How many eggs does she keep after 6 weeks?",
    "train": "A train leaves the station at noon with 230 people in 8 coaches. At the first stop "
    "41 of them get off and 16 others get on. How many people are in the train now?",
}
UNSEEN = {
    "pens": "Ben has 12 pens and each of them cost 9 cents in the shop. He gives 2 pens to every "
    "one of 4 friends of his. How many pens does he keep after that day?",
    "boat": "A ferry crosses the harbour at night with 310 cars on 5 decks. At the other side 27 "
    "of them drive off and 52 others drive on. How many cars are on the ferry?",
}
ITEM = pa.schema(
    [BENCHMARK_ITEM.field(name) for name in ("id", "problem", "answer", "answer_type")]
)  # Columns read.


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny random model, trained on the two LEARNED texts until it has memorised them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("parrot")
    source = sources.RandomModel(
        "random", "Apache-2.0", seed=0, hidden_size=64, num_hidden_layers=2
    )
    download_model.make_random(source, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer(list(LEARNED.values()), padding=True, return_tensors="pt")
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(400):
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.01:
            break
    model.save_pretrained(folder)
    return folder


def halves(tokenizer: Any, texts: dict[str, str]) -> list[probe.Halves]:
    found, left_out = probe.usable(tokenizer, texts.items(), min_tokens=4, context=2048)
    assert not left_out
    return found


def test_a_text_learned_by_heart_is_continued_verbatim_and_an_unseen_one_is_not(
    parrot: Path,
) -> None:
    model, tokenizer = probe.load_model(parrot, "float32")
    texts = halves(tokenizer, LEARNED | UNSEEN)
    completions = probe.complete(model, tokenizer, texts, 4)
    found = {each.id: probe.measure(each, completions[each.problem]) for each in texts}
    for name in LEARNED:
        assert found[name] == probe.Likeness(True, 1.0, 1.0)
    for name in UNSEEN:
        assert not found[name].is_verbatim and found[name].prefix_rate < 0.5


@pytest.mark.parametrize("batch_size", [1, 3])
def test_completions_do_not_depend_on_the_batch_size(parrot: Path, batch_size: int) -> None:
    model, tokenizer = probe.load_model(parrot, "float32")
    short = {"short": "Eve is 7 and Kim is 9. Who of the two is older?"}
    texts = halves(tokenizer, LEARNED | UNSEEN | short)
    whole = probe.complete(model, tokenizer, texts, 64)
    assert probe.complete(model, tokenizer, texts, batch_size) == whole


def test_what_the_model_folder_says_of_sampling_and_penalties_is_not_used(
    parrot: Path, tmp_path: Path
) -> None:
    """A repetition penalty by itself would hide memorised texts."""
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(parrot, folder)
    settings = json.loads((folder / "generation_config.json").read_text())
    changed = {"do_sample": True, "temperature": 5.0, "repetition_penalty": 9.0}
    (folder / "generation_config.json").write_text(json.dumps(settings | changed))
    model, tokenizer = probe.load_model(folder, "float32")
    (text,) = halves(tokenizer, {"hens": LEARNED["hens"]})
    assert probe.complete(model, tokenizer, [text], 1) == {text.problem: text.rest}


def test_halves_are_the_problem_cut_before_a_word_near_the_middle(parrot: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(parrot)
    for text in (LEARNED | UNSEEN).values():
        each = probe.halve(tokenizer, "x", text)
        assert each and each.prompt + each.rest == text
        assert each.rest[0] == " " and each.rest[1] != " " and each.prompt[-1] != " "
        assert len(text) / 2 <= len(each.prompt) + 1 < len(text) / 2 + 12  # Tokens are bytes.
        assert each.num_tokens == len(each.rest)
    assert probe.halve(tokenizer, "x", "oneword" * 9) is None


def test_a_rest_of_few_tokens_or_a_problem_beyond_the_context_is_left_out_with_the_reason(
    parrot: Path,
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(parrot)
    texts = {
        "sum": "What is 1 + 2?",
        "filler": "What is the square root of 1764? Express your answer in simplest form, please.",
        "long": "word " * 100,
        "fits": LEARNED["hens"],
    }
    found, left_out = probe.usable(tokenizer, texts.items(), min_tokens=8, context=200)
    assert [each.id for each in found] == ["fits"]
    assert {each.id: each.reason for each in left_out} == {
        "sum": "too_short",
        "filler": "too_short",  # No token of its second half is specific.
        "long": "too_long",
    }


def test_a_part_withholds_enough_and_begins_or_ends_with_a_word() -> None:
    for text in (LEARNED | UNSEEN).values():
        each = part_probe.cut("x", text, 8)
        assert each
        shown = each.shown
        assert f"{shown['first_half']} {shown['last_half']}" == text
        assert shown["first_half"].startswith(shown["first_30"] + " ")
        num_words = len(text.split())
        assert 0.3 <= len(shown["first_30"].split()) / num_words < 0.3 + 1 / num_words
    assert part_probe.cut("x", "What is 1 + 2?", 8) is None
    assert part_probe.cut("x", "oneword" * 9, 1) is None


def test_parts_are_asked_with_the_benchmarks_prompt_and_graded_by_the_whole_problems_answer(
    parrot: Path,
) -> None:
    from transformers import AutoTokenizer

    from mathledger.evaluation import harness
    from mathledger.evaluation.engines.engine import Response
    from mathledger.evaluation.settings import Params

    tokenizer = AutoTokenizer.from_pretrained(parrot)
    items = [
        {"id": key, "problem": text, "answer": str(at), "answer_type": "integer", "subsets": {}}
        for at, (key, text) in enumerate((LEARNED | UNSEEN).items())
    ]
    settings = probe.Params(max_items=3, min_tokens=8, batch_size=2, dtype="auto", max_gen_toks=5)
    chosen = part_probe.choose(tokenizer, items, settings)
    assert len(chosen.cuts) == 3 and [each.reason for each in chosen.left_out] == ["max_items"]
    task = harness.Task(1, "Solve {problem} Now!", 0, None, 96, [], 4, None)
    evaluation = replace(params.load("evaluate", Params), temperature=0.7)
    asked = part_probe.ask(parrot, "b", items, task, evaluation, settings, tokenizer)
    assert len(asked.fitting) == 9 and asked.limits.max_gen_toks == 5
    for request in asked.requests:
        part, _, name = request.item_id.partition("/")
        (own,) = (each for each in chosen.cuts if each.id == name)
        assert f"Solve {own.shown[part]} Now!" in request.prompt  # type: ignore[index]
    responses = {each.key: Response("It is \\boxed{1}.", 4, "stop", 0.0) for each in asked.fitting}
    rows = part_probe.part_rows("b", asked, responses)
    assert [(row["part"], row["id"]) for row in rows] == sorted(
        (row["part"], row["id"]) for row in rows
    )
    answers = {item["id"]: item["answer"] for item in items}
    assert all(row["correct"] == (answers[row["id"]] == "1") for row in rows)
    summary = part_probe.summarise(rows, asked.left_out)
    assert summary.first_half and summary.first_half.num == 3
    assert summary.left_out == {"max_items": 1}


@pytest.mark.parametrize(
    ("completion", "is_verbatim", "prefix_rate"),
    [
        (" $\\dfrac{1}{2}$ of 30 sheep.", True, 1.0),
        (" \\frac12 of 30 sheep. And then he went on", True, 1.0),
        (" \\frac12 of 31 sheep.", False, 4 / 6),
        (" \\frac12", False, 3 / 6),
        (" nothing", False, 0.0),
        ("", False, 0.0),
    ],
)
def test_verbatim_means_all_canonical_tokens_of_the_rest(
    completion: str, is_verbatim: bool, prefix_rate: float
) -> None:
    problem = "A farmer has a flock. Find $\\frac{1}{2}$ of 30 sheep."
    each = probe.Halves("x", problem, "A farmer has a flock. Find", 9)
    found = probe.measure(each, completion)
    assert (found.is_verbatim, found.prefix_rate) == (is_verbatim, pytest.approx(prefix_rate))


def test_an_item_gets_the_unused_control_of_nearest_length_or_none() -> None:
    def text(name: str, num_tokens: int) -> probe.Halves:
        return probe.Halves(name, name, "", num_tokens)

    items = [text("a", 50), text("b", 50), text("c", 50), text("d", 200)]
    pool = [text("x", 56), text("y", 49), text("z", 90)]
    assert [each.id for each in probe.match_controls(items, pool)] == ["y", "x"]
    assert probe.match_controls(items, []) == []


def test_the_prompts_template_is_taken_off_held_out_problems(tmp_path: Path) -> None:
    for template in ("{problem}", "Solve {problem}!", "{problem}\nAgain: {problem}\\boxed{{}}"):
        prompt = prompts.Params(template=template)
        rows = [validation_row(str(number), text, prompt) for number, text in enumerate("ab c")]
        write_rows(tmp_path / "v.parquet", [*rows, rows[0]], TRAINING_ROW)
        problems = probe.held_out_problems(tmp_path / "v.parquet", prompt)
        assert problems == [("0", "a"), ("1", "b"), ("2", " "), ("3", "c")]


def validation_row(name: str, problem: str, prompt: prompts.Params) -> dict[str, Any]:
    row = prompts.training_row(prompt, problem, "So it is \\boxed{1}.")
    return {"id": name, "corpus": "c", "source": "s", "repeat": 0, "answer": "1", **row}


@pytest.fixture
def project(workspace: Workspace, parrot: Path) -> Iterator[Workspace]:
    """Write the stage's inputs: the parrot, a public and a private benchmark, held-out rows."""
    import shutil

    options = "[gsm_symbolic,frontiermath_tier1]"
    files = "benchmark.frontiermath_tier1.source.files={a.jsonl: " + "a" * 64 + "}"
    limit = "probe.max_gen_toks=8"
    workspace.python(
        "-m", "stages.params", "experiment=smoke", f"benchmark={options}", files, limit
    )
    data = workspace.path / "data"
    shutil.copytree(parrot, data / "model/base")
    public = {"hens": LEARNED["hens"]} | UNSEEN
    private = {"train": LEARNED["train"]}
    for name, texts in (("gsm_symbolic", public), ("frontiermath_tier1", private)):
        rows = [
            {"id": key, "problem": text, "answer": "31415", "answer_type": "integer"}
            for key, text in texts.items()
        ]
        folder = data / "download_benchmark" / name
        write_rows(folder / "items.parquet", rows, ITEM)
        write_json(folder / "receipt.json", {"private": name == "frontiermath_tier1"})
    prompt = prompts.Params(template=json.loads(params_json(workspace))["prompt"]["template"])
    held_out = [validation_row(key, text, prompt) for key, text in UNSEEN.items()]
    write_rows(data / "mix/validation.parquet", held_out, TRAINING_ROW)
    yield workspace


def params_json(workspace: Workspace) -> str:
    code = "import json; from mathledger.run import params; print(json.dumps(params.read()))"
    return workspace.python("-c", code)


def test_the_stage_counts_verbatim_completions_and_controls_and_keeps_no_private_text(
    project: Workspace,
) -> None:
    shown = project.python("-m", "stages.probe", "base")
    assert "base continues 1 of 3 items, 0 of 2 controls of gsm_symbolic verbatim" in shown
    measured = (project.path / "metrics/probe/base.json").read_text()
    metrics = json.loads(measured)
    assert metrics["gsm_symbolic"]["items"]["num_verbatim"] == 1
    assert metrics["gsm_symbolic"]["items"]["verbatim_rate"] == round(1 / 3, 8)
    assert metrics["gsm_symbolic"]["controls"]["num_verbatim"] == 0
    assert metrics["frontiermath_tier1"]["items"]["num_verbatim"] == 1

    path = project.path / "data/probe/base/completions.parquet"
    table = pq.read_table(path)
    assert table.schema.equals(probe.COMPLETION)
    text = str(table.to_pylist()) + shown + measured
    text += (project.path / "data/probe/base/left_out.json").read_text()
    text += (project.path / "lineage/probe/base.json").read_text()
    asked = pq.read_table(project.path / "data/probe/base/parts.parquet")
    assert asked.schema.equals(part_probe.PART)
    private = [row for row in asked.to_pylist() if row["benchmark"] == "frontiermath_tier1"]
    assert len(private) == 3 and metrics["frontiermath_tier1"]["parts"]["last_half"]["num"] == 1
    assert all(row[key] is None for row in private for key in part_probe.TEXTS)
    text += str(asked.to_pylist())
    assert "lays 5 eggs" in text and "every 7 at the market" in text
    assert "leaves the station" not in text and "16 others" not in text

    before = path.read_bytes()
    text = (project.path / "params.yaml").read_text()
    changed = text.replace("min_tokens: 4\n  batch_size: 64", "min_tokens: 4\n  batch_size: 1")
    assert changed != text
    (project.path / "params.yaml").write_text(changed)
    project.python("-m", "stages.probe", "base")
    assert path.read_bytes() == before
