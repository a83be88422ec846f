"""A forger who recomputes every digest is named by what `verify` makes again from the pins on."""

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.core.tables import read_rows
from mathledger.verify import completions, drawings, filtering, links, probes, results, sources
from mathledger.verify.project import Check, Project
from tests import forging
from tests.conftest import Workspace

BENCHMARK = "tiny_chain_sum"
ITEMS = f"data/download_benchmark/{BENCHMARK}/items.parquet"
SAMPLES = f"data/evaluate/tuned-{BENCHMARK}/samples.parquet"
TRAIN = "data/mix/train.parquet"
RAW = "data/download_corpus/tiny_numinamath_cot/train.jsonl"
METRIC = f"metrics/evaluate/tuned-{BENCHMARK}.json"
COMPLETIONS = "data/probe/tuned/completions.parquet"

# Every stored file, with the links that make it again. docs/verify.md lists what is in no link.
MADE_AGAIN: dict[str, list[Callable[[Project], Check]]] = {
    "data/download_": [sources.pinned],
    "metrics/download_benchmark/": [sources.pinned],
    "data/prepare/": [filtering.again],
    "data/deduplicate/": [filtering.again],
    "data/decontaminate/": [filtering.again],
    "data/mix/": [filtering.again],
    "metrics/prepare/": [filtering.again],
    "metrics/deduplicate.json": [filtering.again],
    "metrics/decontaminate.json": [filtering.again],
    "metrics/mix.json": [filtering.again],
    "data/probe/": [completions.completions, probes.parts],
    "metrics/probe/": [completions.completions, probes.parts],
    "data/evaluate/": [results.prompts, results.responses],
    "metrics/evaluate/": [results.metrics],
    "model_card/ledger.json": [results.ledger],
    "model_card/README.md": [results.card],
    "model_card/": [drawings.drawings],
    "plots/model_card/": [drawings.drawings],
}
DEEP = ("data/model/base/", "data/model/tuned/", "data/train/", "metrics/train.json")
UNPROVED = ("lineage/", "plots/train/loss.csv")
# What the model said is taken as stored; `--deep` generates some of it again.
TEXTS = tuple(
    f"field {name}"
    for name in ("completion", "response", "thinking", "num_tokens", "num_thinking_tokens")
)


