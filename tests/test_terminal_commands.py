"""Commands print untrusted text with its control characters spelled out.

Each test runs a command in all its forms and replaces its input by random texts.
"""

import argparse
import contextlib
import io
import itertools
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger import audit, cli, compare, diff, trace
from mathledger.card import ledger
from mathledger.chain.chain import Chain
from mathledger.compare import load
from mathledger.compare.load import Cost, Experiment, Responses
from mathledger.core.keys import ABSENT
from mathledger.diff import difference
from mathledger.diff.attribution import Attribution, Cause, Unexplained
from mathledger.diff.causes import Change
from mathledger.diff.difference import Difference, Values, Weights
from mathledger.diff.numbers import NumberDifference
from mathledger.diff.responses import Answers, Changes, Flip
from mathledger.diff.rows import Example, RowsDifference
from mathledger.diff.sides import Number, Side
from mathledger.evaluation.statistics import FamilyTest, Interval
from mathledger.run.lineage import Hardware, Lineage
from mathledger.trace import item, number, row, tree
from mathledger.trace.item import ItemTrace
from mathledger.trace.number import NumberTrace
from mathledger.trace.predictions import Predictions
from mathledger.trace.row import Copy, Decontaminated, Passage, Raw, Removal, RowTrace, Sampled
from mathledger.trace.steps import Digest, Step
from mathledger.trace.store import Store
from mathledger.verify import links as verify_links
from mathledger.verify import render as verify_render
from tests.texts import TEXTS, Terminal, is_control

CHAIN = Chain("A", None, Path())


STYLE = re.compile("\x1b\\[[0-9;]*m")  # The colours of rich and trace.


def printed(run: Callable[[], object], out: io.StringIO | None = None) -> str:
    with contextlib.redirect_stdout(out or io.StringIO()) as out:
        run()
    return out.getvalue()


def expect_clean(text: str) -> None:
    assert not {character for character in text if is_control(character)}
    text.encode("utf-8")  # It can be printed.


def in_each_form(command: Any, forms: list[str], **options: Any) -> None:
    """Run a command with none and with each of its forms, to a file and to a terminal."""
    for chosen, out in itertools.product((None, *forms), (io.StringIO, Terminal)):
        chosen_form = {form: form == chosen for form in forms}
        text = printed(lambda: command.run(argparse.Namespace(**options | chosen_form)), out())  # noqa: B023
        expect_clean(STYLE.sub("", text) if out is Terminal else text)
        if chosen == "json":
            json.loads(text)


def scored() -> ledger.Score:
    return ledger.Score(num_items=2, num_samples=2, num_correct=1, accuracy=0.5, low=0.1, high=0.9)


