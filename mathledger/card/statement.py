"""The ledger as an in-toto Statement: what is stated (predicate) of which files (subject).

    {"_type", "subject": [{"name", "digest": {"sha256"}}], "predicateType", "predicate": {...}}

The form is that of https://github.com/in-toto/attestation (v1), so that any tool for attestations
can read it; docs/ledger.schema.json is the schema. The predicate holds no clock, run id or machine:
the same results give the same bytes. It is named by the sha256 of its canonical form (RFC 8785),
which the card shows; the card itself is one of the subjects, so that neither can change alone.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.records import sha256

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:mathledger:ledger:1"

Ledger = dict[str, Any]


def digest(ledger: Ledger) -> str:
    """The sha256 of the ledger's canonical form, 64 hex digits."""
    import rfc8785

    return hashlib.sha256(rfc8785.dumps(ledger)).hexdigest()


def statement(ledger: Ledger, files: list[Path]) -> dict[str, Any]:
    """What model_card/ledger.json holds.

    Args:
        files: the subject: weights, responses and the card.
    """
    return {
        "_type": TYPE,
        "subject": [
            {"name": path.as_posix(), "digest": {"sha256": sha256(path)}} for path in sorted(files)
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": ledger,
    }


def text(content: dict[str, Any]) -> str:
    """The one way in which a statement is written: lines, so that git shows what changed."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def predicate(content: Any, name: str) -> Ledger:
    """The ledger of a statement.

    Args:
        name: how the file is called where it is none.

    Raises:
        InputError: it is no statement of a ledger of this version.
    """
    kind = content.get("predicateType") if isinstance(content, dict) else None
    if kind != PREDICATE_TYPE or not isinstance(content.get("predicate"), dict):
        raise InputError(
            f"{name} is no statement of a ledger (predicateType {kind!r}, expected "
            f"{PREDICATE_TYPE!r}): run `dvc repro model_card`"
        )
    found: Ledger = content["predicate"]
    return found


def stage_names(settings: dict[str, Any]) -> list[str]:
    """The stages that a ledger rests on, as DVC names them, all but `model_card`.

    Args:
        settings: the content of params.yaml.
    """
    corpora, benchmarks, models = settings["corpus"], settings["benchmark"], settings["models"]
    return [
        *(f"download_corpus@{corpus}" for corpus in corpora),
        *(f"download_benchmark@{benchmark}" for benchmark in benchmarks),
        "download_model",
        *(f"prepare@{corpus}" for corpus in corpora),
        *("deduplicate", "decontaminate", "mix", "train"),
        *(f"reinforce@{method}" for method in settings["reinforce"]),
        *(f"evaluate@{model}-{benchmark}" for model in models for benchmark in benchmarks),
        *(f"probe@{model}" for model in models),
    ]
