"""Write in-toto statements with the draft predicate `eval-result`.

The draft is https://github.com/in-toto/attestation/pull/575, as revised with `evaluator` and
`evidence`; it is not accepted yet. One statement is about one model and one benchmark.

The draft states results as thresholds. No threshold was set before the run, so two claims, >= and
<=, pin each number, and there is no `preRegistration`. Numbers are those of the ledger, whose
accuracy is rounded to eight decimals; the number of correct responses is exact.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mathledger
from mathledger.card.outputs import Outputs
from mathledger.card.statement import TYPE
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.publish import row_digests
from mathledger.release.measured import Measured

FOLDER = "eval_result"
PREDICATE_TYPE = "https://in-toto.io/attestation/eval-result/v0.1"


def write(folder: Path, chain: Chain, scores: Sequence[Measured]) -> None:
    """Write one statement for each model and benchmark, and the list of the harness's files.

    Args:
        folder: the published folder of results, which has the responses already.
    """
    for one in scores:
        harness = _json(one.run.code_files)
        digest = hashlib.sha256(harness.encode()).hexdigest()
        listed = folder / FOLDER / "harness" / f"{digest}.json"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(harness, encoding="utf-8")
        path = folder / FOLDER / one.benchmark / f"{one.model}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_json(statement(folder, chain, one, digest)), encoding="utf-8")


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def statement(folder: Path, chain: Chain, one: Measured, harness: str) -> dict[str, Any]:
    """Return the statement about one model and one benchmark.

    Args:
        folder: the published folder of results.
        harness: the sha256 of the list of the harness's files.
    """
    files = model_files(chain, one.model)
    outputs = Outputs(chain.at)
    items = outputs.benchmarks / one.benchmark / "items.parquet"
    leaves = [row_digests.canonical(row) for row in row_digests.rows(folder / one.responses)]
    source = one.entry.source
    url = chain.params["model_card"]["url"]
    return {
        "_type": TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "evaluator": {"id": url or "urn:mathledger:evaluator:not-stated"},
            "evaluatedAt": one.run.started,
            "suite": {"name": one.benchmark, "version": source.revision},
            "claims": [
                claim
                for metric, value in (
                    ("accuracy_rounded_to_8_decimals", one.score.accuracy),
                    ("num_correct", one.score.num_correct),
                    ("num_items", one.score.num_items),
                )
                for claim in pinned(metric, value)
            ],
            "sampleSize": one.score.num_samples,
            "model": {"name": one.model, "digest": {"dirHash": dir_hash(files)}},
            "dataset": {
                "name": f"{source.name} {source.revision}",
                "digest": {"sha256": sha256(items)},
                "mediaType": "application/vnd.apache.parquet",
                "annotations": {"items_digest": source.items_digest},
            },
            "assuranceLevel": "self_attested",
            "subjectProfile": "public-model",
            "evidence": [
                {
                    "name": one.responses,
                    "uri": f"../../{one.responses}",
                    "digest": {"sha256": one.score.samples_sha256},
                    "mediaType": "application/vnd.apache.parquet",
                    "annotations": {
                        "merkleRoot": row_digests.merkle_root(leaves),
                        "merkleTree": "RFC 6962, sha256; a leaf is a row's JSON with sorted keys "
                        "and no white space",
                        "numLeaves": len(leaves),
                    },
                }
            ],
            "harness": {
                "name": "mathledger",
                "version": mathledger.__version__,
                "digest": {"sha256": harness},
            },
        },
    }


def pinned(metric: str, value: float) -> list[dict[str, Any]]:
    """Return two claims that hold for this value alone.

    >>> [(each["comparator"], each["threshold"]) for each in pinned("accuracy", 0.5)]
    [('>=', '0.5'), ('<=', '0.5')]
    """
    return [
        {"metric": metric, "comparator": comparator, "threshold": repr(value), "passed": True}
        for comparator in (">=", "<=")
    ]


def model_files(chain: Chain, model: str) -> dict[str, str]:
    """Return the sha256 of each of a model's files, by name, from the ledger's statement.

    Raises:
        InputError: the statement has no files of this model.
    """
    prefix = f"data/model/{model}/"
    files = {
        subject.name.removeprefix(prefix): subject.digest.sha256
        for subject in chain.statement.subject
        if subject.name.startswith(prefix)
    }
    if not files:
        raise InputError(
            f"model_card/ledger.json lists no files of the model {model}: "
            "run `dvc repro model_card`"
        )
    return files


def dir_hash(files: Mapping[str, str]) -> str:
    """Return in-toto's dirHash of a folder, from the sha256 of its files.

    >>> dir_hash({"README.md": "3a137eef6458bfb76bb2c63fc29ffc7166604d2d2e09ed9d8250a534122a8364"})
    '30c0e6909ec292dcf1fc23a0e1354d92355172241099f7c98798dea2e5eef599'
    """
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
