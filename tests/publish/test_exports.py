"""What is read back from each export, by its own library or schema, is what the ledger says."""

import copy
import hashlib
import json
import logging
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from mathledger import audit
from mathledger.card import card
from mathledger.card.ledger import Ledger
from mathledger.card.statement import statement, text
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from mathledger.core.hashing import sha256
from mathledger.core.tables import BENCHMARK_ITEM, read_rows, write_rows
from mathledger.data.benchmarks import ALL_ITEM
from mathledger.evaluation.samples import SAMPLE
from mathledger.filters.mix import TRAINING_ROW
from mathledger.publish import (
    every_eval_ever,
    exports,
    private_benchmarks,
    public_texts,
    refuse_private_texts,
    row_digests,
    write_model,
    write_results,
)
from mathledger.release.measured import measured
from mathledger.run.lineage import lineage_file

HERE = Path(__file__).parent
# The file of the wheel every-eval-ever 0.3.0 (MIT), which needs Python 3.12 and is not installed.
SCHEMA = read_json(HERE / "schemas/every_eval_ever-0.3.0.schema.json")
STARTED = "2026-11-29T00:46:{:02}+00:00"


def rows_of(schema: pa.Schema, number: int) -> list[dict[str, Any]]:
    """Return rows with a value of its own in every column."""
    values: dict[Any, Any] = {pa.string(): "π \n{}", pa.int32(): 0, pa.int64(): 2**60}
    turns = [{"role": "user", "content": "1+1"}]
    return [
        {
            column.name: f"{column.name}-{place}-π\n"
            if column.type == pa.string()
            else turns
            if pa.types.is_list(column.type)
            else [("level", "1")]
            if pa.types.is_map(column.type)
            else values.get(column.type, place % 2 == 0)
            for column in schema
        }
        for place in range(number)
    ]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Return a small state with two models and four benchmarks, one of them from the hub."""
    root = tmp_path_factory.mktemp("state")
    content: dict[str, Any] = copy.deepcopy(read_json(HERE.parents[1] / "model_card/ledger.json"))
    ledger = content["predicate"]
    first = ledger["benchmarks"][0]
    first["source"] |= {"name": "org/sums", "revision": "a" * 40}
    ledger["params"]["benchmark"][first["benchmark"]]["source"] = {
        "kind": "hub", "repo": "org/sums", "revision": "a" * 40, "split": "test",
    }  # fmt: skip
    files, number = [], 0
    for entry in ledger["benchmarks"]:
        items = root / "data/download_benchmark" / entry["benchmark"] / "items.parquet"
        write_rows(items, rows_of(BENCHMARK_ITEM, 2), BENCHMARK_ITEM)
        for model, score in entry["models"].items():
            number += 1
            path = root / f"data/evaluate/{model}-{entry['benchmark']}/samples.parquet"
            write_rows(path, rows_of(SAMPLE, number), SAMPLE)
            score["samples_sha256"] = sha256(path)
            run = {
                "stage": "evaluate", "item": f"{model}-{entry['benchmark']}", "experiment": None,
                "git_revision": "b" * 40, "code_is_dirty": False, "deps": {}, "params": {},
                "code": {"mathledger/core/keys.py": "c" * 32}, "mlflow_run_id": "d",
                "packages": {"transformers": "5.0"}, "hardware": {"cpu": "x"},
                "started": STARTED.format(number), "seconds": 1.0,
            }  # fmt: skip
            write_json(root / lineage_file(f"evaluate@{run['item']}"), run)
    for split in ("train", "validation"):
        write_rows(root / f"data/mix/{split}.parquet", rows_of(TRAINING_ROW, 5), TRAINING_ROW)
    for model in ledger["params"]["evaluated_models"]:
        for name in ("config.json", "model.safetensors"):
            path = root / f"data/model/{model}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{model} {name}")
            files.append(path)
    (root / "params.yaml").write_text(yaml.safe_dump(ledger["params"]))
    record = Ledger.read(ledger, "ledger")
    folder = root / "model_card"
    folder.mkdir()
    (folder / "README.md").write_text(card.text(record), encoding="utf-8")
    (folder / "ledger.json").write_text(text(statement(record, files, root)), encoding="utf-8")
    return Chain("workspace", None, root)


@pytest.fixture(scope="module")
def out(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a published folder."""
    folder = tmp_path_factory.mktemp("published")
    write_model(folder / "model", chain, None)
    write_results(folder / "results", chain, {})
    exports.write(folder, chain, ())
    return folder


