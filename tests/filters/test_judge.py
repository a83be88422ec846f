"""A language model judges candidates in both orders, and nothing in its replies is trusted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.core.replies import ReplyError
from mathledger.core.tables import EXAMPLE, Row, read_rows, write_rows
from mathledger.filters import decontaminate, embeddings, judge
from mathledger.filters.items import Item
from mathledger.run import params
from tests.openai_server import Server, serve
from tests.raw_server import serving_raw, whole

pytestmark = pytest.mark.usefixtures("impatient")

CONTENT = {
    "base_url": "http://127.0.0.1:1/v1/chat/completions",
    "model": "judge-7b",
    "prompt": "same_problem_1",
    "api_key_variable": None,
    "timeout_s": 5.0,
    "max_retries": 0,
    "num_at_once": 2,
}
SETTINGS = judge.Params(**CONTENT)  # type: ignore[arg-type]
ITEM = "A farmer keeps 12 hens, and every hen lays 5 eggs in a week. How many eggs is that?"
RETOLD = "On a farm a dozen chickens give five eggs each, week after week. What is the yield?"


def says(body: dict[str, Any]) -> tuple[str, int, str]:
    """Judge by the marks in the texts; a text with `lopsided` is the same only in one order."""
    prompt = body["messages"][0]["content"]
    if "twin" in prompt:
        return "They agree.\n**SAME**", 5, "stop"
    if "lopsided" in prompt:
        return (
            ("SAME" if prompt.index("lopsided") < prompt.index("item") else "DIFFERENT"),
            1,
            "stop",
        )
    if "long" in prompt:
        return "SAME", 2048, "length"
    return ("perhaps" if "odd" in prompt else "Answer: different."), 3, "stop"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(says) as running:
        yield running


def at(server: Server, **changes: Any) -> judge.Params:
    return replace(SETTINGS, base_url=f"{server.url}/chat/completions", **changes)


def candidates(folder: Path, *problems: str) -> Path:
    """Write a candidate for each problem; the item of one named `secret` is private."""
    rows = [
        {"id": str(number), "problem": problem, "benchmark": "quiz", "item_id": str(number)}
        | {"item_problem": None if problem == "secret" else f"item {number}", "cosine": 0.9}
        for number, problem in enumerate(problems)
    ]
    write_rows(folder / "candidates.parquet", rows, embeddings.CANDIDATE)
    return folder / "candidates.parquet"


def test_only_a_verdict_of_both_orders_counts(server: Server, tmp_path: Path) -> None:
    path = candidates(tmp_path, "twin", "lopsided", "long", "odd", "other", "secret")
    judged, counts = judge.write_judgements(
        tmp_path / "out.parquet", path, at(server), tmp_path / "store.jsonl"
    )
    assert [each.verdict for each in judged] == [
        "same", "undecided", "undecided", "undecided", "different",
    ]  # fmt: skip
    assert counts == {"num_same": 1, "num_different": 1, "num_undecided": 3, "num_private": 1}
    assert len(server.asked) == 10 and "secret" not in json.dumps(server.asked)
    rows = read_rows(tmp_path / "out.parquet")
    assert rows[1]["reply"] == "SAME" and rows[1]["swapped_reply"] == "DIFFERENT"
    assert rows[2]["reply"] is None, "a reply that was cut off says nothing"
    bodies = {judge.digest(body) for body in server.asked}
    assert {row[key] for row in rows for key in ("request", "swapped_request")} == bodies


def test_a_rerun_asks_nothing_and_writes_the_same_bytes(server: Server, tmp_path: Path) -> None:
    path, store = candidates(tmp_path, "twin", "odd", "other"), tmp_path / "store.jsonl"
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    judge.write_judgements(one, path, at(server), store)
    nowhere = replace(SETTINGS, num_at_once=1)
    judge.write_judgements(other, path, nowhere, store)
    assert one.read_bytes() == other.read_bytes() and len(server.asked) == 6
    store.unlink()
    judge.restore(one, store)  # As `mathledger verify` does after `dvc pull`.
    judge.write_judgements(other, path, nowhere, store)
    assert one.read_bytes() == other.read_bytes() and len(server.asked) == 6


def test_replies_before_a_failure_are_kept(server: Server, tmp_path: Path) -> None:
    path, store = candidates(tmp_path, *(f"other {n}" for n in range(6))), tmp_path / "store.jsonl"
    server.dies_after = 5
    with pytest.raises(InputError, match="status 500; the replies so far are kept") as error:
        judge.write_judgements(tmp_path / "out.parquet", path, at(server), store)
    assert "\n" not in str(error.value) and not (tmp_path / "out.parquet").exists()
    server.dies_after = None
    with store.open("a") as file:
        file.write('{"cut off')  # As a crash leaves it.
    judge.write_judgements(tmp_path / "out.parquet", path, at(server), store)
    assert 12 <= len(server.asked) <= 13  # A reply may have arrived while the other thread failed.


DAMAGED = [b'{"a": 7}', b"\0" * 99, b'{"a": "\xff"}', b"[]", b'{"a": "SA', b'{"a": "\\ud800"}']


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_of_the_store_is_asked_again_and_the_others_are_kept(
    line: bytes, tmp_path: Path
) -> None:
    store = tmp_path / "store.jsonl"
    store.write_bytes(b'{"one": "SAME"}\n' + line + b'\n{"two": null}\n' + line)
    replies = judge.Replies(store)
    assert "a" not in replies and replies["one"] == "SAME" and replies["two"] is None
    replies.add("a", "DIFFERENT")
    assert judge.Replies(store)["a"] == "DIFFERENT"


def test_a_passing_fault_is_retried(server: Server, tmp_path: Path) -> None:
    server.errors = 1
    own = at(server, max_retries=1)
    judge.write_judgements(
        tmp_path / "o.parquet", candidates(tmp_path, "twin"), own, tmp_path / "s"
    )
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SETTINGS, "127.0.0.1:1/v1/chat/completions: ConnectError"),
        (replace(SETTINGS, api_key_variable="NO_SUCH_KEY"), "NO_SUCH_KEY holds no API key"),
    ],
)
def test_a_server_that_cannot_be_asked_is_an_error_of_one_line(
    settings: judge.Params, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        judge.write_judgements(
            tmp_path / "o.parquet", candidates(tmp_path, "twin"), settings, tmp_path / "s"
        )
    assert "\n" not in str(error.value)


def test_a_slow_server_is_an_error(server: Server, tmp_path: Path) -> None:
    server.seconds = 0.3
    with pytest.raises(
        InputError, match=r"no complete answer within decontaminate\.judge\.timeout_s=0\.05"
    ):
        judge.write_judgements(
            tmp_path / "o.parquet", candidates(tmp_path, "x"), at(server, timeout_s=0.05),
            tmp_path / "s",
        )  # fmt: skip


def reply(content: Any, reason: Any = "stop") -> bytes:
    choice = {"message": {"content": content}, "finish_reason": reason}
    return json.dumps({"choices": [choice]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"7", b"\xff\xfe", b"{", b"[" * 100_000, b'{"choices": []}',
        b'{"choices": {"0": 1}}', b'{"choices": [null]}', b'{"choices": [{"message": "SAME"}]}',
        b'{"error": "overloaded"}', reply(["SAME"]), reply({"text": "SAME"}), reply("SAME", None),
        reply("SAME", 1),
    ],
)  # fmt: skip
def test_a_reply_that_does_not_follow_the_protocol_is_refused_and_not_stored(
    body: bytes, tmp_path: Path
) -> None:
    with pytest.raises(ReplyError):
        judge.read(body)
    answers = iter([body, reply("SAME")])
    with serving_raw(lambda connection, _: connection.sendall(whole(next(answers)))) as (url, _):
        settings = replace(SETTINGS, base_url=url, max_retries=1, num_at_once=1)
        replies = judge.Replies(tmp_path / "s")
        (name,) = judge.ask(settings, [judge.request(settings, "one", "other")], replies)
    assert judge.Replies(tmp_path / "s")[name] == "SAME"


@pytest.mark.parametrize("body", [reply(None), reply("SAME", "length")])
def test_a_reply_without_a_verdict_is_undecided(body: bytes) -> None:
    assert judge.agreed(judge.read(body), "SAME") == "undecided"


def test_a_reply_with_half_a_character_can_be_stored(tmp_path: Path) -> None:
    text = judge.read(b'{"choices": [{"message": {"content": "\\ud800 SAME"}, '
                      b'"finish_reason": "stop"}]}')  # fmt: skip
    replies = judge.Replies(tmp_path / "s")
    replies.add("a", text)
    assert judge.Replies(tmp_path / "s")["a"] == text
    pa.array([text]).cast(pa.binary())


@given(st.text(), st.text())
def test_any_reply_has_a_verdict_and_agreement_is_symmetric(one: str, other: str) -> None:
    assert judge.verdict_of(one) in ("same", "different", "undecided")
    assert judge.agreed(one, other) == judge.agreed(other, one)
    for word in ("SAME", "DIFFERENT"):
        assert judge.verdict_of(f"{one}\n{word}") == word.lower()
        assert judge.verdict_of(f"{word}\nnot {word}") == "undecided"


@given(st.text(), st.text())
def test_a_request_holds_both_texts_unchanged(one: str, other: str) -> None:
    content = judge.request(SETTINGS, one, other)["messages"][0]["content"]
    assert f"<problem_1>\n{one}\n</problem_1>" in content
    assert f"<problem_2>\n{other}\n</problem_2>" in content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "ftp://host"}, "base_url must start with http"),
        ({"base_url": "http://me:word@host/v1"}, "must hold no password: set api_key_variable"),
        ({"base_url": "http://host/v1?api_key=word"}, "base_url must hold no password"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"num_at_once": 0}, "num_at_once"),
        ({"prompt": "mine"}, "prompt"),
    ],
)
def test_wrong_params_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check("decontaminate.judge", CONTENT | changes, judge.Params)


def test_a_judge_needs_candidates_and_is_off_by_default() -> None:
    content = params.read()["decontaminate"]
    assert content["judge"] is None
    with pytest.raises(InputError, match="judge needs embeddings"):
        check("decontaminate", content | {"judge": CONTENT}, decontaminate.Params)


class Everything:
    """Stands for the embedding model: every text is close to every item."""

    def __init__(self, _: object, items: list[str]) -> None:
        self.size = len(items)

    def propose(self, texts: list[str]) -> Iterator[embeddings.Proposed]:
        for row in range(len(texts)):
            yield from (embeddings.Proposed(row, item, 0.9) for item in range(self.size))


def test_a_pair_that_the_judge_calls_the_same_is_removed_with_its_word_as_evidence(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embeddings, "Embedder", Everything)
    server.answer = lambda body: (
        "SAME" if RETOLD in str(body) and "hens" in str(body) else "DIFFERENT", 1, "stop",
    )  # fmt: skip
    items = [
        Item("quiz", "rev", None, "0", ITEM, private=False),
        Item(
            "secret", "rev", None, "0", "How many walruses sleep on 17 floes of ice?", private=True
        ),
    ]
    problems = [ITEM, RETOLD, "A train leaves Lyon at noon. When does it arrive?"]
    rows: list[Row] = [
        dict.fromkeys(EXAMPLE.names, "")
        | {"id": str(number), "corpus": "web", "problem": problem, "origin_row": number}
        for number, problem in enumerate(problems)
    ]
    write_rows(tmp_path / "rows.parquet", rows, EXAMPLE)
    content = params.read(Path(__file__).parents[2] / "params.yaml")["decontaminate"]
    content |= {"embeddings": {"model": "m", "sha256": "0" * 64, "min_cosine": 0.5}}
    own = CONTENT | {"base_url": f"{server.url}/chat/completions"}
    settings = check("decontaminate", content | {"judge": own}, decontaminate.Params)
    out = tmp_path / "out"
    metrics = decontaminate.filter_rows(tmp_path / "rows.parquet", items, out, settings, [])
    assert [row["id"] for row in read_rows(out / "kept.parquet")] == ["2"]
    (evidence,) = [row for row in read_rows(out / "evidence.parquet") if row["id"] == "1"]
    assert evidence["class"] == "rephrase" and evidence["rule_class"] is None
    assert evidence["decided_by"] == "judge"
    assert evidence["note"] == "judge-7b, prompt same_problem_1: the same problem in both orders"
    assert metrics["judged"]["num_same"] == 1 and metrics["judged"]["num_private"] == 3
    assert metrics["leaks"]["second"] == "embeddings" and metrics["leaks"]["num_both"] == 1
    asked = len(server.asked)
    again = decontaminate.filter_rows(
        tmp_path / "rows.parquet", items, tmp_path / "again", settings, []
    )
    assert again == metrics and len(server.asked) == asked
    for file in out.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    assert "walruses" not in json.dumps(server.asked)
