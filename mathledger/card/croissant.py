"""The training set's metadata in Croissant 1.0, by which hubs and loaders know a dataset.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html. The vocabulary's context is the one
that the format prescribes; everything else comes from the ledger and the files of data/mix/. There
is no date in it, since the same rows give the same bytes. Paths are relative to the file itself, as
loaders take them.
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
TYPES = {pa.string(): "sc:Text", pa.int32(): "sc:Integer", pa.int64(): "sc:Integer"}


@cache
def vocabulary() -> dict[str, Any]:
    """Read croissant.yaml: the format's context, and what each column holds."""
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
            f"What {ledger.name} was trained on and validated with: rows of "
            f"{', '.join(corpora)}. Rows removed on the way, by reason: {reasons}."
        ),
        "version": "1.0.0",
        # A collection: each row is under its corpus's own, whatever the model's licence is.
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
    """Return the address of a licence's text, or its id; if it is unknown, what is stated."""
    known = licences.find(text)
    return (known.source or known.key) if known else text


def based_on(corpus: str, source: Corpus) -> dict[str, Any]:
    """Describe one corpus as a source of the training set; a row's `corpus` names it."""
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
    """Describe the rows of one file."""
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"{num_rows(path):,} rows.",
        "key": [{"@id": f"{split}/id"}, {"@id": f"{split}/repeat"}],
        "field": [field(split, column) for column in pq.read_schema(path)],
    }


def field(split: str, column: pa.Field) -> dict[str, Any]:
    """Describe one column; of a conversation the texts of its messages."""
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
    """Return croissant.json."""
    return json.dumps(metadata(ledger, outputs), indent=1, ensure_ascii=False) + "\n"
