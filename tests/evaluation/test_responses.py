"""Responses do not depend on the batch, are requested once, and none is lost."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathledger.core.errors import InputError
from mathledger.evaluation.engines.backends import open_engine
from mathledger.evaluation.engines.engine import Limits, Request, Response
from mathledger.evaluation.responses import respond as ask_all
from mathledger.evaluation.settings import Backend, Params, Server, Software, Vllm
from mathledger.model import prompts
from mathledger.model.generated import read_tokens
from mathledger.run import params
from tests import openai_server
from tests.conftest import Workspace
from tests.model import families
from tests.model.families import FAMILIES

GREEDY = dataclasses.replace(params.load("evaluate", Params), dtype="float32", batch_size=4)
SAMPLED = dataclasses.replace(GREEDY, temperature=1.0, top_p=0.9)
LIMITS = Limits(12, [])
Respond = Callable[..., list[Response]]


@pytest.fixture
def folder(smoke: Workspace) -> Path:
    return smoke.path / "data/model/tuned"


@pytest.fixture
def tokenizer(folder: Path) -> Any:
    return prompts.load_tokenizer(folder)


def some_requests(tokenizer: Any, settings: Params) -> list[Request]:
    """Return requests of different lengths; sampled ones come twice, with different seeds."""
    found = []
    for number in range(6):
        text = f"user\nWhat is {'1 + ' * number}{number}?"
        messages = [{"role": "user", "content": text}]
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        for repeat in range(2 if settings.temperature else 1):
            seed = 100 * number + repeat if settings.temperature else None
            request = Request(f"i{number}", repeat, messages, text, ids, seed)
            found.append(request)
    return found


@pytest.fixture
def respond(folder: Path, tokenizer: Any, tmp_path: Path) -> Respond:
    """Answer some requests without stored responses."""
    numbers = iter(range(100))

    def answer(settings: Params, limits: Limits = LIMITS) -> list[Response]:
        engine = open_engine(folder, tokenizer, settings)
        asked = some_requests(tokenizer, settings)
        return ask_all(engine, asked, limits, tmp_path / str(next(numbers)))

    return answer


def content(responses: list[Response]) -> list[tuple[str, int, str]]:
    return [(each.text, each.num_tokens, each.finish_reason) for each in responses]


PENALISED = dataclasses.replace(GREEDY, presence_penalty=1.5, repetition_penalty=1.3)
EVERYTHING = dataclasses.replace(PENALISED, temperature=0.7, top_k=20, min_p=0.01)


@pytest.mark.parametrize("settings", [GREEDY, SAMPLED, PENALISED, EVERYTHING])
def test_responses_do_not_depend_on_the_batch(respond: Respond, settings: Params) -> None:
    found = [content(respond(dataclasses.replace(settings, batch_size=n))) for n in (1, 4, 16)]
    assert found[0] == found[1] == found[2]


def test_a_sampled_response_follows_its_seed_alone(respond: Respond) -> None:
    """Two repeats of an item differ, but two runs agree."""
    first, second = content(respond(SAMPLED)), content(respond(SAMPLED))
    assert first == second
    pairs = list(zip(first[::2], first[1::2], strict=True))
    assert sum(one != other for one, other in pairs) == len(pairs)


def test_sampling_draws_from_the_models_distribution() -> None:
    """Each token occurs with its probability, and no token is outside the nucleus."""
    import torch
    from scipy.stats import chisquare

    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -2.0], dtype=torch.float64)
    num, temperature, top_p = 4000, 1.5, 0.9
    from mathledger.evaluation.engines.seeded_sampling import SeededSampling

    draw = SeededSampling(
        list(range(num)), dataclasses.replace(SAMPLED, temperature=temperature, top_p=top_p)
    )
    drawn = draw(None, logits.repeat(num, 1)).argmax(dim=1)
    expected = torch.softmax(logits / temperature, 0)
    nucleus = expected.cumsum(0) - expected < top_p
    expected = torch.where(nucleus, expected, 0) / expected[nucleus].sum()
    counts = torch.bincount(drawn, minlength=5)
    assert not counts[~nucleus].any() and (~nucleus).any()
    assert chisquare(counts[nucleus].numpy(), (num * expected[nucleus]).numpy()).pvalue > 0.001


SETTINGS = {"top_k": 3, "min_p": 0.2, "presence_penalty": 1.5, "repetition_penalty": 1.3}


@pytest.mark.parametrize("name", SETTINGS)
def test_sampling_is_that_of_transformers(name: str) -> None:
    """A draw follows the distribution from which `generate` would sample with these settings."""
    import torch
    from scipy.stats import chisquare
    from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

    from mathledger.evaluation.engines.seeded_sampling import processors

    num, logits = 4000, torch.tensor([2.0, 1.0, 0.5, -0.5, -2.0, -1.0])
    ids = torch.tensor([[5, 5, 1, 0, 0]])  # two tokens of padding, a prompt of one, a response
    mask = torch.tensor([[0, 0, 1]])
    settings = dataclasses.replace(SAMPLED, temperature=0.8, **{name: SETTINGS[name]})
    drawn = logits.repeat(num, 1)
    for each in processors(settings, list(range(num)), mask.repeat(num, 1)):
        drawn = each(ids.repeat(num, 1), drawn)
    if name == "presence_penalty":  # transformers has none
        own, expected = {}, logits - torch.tensor([1.5, 0, 0, 0, 0, 0])
    else:
        own, expected = {name: SETTINGS[name]}, logits
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=6, bos_token_id=5, eos_token_id=5, n_layer=1, n_head=1, n_embd=2)
    )
    config = GenerationConfig(do_sample=True, temperature=0.8, top_p=0.9, **own)
    ours = model._get_logits_processor(config, 3, ids[:, 2:], device="cpu")
    expected = ours(ids[:, 2:], expected[None])[0].double().softmax(0)
    counts = torch.bincount(drawn.argmax(dim=1), minlength=6)
    kept = expected > 0
    assert not counts[~kept].any() and (~kept).any()
    assert chisquare(counts[kept].numpy(), (num * expected[kept]).numpy()).pvalue > 0.001


def test_a_response_ends_where_its_stop_text_begins(respond: Respond) -> None:
    """The text is cut, and tokens are counted up to the end of the stop text."""
    plain = respond(GREEDY)
    chosen = next(each for each in plain if len(each.text) > 4)
    stop = chosen.text[2:4]
    stopped = respond(GREEDY, Limits(12, [stop]))[plain.index(chosen)]
    assert stopped.text == chosen.text[: chosen.text.index(stop)]
    assert stopped.finish_reason == "stop" and stopped.num_tokens <= chosen.num_tokens


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("ab", ("ab", 2, "length")),
        ("ab<|im_end|>", ("ab", 3, "stop")),
        ("ab<|im_end|>zz<|im_end|>", ("ab", 3, "stop")),
        ("a\n\nb<|im_end|>", ("a", 3, "stop")),
        ("", ("", 0, "length")),
    ],
)
def test_tokens_are_read_to_the_first_end(
    tokenizer: Any, ids: str, expected: tuple[str, int, str]
) -> None:
    tokens = tokenizer(ids, add_special_tokens=False)["input_ids"]
    ends = {tokenizer.eos_token_id}
    assert read_tokens(tokens, ends, ["\n\n"], tokenizer) == expected


def test_what_is_stored_is_not_asked_for_again(
    folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    """This holds even if a kill tore the last line; other limits make a new request."""
    engine = open_engine(folder, tokenizer, GREEDY)
    asked = some_requests(tokenizer, GREEDY)
    whole = ask_all(engine, asked, LIMITS, tmp_path)
    path = tmp_path / "responses-0.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])
    generated: list[str] = []

    def counting(requests: Any, limits: Any, done: Any) -> None:
        generated.extend(request.item_id for request in requests)
        engine.answer(requests, limits, done)

    counted = dataclasses.replace(engine, answer=counting)
    again = ask_all(counted, asked, LIMITS, tmp_path)
    assert content(again) == content(whole) and len(generated) == len(asked) - 3
    ask_all(counted, asked, LIMITS, tmp_path)
    assert len(generated) == len(asked) - 3
    ask_all(counted, asked, Limits(13, []), tmp_path)
    assert len(generated) == 2 * len(asked) - 3


def test_the_models_own_generation_settings_do_not_count(
    folder: Path, tokenizer: Any, tmp_path: Path, respond: Respond
) -> None:
    """A repetition penalty in the model's folder would make the scores incomparable."""
    import shutil

    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model/generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"repetition_penalty": 9.0}))
    engine = open_engine(tmp_path / "model", tokenizer, GREEDY)
    asked = some_requests(tokenizer, GREEDY)
    found = ask_all(engine, asked, LIMITS, tmp_path / "store")
    assert content(found) == content(respond(GREEDY))


