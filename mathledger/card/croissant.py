"""Describe the training set in Croissant 1.0, the metadata format of dataset hubs and loaders.

The specification is https://docs.mlcommons.org/croissant/docs/croissant-spec.html. It prescribes
the JSON-LD context; everything else comes from the ledger and the files of data/mix/. The metadata
has no date, so that the same rows give the same bytes. Paths are relative to croissant.json, as
loaders expect.
"""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mathledger.card import licences
from mathledger.card.ledger import Corpus, Ledger
from mathledger.card.outputs import Outputs
from mathledger.core.hashing import sha256
from mathledger.core.tables import num_rows

SPLITS = ("train", "validation")
TYPES = {
    pa.string(): "sc:Text",
    pa.int32(): "sc:Integer",
    pa.int64(): "sc:Integer",
    pa.bool_(): "sc:Boolean",
}


@cache
def vocabulary() -> dict[str, Any]:
    """Read croissant.yaml: the format's context, and a description of each column."""
    import yaml

    path = resources.files("mathledger.card").joinpath("croissant.yaml")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def metadata(ledger: Ledger, outputs: Outputs) -> dict[str, Any]:
    """Return the Croissant JSON-LD of data/mix/, one record set for each split."""
    paths = {split: outputs.mix(split) for split in SPLITS}
    removed = {
        reason: count for counts in ledger.removed.values() for reason, count in counts.items()
    }
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in removed.items()) or "none"
    corpora = ledger.corpora
    return {
        "@context": vocabulary()["context"],
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"{ledger.name}-training-set",
        "description": (
            f"Training and validation rows of {ledger.name}, from {', '.join(corpora)}. "
            f"Rows removed by the filters, by reason: {reasons}."
        ),
        "version": "1.0.0",
        # Each row keeps its corpus's licence; the model's licence does not apply to the data.
        "license": sorted({licence_of(source.licence) for source in corpora.values()}),
        "url": ledger.params["model_card"]["url"] or "README.md",
        "citeAs": "; ".join(
            f"{source.name}, revision {source.revision}" for source in corpora.values()
        ),
        "isBasedOn": [based_on(corpus, source) for corpus, source in corpora.items()],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{split}.parquet",
                "name": f"{split}.parquet",
                "contentUrl": f"../{path.relative_to(outputs.root).as_posix()}",
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": sha256(path),
            }
            for split, path in paths.items()
        ],
        "recordSet": [record_set(split, path) for split, path in paths.items()],
    }


def licence_of(text: str) -> str:
    """Return the address of a licence's text, or its id, or the given text if it is unknown."""
    known = licences.find(text)
    return (known.source or known.key) if known else text


def based_on(corpus: str, source: Corpus) -> dict[str, Any]:
    """Describe a corpus as a source of the training set, named as in the column `corpus`."""
    on_hub = {"url": f"https://huggingface.co/datasets/{source.name}"}
    return {
        "@type": "sc:Dataset",
        "name": corpus,
        "alternateName": source.name,
        "version": source.revision,
        "license": licence_of(source.licence),
        **(on_hub if source.kind == "hub" else {}),
    }


def record_set(split: str, path: Path) -> dict[str, Any]:
    """Describe the rows of one split."""
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"{num_rows(path):,} rows.",
        "key": [{"@id": f"{split}/id"}, {"@id": f"{split}/repeat"}],
        "field": [field(split, column) for column in pq.read_schema(path)],
    }


def field(split: str, column: pa.Field) -> dict[str, Any]:
    """Describe one column; a conversation is described by the texts of its messages."""
    known: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{split}/{column.name}",
        "name": column.name,
        "description": vocabulary()["fields"][column.name],
        "dataType": TYPES.get(column.type, "sc:Text"),
        "source": {
            "fileObject": {"@id": f"{split}.parquet"},
            "extract": {"column": column.name},
        },
    }
    if column.type not in TYPES:
        known["source"]["transform"] = {"jsonPath": "content"}
        known["repeated"] = True
    return known


def text(ledger: Ledger, outputs: Outputs) -> str:
    """Return the text of croissant.json."""
    return json.dumps(metadata(ledger, outputs), indent=1, ensure_ascii=False) + "\n"
