"""Wrap the ledger in an in-toto Statement: a predicate about the files in its subject.

    {"_type", "subject": [{"name", "digest": {"sha256"}}], "predicateType", "predicate": {...}}

The format is https://github.com/in-toto/attestation (v1), so any attestation tool can read it. The
predicate holds no time stamp, run id or machine name, so the same results give the same bytes. The
card shows the sha256 of the predicate's canonical form (RFC 8785). The card is itself one of the
subjects, so neither can change without the other.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema

from mathledger.card.ledger import Ledger
from mathledger.card.quantities import Sha256
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.typed import Record
from mathledger.run import params

TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Literal["urn:mathledger:ledger:1"] = "urn:mathledger:ledger:1"


class Digest(Record):
    """The digest of a subject."""

    sha256: Sha256


class Subject(Record):
    """A file that the statement covers."""

    name: str
    digest: Digest


class Statement(Record):
    """An in-toto Statement about a model, its responses and its card: model_card/ledger.json."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Subject] = Field(
        min_length=1, description="Files of the models, the responses and the card."
    )
    predicate_type: Literal["urn:mathledger:ledger:1"] = Field(alias="predicateType")
    predicate: Ledger


def parse(content: Any, name: str) -> Statement:
    """Parse the JSON of a ledger.json, of this or an older version.

    Args:
        name: the file's name in errors.

    Raises:
        InputError: the JSON is not a statement about a ledger, or has wrong keys or values.
    """
    predicate(content, name)
    return Statement.read({**content, "predicate": _with_plain_stages(content["predicate"])}, name)


def _with_plain_stages(ledger: dict[str, Any]) -> dict[str, Any]:
    """Drop each stage's code digests, which the first ledgers kept next to its inputs."""
    stages = ledger.get("stages")
    if not isinstance(stages, dict) or "code" in ledger:
        return ledger
    plain = {
        name: own["inputs"] if isinstance(own, dict) and own.keys() == {"inputs", "code"} else own
        for name, own in stages.items()
    }
    return {**ledger, "stages": plain}


class _Untitled(GenerateJsonSchema):
    """A schema generator that drops titles, because they only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """Return the JSON schema of ledger.json."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{PREDICATE_TYPE}:schema",
    }
    return {**head, **Statement.model_json_schema(schema_generator=_Untitled)}


def digest(ledger: Mapping[str, Any]) -> str:
    """Return the sha256 of the canonical form of a ledger's JSON, as 64 hex digits."""
    import rfc8785

    return hashlib.sha256(rfc8785.dumps(dict(ledger))).hexdigest()


def statement(ledger: Ledger, files: Sequence[Path], root: Path) -> Statement:
    """Return the statement for model_card/ledger.json.

    Args:
        files: the subjects, which are weights, responses and the card.
        root: the folder to which the subjects' names are relative.
    """
    return Statement(
        _type=TYPE,
        subject=[
            Subject(name=path.relative_to(root).as_posix(), digest=Digest(sha256=sha256(path)))
            for path in sorted(files)
        ],
        predicateType=PREDICATE_TYPE,
        predicate=ledger,
    )


def text(content: Mapping[str, Any] | Record) -> str:
    """Format a statement as indented JSON, so that git diffs show what changed."""
    content = content.content() if isinstance(content, Record) else content
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def predicate(content: Any, name: str) -> dict[str, Any]:
    """Return the ledger's JSON from a statement's JSON.

    Args:
        name: the file's name in errors.

    Raises:
        InputError: the JSON is not a statement about a ledger of this version.
    """
    kind = content.get("predicateType") if isinstance(content, dict) else None
    if kind != PREDICATE_TYPE or not isinstance(content.get("predicate"), dict):
        raise InputError(
            f"{name} is not a statement about a ledger (predicateType is {kind!r}, expected "
            f"{PREDICATE_TYPE!r}): run `dvc repro model_card`"
        )
    return dict(content["predicate"])


def stage_names(settings: Mapping[str, Any]) -> list[str]:
    """Return the DVC names of all stages whose results a ledger holds, without `model_card`.

    Args:
        settings: the content of params.yaml, of this commit or an older one.
    """
    corpora, benchmarks = settings["corpus"], settings["benchmark"]
    models = params.evaluated_models(settings)
    return [
        *(f"download_corpus@{corpus}" for corpus in corpora),
        *(f"download_benchmark@{benchmark}" for benchmark in benchmarks),
        "download_model",
        *(f"download_models@{model}" for model in params.other_models(settings)),
        *(f"prepare@{corpus}" for corpus in corpora),
        *("deduplicate", "decontaminate", "mix", "train"),
        *(f"reinforce@{method}" for method in settings["reinforce"]),
        *(f"evaluate@{model}-{benchmark}" for model in models for benchmark in benchmarks),
        *(f"probe@{model}" for model in models),
    ]
