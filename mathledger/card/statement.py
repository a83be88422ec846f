"""The ledger as an in-toto Statement: what is stated (predicate) of which files (subject).

    {"_type", "subject": [{"name", "digest": {"sha256"}}], "predicateType", "predicate": {...}}

The form is that of https://github.com/in-toto/attestation (v1), so that any tool for attestations
can read it. The predicate holds no clock, run id or machine: the same results give the same bytes.
It is named by the sha256 of its canonical form (RFC 8785), which the card shows; the card itself is
one of the subjects, so that neither can change alone.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema

from mathledger.card.ledger import Ledger, Sha256
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.typed import Record
from mathledger.run import params

TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Literal["urn:mathledger:ledger:1"] = "urn:mathledger:ledger:1"


class Digest(Record):
    sha256: Sha256


class Subject(Record):
    """A file that the ledger is about."""

    name: str
    digest: Digest


class Statement(Record):
    """model_card/ledger.json: an in-toto Statement about a model, its responses and its card."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Subject] = Field(
        min_length=1, description="The models' files, the responses and the card."
    )
    predicate_type: Literal["urn:mathledger:ledger:1"] = Field(alias="predicateType")
    predicate: Ledger


def parse(content: Any, name: str) -> Statement:
    """Read the statement that the JSON of a ledger.json holds, of this or an older version.

    Args:
        name: how the file is called in errors.

    Raises:
        InputError: it is no statement of a ledger, or names each key that is wrong.
    """
    predicate(content, name)
    return Statement.read({**content, "predicate": _with_plain_stages(content["predicate"])}, name)


def _with_plain_stages(ledger: dict[str, Any]) -> dict[str, Any]:
    """Drop each stage's code, which the first ledgers had beside what it read."""
    stages = ledger.get("stages")
    if not isinstance(stages, dict) or "code" in ledger:
        return ledger
    plain = {
        name: own["inputs"] if isinstance(own, dict) and own.keys() == {"inputs", "code"} else own
        for name, own in stages.items()
    }
    return {**ledger, "stages": plain}


class _Untitled(GenerateJsonSchema):
    """Drop JSON-schema titles that only repeat the key."""

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
    """Return the sha256 of the canonical form of a ledger's JSON, 64 hex digits."""
    import rfc8785

    return hashlib.sha256(rfc8785.dumps(dict(ledger))).hexdigest()


def statement(ledger: Ledger, files: Sequence[Path], root: Path) -> Statement:
    """Build what model_card/ledger.json holds.

    Args:
        files: the subject: weights, responses and the card.
        root: the folder that their names are relative to.
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
    """Format a statement as it is always written: in lines, so that git shows what changed."""
    content = content.content() if isinstance(content, Record) else content
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def predicate(content: Any, name: str) -> dict[str, Any]:
    """Return the JSON of the ledger of a statement.

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
    return dict(content["predicate"])


def stage_names(settings: Mapping[str, Any]) -> list[str]:
    """Return the stages that a ledger rests on, as DVC names them, all but `model_card`.

    Args:
        settings: the content of params.yaml, of this commit or an older one.
    """
    corpora, benchmarks = settings["corpus"], settings["benchmark"]
    models = params.evaluated_models(settings)
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
