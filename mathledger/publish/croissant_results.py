"""Describe the published results in Croissant 1.1, with the digest of every row.

The responses have one record set for each file. `row_digests.parquet` holds a digest of every
response and of every row of the training set, whose own description, model_card/croissant.json,
stays Croissant 1.0. The specification is
https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mathledger.card import croissant
from mathledger.card.ledger import Ledger
from mathledger.card.outputs import Outputs
from mathledger.core.files import write_json
from mathledger.core.hashing import sha256
from mathledger.core.tables import num_rows
from mathledger.publish import row_digests
from mathledger.release.measured import Measured

FILE = "croissant.json"
DIGESTS = "row_digests.parquet"
TYPES = croissant.TYPES
ADDED_IN_1_1 = {
    "arrayShape": "cr:arrayShape",
    "containedIn": "cr:containedIn",
    "description": {"@container": "@language"},
    "isArray": "cr:isArray",
    "name": {"@container": "@language"},
}
FIELDS = {
    "item_id": "The benchmark's item.",
    "repeat": "The number of the response to the item, or of the row's copy, counted from 0.",
    "seed": "The seed of the sampling, or null for greedy decoding.",
    "prompt_sha256": "Digest of the prompt that the model got.",
    "response": "The model's answer, without its thinking.",
    "thinking": "The model's thinking, or null.",
    "extracted_answer": "The answer found in the text, or null.",
    "reference": "The benchmark's answer.",
    "verdict": "The grader's verdict.",
    "correct": "Whether the response counts as correct.",
    "is_sure": "Whether the grader could judge the response.",
    "harness_correct": "The verdict of lm-evaluation-harness, or null.",
    "grader": "Version of the grader.",
    "num_tokens": "Tokens of the response, thinking included.",
    "num_thinking_tokens": "Tokens of the thinking, or null.",
    "finish_reason": "Why the response ended.",
    "file": "The parquet file with the row.",
    "id": "The row's id there.",
    "sha256": "sha256 of the row's JSON with sorted keys, no white space, and UTF-8 letters.",
}


def write(folder: Path, ledger: Ledger, outputs: Outputs, scores: Sequence[Measured]) -> None:
    """Write the digests of the rows, and the description of all files.

    Args:
        folder: the published folder of results, which has the responses already.
    """
    training = [(f"data/mix/{split}.parquet", outputs.mix(split)) for split in croissant.SPLITS]
    responses = [(one.responses, folder / one.responses) for one in scores]
    row_digests.write(folder / DIGESTS, [*training, *responses])
    content = metadata(folder, ledger, [name for name, _ in responses])
    if scores:
        content["dateCreated"] = max(one.run.started for one in scores)
    write_json(folder / FILE, content)


def metadata(folder: Path, ledger: Ledger, responses: Sequence[str]) -> dict[str, Any]:
    """Return the Croissant JSON-LD of a folder of results."""
    files = [*responses, DIGESTS]
    licence = ledger.licence.id if ledger.licence else None
    return {
        "@context": croissant.vocabulary()["context"] | ADDED_IN_1_1,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": f"{ledger.name}-results",
        "description": (
            f"Responses of {ledger.name} and its base model with their verdicts, and a digest of "
            "every response and of every training row."
        ),
        "version": "1.0.0",
        "license": croissant.licence_of(licence or "unknown"),
        "url": ledger.params["model_card"]["url"] or "README.md",
        "citeAs": "; ".join(
            f"{entry.source.name}, revision {entry.source.revision}"
            for entry in ledger.benchmarks
            if any(name.startswith(f"{entry.benchmark}/") for name in responses)
        )
        or ledger.name,
        "distribution": [_file(folder, name) for name in files],
        "recordSet": [_record_set(folder, name) for name in files],
    }


def _file(folder: Path, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{(folder / name).stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256(folder / name),
    }


def _record_set(folder: Path, name: str) -> dict[str, Any]:
    about = name.removesuffix(".parquet")
    schema = pq.read_schema(folder / name)
    key = ("file", "id", "repeat") if name == DIGESTS else ("item_id", "repeat")
    return {
        "@type": "cr:RecordSet",
        "@id": about,
        "name": about,
        "description": f"{num_rows(folder / name):,} rows.",
        "key": [{"@id": f"{about}/{column}"} for column in key],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{about}/{column.name}",
                "name": column.name,
                "description": FIELDS[column.name],
                "dataType": TYPES[column.type],
                "source": {"fileObject": {"@id": name}, "extract": {"column": column.name}},
            }
            for column in schema
        ],
    }