def entries(chain: Chain) -> list[tuple[Any, str, Any, str]]:
    """Return each benchmark with a model, its score and its date, as the state has them."""
    return [
        (entry, model, score, read_json(
            chain.at / lineage_file(f"evaluate@{model}-{entry.benchmark}"))["started"])
        for entry in chain.ledger.benchmarks
        for model, score in entry.models.items()
    ]  # fmt: skip


def test_the_hub_client_reads_the_scores_from_both_of_its_formats(chain: Chain, out: Path) -> None:
    index = {
        each.dataset_name: each
        for each in ModelCard.load(out / "model/README.md").data.eval_results
    }
    final = [each for each in entries(chain) if each[1] == "tuned"]
    assert len(list((out / "model/.eval_results").iterdir())) == len(final) == len(index)
    for entry, _, score, started in final:
        file = out / f"model/.eval_results/{entry.benchmark}.yaml"
        (read,) = parse_eval_result_entries(yaml.safe_load(file.read_text(encoding="utf-8")))
        old = index[entry.benchmark]
        assert read.value == old.metric_value == score.accuracy
        assert read.dataset_revision == old.dataset_revision == entry.source.revision
        assert (read.dataset_id, read.task_id) == (entry.source.name, entry.benchmark)
        assert read.date == started
        assert f"n={score.num_items}, {score.num_correct} of {score.num_samples} " in read.notes
        assert f"{score.low:.4f} to {score.high:.4f}" in read.notes
        assert read.source_name == old.source_name == f"ledger {score.samples_sha256[:8]}"


def test_the_audit_contradicts_nothing(out: Path) -> None:
    found = audit.audit(out / "model/README.md")
    shown = [claim for claim in found.claims if claim.where == "eval-results"]
    assert len(shown) == len(list((out / "model/.eval_results").iterdir()))
    assert not [each for each in found.findings if each.strength != "missing"]


def test_every_eval_ever_reads_the_scores(chain: Chain, out: Path) -> None:
    checker = jsonschema.Draft7Validator(SCHEMA)
    records = [read_json(path) for path in (out / "results/every_eval_ever").rglob("*.json")]
    found = {}
    for record in records:
        checker.validate(record)
        (result,) = record["evaluation_results"]
        found[result["evaluation_result_id"]] = record, result
    assert len(found) == len(records) == len(entries(chain))
    for entry, model, score, started in entries(chain):
        record, result = found[f"{entry.benchmark}/{model}/accuracy"]
        own, interval = result["score_details"], result["score_details"]["uncertainty"]
        assert own["score"] == score.accuracy
        assert interval["confidence_interval"]["lower"] == score.low
        assert interval["confidence_interval"]["upper"] == score.high
        assert interval["num_samples"] == int(own["details"]["num_items"]) == score.num_items
        assert int(own["details"]["num_correct"]) == score.num_correct
        source = result["source_data"]
        assert source["additional_details"]["revision"] == entry.source.revision
        if entry.benchmark == "chain_sum":
            assert source["source_type"] == "hf_dataset" and source["hf_repo"] == "org/sums"
            assert source["hf_split"] == "test" and source["samples_number"] == entry.num_items
        else:
            assert source["source_type"] == "other"
        assert record["evaluation_timestamp"] == result["evaluation_timestamp"] == started
        epoch = datetime.fromisoformat(started).timestamp()
        assert float(record["retrieved_timestamp"]) == epoch
        details = record["source_metadata"]["additional_details"]
        assert details["responses_sha256"] == sha256(out / "results" / details["responses"])


@pytest.mark.parametrize("base", ["Org/base", "base", None])
def test_every_eval_ever_names_the_models(chain: Chain, tmp_path: Path, base: str | None) -> None:
    """A base model of one's own has no name on the hub."""
    content = chain.ledger.content()
    content["base_model"] |= {"base_model": base, "name": "a wheel"}
    ledger = Ledger.read(content, "ledger")
    every_eval_ever.write(tmp_path, ledger, measured(chain, set()))
    top = tmp_path / "every_eval_ever/data/champ"
    names = {path.parent.relative_to(top).as_posix() for path in top.rglob("*.json")}
    own = {"Org/base": "Org/base", "base": "not_stated/base", None: "not_stated/a_wheel"}[base]
    assert names == {own, f"not_stated/{ledger.name}"}
    for path in top.rglob("*.json"):
        jsonschema.Draft7Validator(SCHEMA).validate(read_json(path))