@pytest.mark.slow
@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_audit(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()  # A card is UTF-8.
    escaped = "".join(f"\\U{ord(character):08x}" for character in text)
    card = (
        f'---\nlicense: "{escaped}"\n---\n# Model {text}\n\n{text} on GSM8K: 72% {text}\n\n'
        f"| Benchmark | {text} | Score |\n|---|---|---|\n| MATH-500 {text} | {text} | 97.3% |\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.md"
        path.write_bytes(card.encode())
        options = {"card": path, "model": None, "model_index": False, "data": None}
        options |= {"known": None, "fail_on": None, "html": None}
        in_each_form(audit, ["json"], **options)


@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_an_error(text: str) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        assert cli.main(["trace", "a", f"b{text}", "c"]) == 2
    expect_clean(err.getvalue())


@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_trace_of_a_number(text: str) -> None:
    score = ledger.ModelScore.model_construct(
        **scored().statistics(),
        items_without_overlap=scored(),
        items_with_overlap=scored(),
        graders=[text],
    )
    source = ledger.BenchmarkSource(name=text, revision=text, licence=text, items_digest="0" * 32)
    benchmark = ledger.Benchmark.model_construct(
        benchmark="exam",
        about=text,
        source=source,
        num_items_overlapping_training_candidates=1,
        models={text: score},
    )
    lineage = Lineage.model_construct(
        **dict.fromkeys(("experiment", "git_revision", "mlflow_run_id", "started"), text),
        code_is_dirty=True,
        seconds=1.0,
        deps={text: text},
        packages={text: text},
        hardware=Hardware(cpu=text),
    )
    files = {"data/x": Digest(text, 1, {text: text})}
    receipt = {"name": text, "revision": text, "licence": text}
    names = ("evaluate@a-exam", "download_benchmark@exam")
    steps = [
        Step(name, reads, receipt, {text: text}, files, files, text, lineage, text, False)
        for name, reads in zip(names, ([names[1]], []), strict=True)
    ]
    predictions = Predictions(text, "0" * 64, "0" * 32, 1, 2, {"correct": 1}, 1, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
        shown = NumberTrace(
            text, None, text, benchmark, "0" * 64, predictions, {text: text},
            Store(Path()), steps, [text],
        )  # fmt: skip
        patch.setattr(Chain, "open", lambda _: CHAIN)
        patch.setattr(number, "trace", lambda *_: shown)
        in_each_form(trace, ["json", "all"], target=["exam"], rev=None, html=None)


@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_trace_of_a_row(text: str) -> None:
    hit = {"class": text, "benchmark": text, "item_id": text, "place": "problem"}
    hit |= {"containment": 0.5, "action": text}
    stages = [
        Decontaminated("decontaminate", Removal(text, {text: text, "more": [text]}), []),
        Decontaminated("decontaminate", None, [hit]),
        Passage("deduplicate", None),
    ]
    raw = Raw(text, 0, "0" * 64, "0" * 32, text, text, text, {text: text})
    copy = Copy(text, text, text, text, text, Sampled(1, 0), stages, raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chain, "open", lambda _: CHAIN)
        patch.setattr(row, "trace", lambda *_: RowTrace(text, None, "0" * 32, [copy]))
        in_each_form(trace, ["json"], target=["row", "0"], rev=None, html=None)


@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_trace_of_an_item(text: str) -> None:
    own = {"id": text, "problem": text, "solution": text, "answer": text, "answer_type": text}
    response = dict.fromkeys(
        ("model", "verdict", "extracted_answer", "reference", "response", "finish_reason"), text
    )
    response |= {"grader": text, "prompt_sha256": "0" * 64, "harness_correct": None}
    hit = dict.fromkeys(("id", "class", "action", "corpus", "source"), text)
    hit |= {"place": "problem", "containment": 0.5, "item_in_text": 0.5, "text_in_item": 0.5}
    differences = ("missing_numbers", "extra_numbers", "missing_operators", "extra_operators")
    shown = ItemTrace(
        text,
        None,
        text,
        False,
        text,
        {**own, "subsets": {text: text}},
        True,
        [{**response, "repeat": 0, "num_tokens": 1, "seed": 1}],
        [{**hit, **{key: [text] for key in differences}, "row": {"problem": text}}],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chain, "open", lambda _: CHAIN)
        patch.setattr(item, "trace", lambda *_: shown)
        in_each_form(trace, ["json"], target=["item", "a/b"], rev=None, html=None)


@settings(deadline=None)  # The first run imports.
@given(TEXTS, st.booleans())
def test_a_tree(text: str, has_colour: bool) -> None:
    """Everything that trace prints is a tree, whose only escape sequences are its colours."""
    lines = tree.draw(tree.Branch(text, text, [text], [tree.Branch(text, text)]), 60, has_colour)
    expect_clean(re.sub("\x1b\\[\\d+m", "", "\n".join(lines)))


@pytest.mark.slow
@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_compare(text: str) -> None:
    def experiment(name: str) -> Experiment:
        responses = Responses(scored(), "v1", {"1": [True], "2": [False]})
        cost = Cost(1.0, 0.1, True, name)
        return Experiment(name, None, [text] * 5, 12, cost, text, {text: responses})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "chosen", lambda *_: (CHAIN, [Chain(text, None, Path())]))
        patch.setattr(load, "experiment", lambda chain, _: experiment(chain.name))
        patch.setattr(load, "overlapping_items", lambda _: {text: {"1"}})
        in_each_form(compare, ["json", "csv", "markdown"], revisions=[], baseline=None)


@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_diff(text: str) -> None:
    own: Any = scored()  # Only the common fields are shown.
    side = Side(text, None, None)  # type: ignore[arg-type]
    interval = Interval(0.5, 0.1, 0.9)
    flip = Flip(text, 0, True, (text, text), Answers(text, text, None))
    changes = Changes(2, 1, 1, [flip])
    shown = Difference(
        side,
        side,
        [
            NumberDifference(
                Number(text, text),
                own,
                own,
                False,
                FamilyTest(interval, 0.5, 1, 0, None, 0.5),
                changes,
            )
        ],
        [Number(text, text)],
        [],
        Attribution(
            [Cause(Change("code", text, text, ABSENT), [text], [f"{text}@{text}"])],
            [Unexplained(text, [f"{text}@{text}"])],
            [Cause(Change("params", text, {text: text}, text), [text])],
        ),
        [
            RowsDifference(
                text,
                text,
                2,
                1,
                {},
                {text: 1},
                [Example(text, "lost", text, text, {"found": text})],
                [text],
            )
        ],
        [],
        [Values(text, text, text)],
        [Weights(text, text, None)],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diff, "open_side", lambda _: side)
        patch.setattr(difference, "compare", lambda *_: shown)
        in_each_form(diff, ["json"], a="A", b="B", benchmark=None)


@settings(deadline=None)  # The first run imports.
@given(TEXTS)
def test_verify(text: str) -> None:
    for reasons, looked_at in (((text, text), ""), ((), text)):
        link = verify_links.LinkResult("digests", reasons, looked_at)
        expect_clean(printed(lambda: verify_render.show_end(link)))  # noqa: B023
