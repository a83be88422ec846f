"""Other people's models are stored by the base model's code; a server leaves only its receipt."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.data import pins, sources
from mathledger.evaluation import probe, probe_server
from mathledger.evaluation.engines.backends import open_engine
from mathledger.evaluation.engines.engine import Limits, Request, Response
from mathledger.evaluation.harness import Task
from mathledger.evaluation.questions import render
from mathledger.evaluation.served import expect_near, expect_same, server_of, settings_for
from mathledger.evaluation.settings import Params, Server
from mathledger.model import download
from mathledger.run.params import read
from stages import params
from tests.openai_server import serve

ENTRY = {"id": "org/m", "object": "model", "created": 1, "owned_by": "vllm", "permission": [{}]}


def other(source: Any, **more: Any) -> download.Other:
    node = {"source": source, "about": "", **more}
    settings: download.Other = check("models.x", node, download.Other)
    return settings


def server_source(url: str, model: str = "org/m") -> dict[str, Any]:
    more = {"licence": "unknown", "max_retries": 0}
    return {"kind": "server", "base_url": url, "model": model, **more}


def test_a_folder_of_ones_own_becomes_the_same_model(tmp_path: Path) -> None:
    random = sources.RandomModel("random", "Apache-2.0", 1, 32, 2)
    download.make_random(random, tmp_path / "given")
    files = dict(pins.local_pins([str(tmp_path / "given")]))
    settings = other({"kind": "local", "licence": "MIT", "files": files})
    download.download_model(settings, tmp_path / "x", "models.x")
    for path in (tmp_path / "given").iterdir():
        assert sha256(path) == sha256(tmp_path / "x" / path.name), path.name
    receipt = json.loads((tmp_path / "x/receipt.json").read_text())
    assert (receipt["kind"], receipt["licence"]) == ("local", "MIT")
    assert server_of(tmp_path / "x") is None


def test_a_message_names_the_models_own_section(tmp_path: Path) -> None:
    source = {"kind": "random", "licence": "MIT", "seed": 1, "hidden_size": 32}
    settings = other({**source, "num_hidden_layers": 2}, pad_token="<pad>")
    with pytest.raises(InputError, match=r"^models\.x\.pad_token: '<pad>' is not in"):
        download.download_model(settings, tmp_path / "x", "models.x")


def test_a_server_is_recorded_with_what_it_says_but_without_times(tmp_path: Path) -> None:
    with serve(lambda body: ("", 0, "stop")) as server:
        server.models = [{"id": "other"}, ENTRY]
        settings = other(server_source(server.url))
        for folder in ("a", "b"):
            download.download_model(settings, tmp_path / folder, "models.x")
            server.models[1] = {**ENTRY, "created": 2}
    assert sha256(tmp_path / "a/receipt.json") == sha256(tmp_path / "b/receipt.json")
    receipt = json.loads((tmp_path / "a/receipt.json").read_text())
    assert receipt["server"]["said"] == {"id": "org/m", "object": "model", "owned_by": "vllm"}
    assert receipt["name"] == "org/m" and not receipt["files"]


@pytest.mark.parametrize("words", ["\ud800", "a\n\x1b[2J\u202e", "x" * 10**5])
def test_a_servers_words_are_one_line_that_a_file_can_hold(words: str, tmp_path: Path) -> None:
    with serve(lambda body: ("", 0, "stop")) as server:
        server.models = [{**ENTRY, "owned_by": words, words: 1}]
        download.download_model(other(server_source(server.url)), tmp_path / "x")
        expect_same(tmp_path / "x")
        server.models = [{"id": words}]
        with pytest.raises(InputError, match="lists no model") as error:
            download.download_model(other(server_source(server.url)), tmp_path / "y")
    for key, value in json.loads((tmp_path / "x/receipt.json").read_text())["server"][
        "said"
    ].items():
        assert f"{key} {value}".isprintable() and len(f"{key} {value}") < 600
    assert str(error.value).isprintable() and len(str(error.value)) < 600


def test_a_server_that_changed_its_model_is_not_asked(tmp_path: Path) -> None:
    assert expect_same(tmp_path) == {}
    with serve(lambda body: ("", 0, "stop")) as server:
        server.models = [ENTRY]
        download.download_model(other(server_source(server.url)), tmp_path / "x", "models.x")
        server.models = [{**ENTRY, "created": 2}]
        assert expect_same(tmp_path / "x")["server_says"]["owned_by"] == "vllm"
        server.models = [{**ENTRY, "owned_by": "somebody"}]
        with pytest.raises(InputError, match="so another model may answer: run `dvc repro --force"):
            expect_same(tmp_path / "x")


def test_a_server_without_the_model_or_without_an_answer_is_refused(tmp_path: Path) -> None:
    with serve(lambda body: ("", 0, "stop")) as server:
        server.models = [ENTRY]
        settings = other(server_source(server.url, "org/n"))
        with pytest.raises(InputError, match="no model 'org/n', only org/m: correct its name"):
            download.download_model(settings, tmp_path / "x")
    with pytest.raises(InputError, match=r"/v1/models does not answer .*: start the server"):
        download.download_model(settings, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["http://me:pw@host/v1", "http://host/v1?api_key=x", "host/v1", ""])
def test_an_address_with_a_password_or_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"models\.x\.source\.base_url: base_url must"):
        other(server_source(url))


def test_a_server_gets_the_messages_and_counts_the_tokens(tmp_path: Path) -> None:
    """No tokenizer of ours is needed."""
    with serve(lambda body: (f"{len(body['messages'])}", 4, "stop")) as server:
        server.models = [ENTRY]
        download.download_model(other(server_source(server.url)), tmp_path / "x")
        content = read()
        given: Params = check("evaluate", content["evaluate"], Params)
        settings = settings_for(tmp_path / "x", given)
        task = check("task", content["benchmark"]["champ"]["task"], Task)
        items = [{"id": "1", "problem": "1 + 1 <|im_end|>", "solution": "2", "answer": "2"}]
        requests = render("champ", items, task, settings, None)
        got: list[tuple[Request, Response]] = []
        open_engine(tmp_path / "x", None, settings).answer(requests, Limits(8, []), got.extend)
    assert [response.text for _, response in got] == ["1"]
    assert server.asked[0]["messages"] == requests[0].messages
    assert server.asked[0]["model"] == "org/m"
    assert settings_for(tmp_path, given) == given


@pytest.mark.parametrize("is_private", [True, False])
@pytest.mark.parametrize("host", ["api.example.com", "localhost"])
def test_private_items_go_to_no_server_of_others(
    is_private: bool, host: str, tmp_path: Path
) -> None:
    url = {"base_url": f"https://{host}/v1"}
    for folder, receipt in (("x", {"server": url}), ("secret", {"private": is_private})):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "receipt.json").write_text(json.dumps(receipt))
    given: Params = check("evaluate", read()["evaluate"], Params)
    server = Server(f"https://{host}/v1/completions", None, None, 0, 5)
    asked = replace(given, backend="local-completions", server=server)
    # The server of another model, and one for the pipeline's own model.
    for folder, settings in (("x", given), ("base", asked)):
        if is_private and host != "localhost":
            with pytest.raises(InputError, match="secret is private, and its items would be sent"):
                expect_near(tmp_path / folder, tmp_path / "secret", settings)
        else:
            expect_near(tmp_path / folder, tmp_path / "secret", settings)
        expect_near(tmp_path / "base", tmp_path / "secret", replace(asked, backend="hf"))


def test_names_of_models_are_checked() -> None:
    with pytest.raises(InputError, match="tuned is one of the pipeline's own models: rename it"):
        params.expect_models(["base", "tuned"], {"tuned": {}})
    with pytest.raises(InputError, match="'a b' cannot name a model"):
        params.expect_models(["base", "tuned"], {"a b": {}})
    with pytest.raises(InputError, match="there is no model 'x'"):
        params.expect_models(["base", "x"], {})
    params.expect_models(["base", "tuned", "x"], {"x": {}})


def test_a_server_that_completes_text_is_probed_by_words(tmp_path: Path) -> None:
    problem = "Ann has 12 apples and Ben has 7 pears. How many fruits do they have in all?"
    known: dict[str, str] = {}

    def completed(body: dict[str, Any]) -> tuple[str, int, str]:
        rest = known.get(body["prompt"], " I do not know")
        return f"{rest} And more.", 12, "stop"

    halves = probe.halve(probe_server.Words(), "1", problem)
    assert halves
    known[halves.prompt] = halves.rest
    with serve(completed) as server:
        server.models = [ENTRY]
        settings = other(server_source(server.url) | {"completes_text": True})
        download.download_model(settings, tmp_path / "x")
        assert probe_server.completes_text(tmp_path / "x")
        found = probe_server.complete(tmp_path / "x", [halves])
        assert found == {problem: halves.rest}
        assert probe.measure(halves, found[problem]).is_verbatim
        server.dies_after = 0
        with pytest.raises(InputError, match=r"/v1/completions: problem 1: .*500"):
            probe_server.complete(tmp_path / "x", [halves])