def test_every_eval_ever_reads_what_repeats_give(chain: Chain, tmp_path: Path) -> None:
    content = chain.ledger.content()
    interval = {"value": 0.5, "low": 0.25, "high": 0.75}
    entry = content["benchmarks"][0]
    entry["num_repeats"] = 4
    entry["models"]["tuned"] |= {"pass_at": {"1": interval, "4": interval}, "majority": interval}
    ledger = Ledger.read(content, "ledger")
    (one,) = [
        each
        for each in measured(chain, set())
        if (each.model, each.benchmark) == ("tuned", entry["benchmark"])
    ]
    repeated = ledger.benchmarks[0]
    changed = type(one)("tuned", repeated, repeated.models["tuned"], one.run, one.params)
    record = every_eval_ever.record(ledger, changed)
    jsonschema.Draft7Validator(SCHEMA).validate(record)
    read = {
        each["metric_config"]["metric_id"]: (
            each["score_details"]["score"], each["metric_config"].get("metric_parameters"))
        for each in record["evaluation_results"]
    }  # fmt: skip
    assert read["pass_at_1"] == (0.5, {"k": 1}) and read["pass_at_4"] == (0.5, {"k": 4})
    assert read["majority"] == (0.5, None) and set(read) == {
        "accuracy",
        "pass_at_1",
        "pass_at_4",
        "majority",
    }


def test_in_toto_reads_the_scores(chain: Chain, out: Path) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.resource_descriptor_pb2 import ResourceDescriptor as Descriptor
    from in_toto_attestation.v1.statement import Statement
    from in_toto_attestation.v1.statement_pb2 import Statement as Message

    top = out / "results"
    for entry, model, score, started in entries(chain):
        file = top / f"eval_result/{entry.benchmark}/{model}.json"
        written = file.read_text(encoding="utf-8")
        message = json_format.Parse(written, Message())
        Statement.copy_from_pb(message).validate()
        own = json_format.MessageToDict(message)["predicate"]
        for each in (own["model"], own["dataset"], *own["evidence"]):
            descriptor = json_format.ParseDict(each, Descriptor())
            ResourceDescriptor.copy_from_pb(descriptor).validate()
            assert descriptor.digest  # which the draft requires
        pinned: dict[str, set[str]] = {}
        for claim in own["claims"]:
            assert claim.pop("passed") is True and claim["comparator"] in (">=", "<=")
            pinned.setdefault(claim["metric"], set()).add(claim["threshold"])
        assert pinned == {
            "accuracy_rounded_to_8_decimals": {str(score.accuracy)},
            "num_correct": {str(score.num_correct)},
            "num_items": {str(score.num_items)},
        }
        assert len(own["claims"]) == 6
        assert own["sampleSize"] == score.num_samples and own["evaluatedAt"] == started
        assert own["suite"] == {"name": entry.benchmark, "version": entry.source.revision}
        assert own["assuranceLevel"] == "self_attested" and own["subjectProfile"] == "public-model"
        (evidence,) = own["evidence"]
        responses = (file.parent / evidence["uri"]).resolve()
        assert evidence["digest"]["sha256"] == sha256(responses) == score.samples_sha256
        leaves = [row_digests.canonical(row) for row in read_rows(responses)]
        assert evidence["annotations"]["merkleRoot"] == root_of(leaves)
        assert evidence["annotations"]["numLeaves"] == len(leaves)
        harness = own["harness"]["digest"]["sha256"]
        assert sha256(top / f"eval_result/harness/{harness}.json") == harness
        weights = chain.at / f"data/model/{model}"
        assert {each.name: each.digest["sha256"] for each in message.subject} == {
            path.name: sha256(path) for path in weights.iterdir()
        }