# --- A server -------------------------------------------------------------------------------------


def by_server(
    url: str, backend: Backend, retries: int = 2, software: Software | None = None
) -> Params:
    server = Server(f"{url}/x", "m", software, retries, 20)
    return dataclasses.replace(GREEDY, backend=backend, server=server)


def test_a_server_gives_what_transformers_gives(
    folder: Path, tokenizer: Any, respond: Respond
) -> None:
    """The server gets token ids and serves the same model."""
    engine = open_engine(folder, tokenizer, GREEDY)

    def answer(body: dict[str, Any]) -> tuple[str, int, str]:
        request = Request("-", 0, [], "", body["prompt"], None)
        found: list[Any] = []
        limits = Limits(body["max_tokens"], body["stop"])
        engine.answer([request], limits, found.extend)
        response = found[0][1]
        return response.text, response.num_tokens, response.finish_reason

    with openai_server.serve(answer) as server:
        got = content(respond(by_server(server.url, "local-completions")))
        assert {body["temperature"] for body in server.asked} == {0.0}
    assert got == content(respond(GREEDY))


def test_a_chat_server_is_sent_the_turns(respond: Respond) -> None:
    with openai_server.serve(lambda body: (body["messages"][0]["content"], 7, "length")) as server:
        found = respond(by_server(server.url, "local-chat-completions"))
    assert found[1].text.startswith("user\nWhat is 1 + 1?")
    assert content(found)[1][1:] == (7, "length")