@pytest.fixture(scope="module")
def state(smoke: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Work in a copy of the smoke run."""
    path = smoke.copy(tmp_path_factory.mktemp("forged") / "project").path
    with contextlib.chdir(path):
        yield path


def answers_of_the_model() -> None:
    said = {row["item_id"]: row["extracted_answer"] for row in read_rows(Path(SAMPLES))}
    forging.edit_rows(
        ITEMS, lambda rows: [row.update(answer=said[row["id"]] or "8") for row in rows]
    )


def items_for_training_rows() -> None:
    items = read_rows(Path(ITEMS))

    def swap(rows: list[dict[str, Any]]) -> None:
        for row, item in zip(rows, items, strict=False):
            row["prompt"][0]["content"] = item["problem"]
            row["completion"][0]["content"] = f"\\boxed{{{item['answer']}}}"
            row["answer"] = item["answer"]

    forging.edit_rows(TRAIN, swap)


def verbatim(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["is_verbatim"] = True


def other_picture() -> None:
    data = Path("model_card/loss.png").read_bytes()
    Path("model_card/scores.png").unlink()
    Path("model_card/scores.png").write_bytes(data)


def losses(content: dict[str, Any]) -> None:
    content.update(last_validation_loss=0.0123, num_tokens_seen=123456789)


# Changes of stored files, and then of the card. Links that make a file again name each of them.
LIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "gold answers": (ITEMS, answers_of_the_model),
    "training rows": (TRAIN, items_for_training_rows),
    "raw rows": (RAW, lambda: forging.edit_text(RAW, lambda s: s.replace("+", "-", 1))),
    "kept rows": (
        "data/decontaminate/kept.parquet",
        lambda: forging.edit_rows("data/decontaminate/kept.parquet", lambda r: r.pop()),
    ),
    "a filter's count": (
        "metrics/mix.json",
        lambda: forging.edit_json("metrics/mix.json", lambda c: c.update(num_families_split=3)),
    ),
    "a metric's key": (
        METRIC,
        lambda: forging.edit_json(
            METRIC, lambda c: c.update(best_accuracy=0.999, dtype="float64", batch_size=1)
        ),
    ),
    "losses": ("metrics/train.json", lambda: forging.edit_json("metrics/train.json", losses)),
    "probe verdicts": (COMPLETIONS, lambda: forging.edit_rows(COMPLETIONS, verbatim)),
    "verdicts": (
        SAMPLES,
        lambda: forging.edit_rows(SAMPLES, lambda r: r[0].update(verdict="correct", correct=True)),
    ),
    "a picture": ("model_card/scores.png", other_picture),
    "the report": (
        "model_card/report.html",
        lambda: forging.edit_text(
            "model_card/report.html", lambda s: s.replace("rows were", "clean rows were", 1)
        ),
    ),
    "a plot": (
        "plots/model_card/scores.csv",
        lambda: forging.edit_text(
            "plots/model_card/scores.csv", lambda s: s.replace("0.0", "0.9", 1)
        ),
    ),
    "croissant": (
        "model_card/croissant.json",
        lambda: forging.edit_text(
            "model_card/croissant.json", lambda s: s.replace('"sha256": "', '"sha256": "00', 1)
        ),
    ),
    "another file of training": (
        "data/train/proof.txt",
        lambda: Path("data/train/proof.txt").write_text("97%"),
    ),
    "another file of the probe": (
        "data/probe/tuned/clean.json",
        lambda: Path("data/probe/tuned/clean.json").write_text("{}"),
    ),
    "another file of the mix": (
        "data/mix/candidates.parquet",
        lambda: shutil.copy(TRAIN, "data/mix/candidates.parquet"),
    ),
    "another metric": (
        "metrics/evaluate/tuned-aime26.json",
        lambda: shutil.copy(METRIC, "metrics/evaluate/tuned-aime26.json"),
    ),
    "a run of no stage": (
        "lineage/evaluate/tuned-aime26.json",
        lambda: shutil.copy(
            f"lineage/evaluate/tuned-{BENCHMARK}.json", "lineage/evaluate/tuned-aime26.json"
        ),
    ),
    "responses of no stage": (
        "data/evaluate/tuned-aime26/samples.parquet",
        lambda: shutil.copytree(Path(SAMPLES).parent, "data/evaluate/tuned-aime26"),
    ),
    "the tuned model's settings": (
        "data/model/tuned/config.json",
        lambda: forging.edit_json(
            "data/model/tuned/config.json", lambda c: c.update(trained_by="a third party")
        ),
    ),
    "a link to a folder": (
        "plots/awards",
        lambda: Path("plots/awards").symlink_to("../docs", target_is_directory=True),
    ),
    "a link in data": (
        "data/mix/more",
        lambda: Path("data/mix/more").symlink_to("../../docs", target_is_directory=True),
    ),
    "a link next to a download": (
        "data/download_corpus/tiny_numinamath_cot/more",
        lambda: Path("data/download_corpus/tiny_numinamath_cot/more").symlink_to(
            "../../../docs", target_is_directory=True
        ),
    ),
    "a file more": (
        "model_card/award.png",
        lambda: Path("model_card/award.png").write_bytes(b"x"),
    ),
}
OF_THE_CARD = (
    "a link to a folder",
    "a picture",
    "the report",
    "a plot",
    "croissant",
    "a file more",
)


def test_a_forger_who_recomputes_all_digests_is_named_lie_by_lie(smoke_copy: Workspace) -> None:
    """All lies are in one state, in which every digest fits."""
    with contextlib.chdir(smoke_copy.path):
        for name, (_, tell) in LIES.items():
            if name not in OF_THE_CARD:
                tell()
        forging.rehash_receipts()
        forging.rehash()  # the ledger repeats the digests in lineage/
        forging.redraw()
        for name in OF_THE_CARD:
            LIES[name][1]()
        forging.rehash()
        found = links.check(forging.project().options)
    said = {link.name: "\n".join(link.reasons) for link in found.links}
    records = ("commit", "params", "lock", "lineage", "ledger", "card")
    assert {name: said[name] for name in records} == dict.fromkeys(records, "")
    assert said["digests"].splitlines() == [  # they have no digest in the lock
        "data/evaluate/tuned-aime26/samples.parquet is recorded by no stage in dvc.lock: remove it",
        "lineage/evaluate/tuned-aime26.json is recorded by no stage in dvc.lock: remove it",
        "metrics/evaluate/tuned-aime26.json is recorded by no stage in dvc.lock: remove it",
        "data/train/proof.txt is not made by its stage: remove it",
    ]
    everything = "\n".join(said.values())
    assert not {name for name, (path, _) in LIES.items() if path not in everything}
    assert "last_validation_loss is 0.0123, but tuned has a loss of" in said["training"]
    assert "num_tokens_seen is 123456789" in said["training"]
    assert "best_accuracy is present, but recomputing gives missing" in said["metrics"]
    assert not {"models", "generation"} & set(found.broken)


def stored_files() -> list[str]:
    """Return every file that a stage wrote."""
    own = forging.project()
    outs = [out for stage in own.chain.stages.values() for out in stage.outs]
    files = {file for out in outs for file in own.files_in(out)}
    return sorted(file for file in files if not file.endswith(".gitignore"))


def links_of(path: str) -> list[Callable[[Project], Check]]:
    """Return the links that make a file again; the longest prefix counts."""
    fitting = [prefix for prefix in MADE_AGAIN if path.startswith(prefix)]
    return MADE_AGAIN[max(fitting, key=len)] if fitting else []


def test_each_stored_file_is_made_again_or_named_as_unproved(state: Path) -> None:
    known = (*MADE_AGAIN, *DEEP, *UNPROVED)
    files = stored_files()
    assert not [path for path in files if not path.startswith(known)]
    assert {prefix for prefix in known if not any(p.startswith(prefix) for p in files)} == set()


# A weekly run (`--hypothesis-profile=weekly`) forges the profile's number of fields instead.
FEW = {"max_examples": 25} if settings.get_current_profile_name() == "fixed" else {}


@settings(deadline=None, **FEW, suppress_health_check=[*HealthCheck])
@given(st.randoms(use_true_random=False))
def test_a_change_of_any_field_of_any_file_is_named(state: Path, chance: random.Random) -> None:
    """The receipts are recomputed; these links do not look at the digests of dvc.lock."""
    paths = [path for path in stored_files() if links_of(path)]
    path = chance.choice(paths)
    made = [each for each in paths if each.startswith("data/")]
    with forging.restored(path, *(each for each in made if each.endswith("receipt.json"))):
        lie = forging.lie_in(path, chance)
        if lie.where.endswith(TEXTS):
            return
        if not path.endswith("receipt.json"):
            forging.rehash_receipts()
        reasons = []
        for check in links_of(path):
            with contextlib.suppress(Exception):  # a damaged file ends a link, which is broken
                reasons += list(check(forging.project()))
                continue
            reasons.append("not readable")
        assert reasons, f"nothing names the lie: {lie}"