def root_of(leaves: list[bytes]) -> str:
    """Return the Merkle tree hash as RFC 6962, section 2.1, defines it: by halving."""

    def of(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return hashlib.sha256(b"\0" + part[0]).digest()
        half = 1 << (len(part) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + of(part[:half]) + of(part[half:])).digest()

    return of(leaves).hex()


@pytest.mark.parametrize("number", range(1, 34))
def test_the_merkle_root_is_that_of_rfc_6962(number: int) -> None:
    leaves = [str(each).encode() for each in range(number)]
    assert row_digests.merkle_root(leaves) == root_of(leaves)


@pytest.mark.slow
def test_mlcroissant_reads_the_rows_and_their_digests(chain: Chain, out: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant
    logging.getLogger("absl").setLevel(logging.ERROR)
    dataset = mlcroissant.Dataset(jsonld=str(out / "results/croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert dataset.metadata.ctx.is_v1_1()
    (missing,) = dataset.metadata.ctx.issues.warnings
    assert "datePublished" in missing  # known when it is published, and not before
    content = read_json(out / "results/croissant.json")
    assert content["dateCreated"] == max(started for *_, started in entries(chain))
    digests: dict[str, list[str]] = {}
    for each in dataset.records("row_digests"):
        file = each["row_digests/file"].decode()
        digests.setdefault(file, []).append(each["row_digests/sha256"].decode())
    files = {f"data/mix/{split}.parquet": chain.at for split in ("train", "validation")}
    for entry, model, *_ in entries(chain):
        name = f"{entry.benchmark}/{model}"
        files[f"{name}.parquet"] = out / "results"
        read = [each[f"{name}/response"].decode() for each in dataset.records(name)]
        assert read == [row["response"] for row in read_rows(out / f"results/{name}.parquet")]
    assert set(digests) == set(files)
    for file, folder in files.items():
        assert digests[file] == [
            hashlib.sha256(
                json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
            ).hexdigest()
            for row in read_rows(folder / file)
        ]


def test_a_changed_row_changes_its_digest_and_the_root() -> None:
    rows = rows_of(SAMPLE, 5)
    before = [row_digests.canonical(row) for row in rows]
    rows[3]["verdict"] = "correct"
    after = [row_digests.canonical(row) for row in rows]
    assert [one == other for one, other in zip(before, after, strict=True)].count(False) == 1
    assert row_digests.merkle_root(before) != row_digests.merkle_root(after)


def test_a_private_benchmark_is_in_no_export(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write_results(tmp_path / "results", chain, {"champ": []})
    exports.write(tmp_path, chain, ["champ"])
    for path in tmp_path.rglob("*"):
        if path.name not in ("ledger.json", "README.md"):
            assert "champ" not in path.relative_to(tmp_path).as_posix()
            if path.suffix in (".json", ".yaml"):
                assert "champ" not in path.read_text(encoding="utf-8")
    assert not {row["file"] for row in read_rows(tmp_path / "results/row_digests.parquet")} & {
        "champ/base.parquet", "champ/tuned.parquet",
    }  # fmt: skip


HELD_OUT = (
    "From the zenithwharf notebook, page zenithwharf: Let ZQXPROB3 be the lattice spanned by the "
    "vectors (6, 10) and (11, 20) over the integers; how many points lie within the disc?",
    "Let $a<b$ & `c` | d\\neq <script>e</script>\n# and *f* with 17\u00d723 in [g](h): "
    "find $\\dfrac{a}{b}$.",
)


@pytest.mark.parametrize("where", ["README.md", "ledger.json"])
@pytest.mark.parametrize("problem", HELD_OUT)
def test_a_private_item_that_is_not_evaluated_is_found_in_the_card(
    chain: Chain, tmp_path: Path, problem: str, where: str
) -> None:
    """A filter that flags instead of removing lets a copy of the item become the held-out row."""
    content = chain.ledger.content()
    content["held_out"]["train"] = {"problem": f"Copied. {problem}", "answer": "1"}
    ledger = Ledger.read(content, "ledger")
    params = copy.deepcopy(chain.params)
    params["benchmark"]["champ"]["source"]["private"] = True
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for name in params["benchmark"]:
        items = tmp_path / "data/download_benchmark" / name
        write_rows(items / "items.parquet", [], BENCHMARK_ITEM)
        row = {"id": "tier 2", "problem": problem, "subsets": [], "is_evaluated": False}
        write_rows(items / "all_items.parquet", [row] if name == "champ" else [], ALL_ITEM)
    state = Chain("workspace", None, tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    whole = card.text(ledger) if where == "README.md" else json.dumps(content)
    (folder / where).write_text(whole, encoding="utf-8")
    with pytest.raises(InputError, match=f"{where} holds the text of item tier 2 of champ, which"):
        refuse_private_texts(folder, private_benchmarks(state), public_texts(state))
    assert not folder.exists()


def test_a_run_without_a_date_is_one_clear_error(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = chain.at / lineage_file("evaluate@base-champ")
    content = file.read_text()
    try:
        file.write_text(content.replace("T00:46:", " at "))
        with pytest.raises(InputError, match=r"base-champ\.json: started is .*dvc repro"):
            exports.write(tmp_path, chain, ())
    finally:
        file.write_text(content)