def test_sampling_by_a_server_sends_settings_and_a_seed_for_each(respond: Respond) -> None:
    settings = by_server("http://none", "local-completions")
    with openai_server.serve(lambda body: (str(body["seed"]), 1, "stop")) as server:
        settings = dataclasses.replace(
            by_server(server.url, "local-completions"), temperature=0.7, top_p=0.8
        )
        found = respond(settings)
        assert {(body["temperature"], body["top_p"]) for body in server.asked} == {(0.7, 0.8)}
    assert [each.text for each in found][:3] == ["0", "1", "100"]


@pytest.mark.parametrize(
    ("backend", "software", "expected"),
    [
        ("local-completions", "vllm", {"repetition_penalty": 1.3}),
        ("local-chat-completions", "sglang", {"repetition_penalty": 1.3}),
        ("local-chat-completions", "llama.cpp", {"repeat_penalty": 1.3, "repeat_last_n": -1}),
    ],
)
def test_a_server_is_sent_every_setting_by_its_own_name(
    respond: Respond, backend: Backend, software: Software, expected: dict[str, Any]
) -> None:
    variables = {"enable_thinking": False}
    with openai_server.serve(lambda _: ("7", 1, "stop")) as server:
        settings = dataclasses.replace(
            by_server(server.url, backend, software=software),
            **(SETTINGS | {"chat_template_kwargs": variables}),
        )
        respond(settings)
        respond(by_server(server.url, backend, software=software))
    expected = expected | {"top_k": 3, "min_p": 0.2, "presence_penalty": 1.5}
    if backend == "local-chat-completions":
        expected["chat_template_kwargs"] = variables
    sent = {"prompt", "messages", "model", "max_tokens", "temperature", "top_p", "stop", "seed"}
    first, last = server.asked[0], server.asked[-1]
    assert {name: first[name] for name in first.keys() - sent} == expected
    # The server must not fill in what the model's folder says.
    assert (last["top_k"], last["min_p"], last["presence_penalty"]) == (-1, 0, 0)
    assert last.keys() == first.keys() - {"chat_template_kwargs"}


@pytest.mark.parametrize("name", ["top_k", "min_p", "repetition_penalty", "chat_template_kwargs"])
def test_a_server_of_unknown_software_is_sent_no_setting_beyond_the_protocol(name: str) -> None:
    value = (SETTINGS | {"chat_template_kwargs": {"enable_thinking": False}})[name]
    plain = by_server("http://127.0.0.1:9", "local-chat-completions")
    with pytest.raises(ValueError, match=f"no {name}: set evaluate.server.software"):
        dataclasses.replace(plain, **{name: value})


@pytest.mark.parametrize("software", ["vllm", "llama.cpp", None])
def test_control_tokens_that_mark_thinking_must_come_back(software: Software | None) -> None:
    """A server that leaves them out would turn thinking into a part of the answer."""
    family = FAMILIES[0]
    known = families.tokenizer(dataclasses.replace(family, special=[*family.special, "[THINK]"]))
    found: list[Response] = []
    with openai_server.serve(lambda _: ("[THINK]a", 2, "length")) as server:
        settings = by_server(server.url, "local-completions", software=software)
        engine = open_engine(Path(), known, settings)
        requests = [Request("i", 0, [], "", [1, 2], None)]
        if software != "vllm":
            with pytest.raises(InputError, match="marks its thinking with control tokens"):
                engine.answer(requests, LIMITS, lambda _: None)
            return
        engine.answer(requests, LIMITS, lambda pairs: found.extend(each for _, each in pairs))
        assert server.asked[0]["skip_special_tokens"] is False
    assert found[0].text == "[THINK]a"


def test_a_chat_server_takes_four_stop_texts(respond: Respond) -> None:
    """The harness would silently drop the fifth."""
    settings = by_server("http://127.0.0.1:9", "local-chat-completions")
    with pytest.raises(InputError, match=r"4 stop texts, but task\.until has 5"):
        respond(settings, Limits(12, list("abcde")))


@pytest.mark.parametrize("marks", [[], ["<|channel|>"]])
def test_vllm_is_given_every_setting(monkeypatch: pytest.MonkeyPatch, marks: list[str]) -> None:
    """A stand-in takes vLLM's place, so this shows what is passed on, not what vLLM does."""
    import sys
    from types import SimpleNamespace

    given: list[dict[str, Any]] = []

    def generate(prompts: list[list[int]], generate: bool, sampling_params: Any) -> Any:
        given.extend(sampling_params)
        output = SimpleNamespace(text="7", token_ids=[1], finish_reason="stop")
        return [SimpleNamespace(outputs=[output]) for _ in prompts]

    model = SimpleNamespace(_model_generate=generate)
    stand_in = SimpleNamespace(VLLM=lambda **_: model, SamplingParams=lambda **own: own)
    monkeypatch.setitem(sys.modules, "lm_eval.models.vllm_causallms", stand_in)
    monkeypatch.setitem(sys.modules, "vllm", stand_in)
    settings = dataclasses.replace(EVERYTHING, backend="vllm", vllm=Vllm(1, 1, 0.9))
    request = Request("i", 0, [], "", [1, 2], 5)
    family = FAMILIES[0]
    known = families.tokenizer(dataclasses.replace(family, special=[*family.special, *marks]))
    open_engine(Path(), known, settings).answer([request], LIMITS, lambda _: None)
    assert given == [
        {
            "temperature": 0.7, "top_p": 1.0, "top_k": 20, "min_p": 0.01, "presence_penalty": 1.5,
            "repetition_penalty": 1.3, "seed": 5, "max_tokens": 12, "stop": [],
            "skip_special_tokens": not marks,
        }
    ]  # fmt: skip


def test_a_server_that_fails_now_and_then_is_asked_again(respond: Respond) -> None:
    with openai_server.serve(lambda _: ("ok", 1, "stop")) as server:
        server.errors = 2
        assert [each.text for each in respond(by_server(server.url, "local-completions"))] == (
            ["ok"] * 6
        )


def test_a_server_that_dies_loses_no_response(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    """The error names the server, and the next run requests only the rest."""
    asked = some_requests(tokenizer, GREEDY)
    with openai_server.serve(lambda _: ("ok", 1, "stop")) as server:
        server.dies_after = 4
        settings = by_server(server.url, "local-completions", retries=0)
        engine = open_engine(folder, tokenizer, settings)
        with pytest.raises(InputError, match=rf"{server.url}.*500.*run again"):
            ask_all(engine, asked, LIMITS, tmp_path)
        server.dies_after = None
        ask_all(engine, asked, LIMITS, tmp_path)
        assert len(server.asked) == len(asked)
        assert len({str(body["prompt"]) for body in server.asked}) == len(asked)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dataclasses.replace(GREEDY, backend="local-completions"), "evaluate.server is missing"),
        (dataclasses.replace(GREEDY, backend="vllm", vllm=None), "evaluate.vllm is missing"),
        (
            dataclasses.replace(GREEDY, backend="vllm", vllm=Vllm(1, 1, 0.9)),
            "vLLM cannot be imported",
        ),
        (by_server("http://127.0.0.1:9", "local-completions", retries=0), "127.0.0.1:9"),
    ],
)
def test_an_engine_that_is_not_there_is_a_line(
    respond: Respond, settings: Params, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        respond(settings)
