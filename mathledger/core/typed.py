"""Typed records of JSON files: a record is read once, and names every key that is wrong."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mathledger.core.errors import InputError


class Record(BaseModel):
    """A JSON object with known keys. It refuses unknown keys, wrong types and NaN."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        ser_json_inf_nan="constants",  # for json.dumps to refuse; null would pass
        defer_build=True,
    )

    @classmethod
    def read(cls, content: Mapping[str, Any], name: str) -> Self:
        """The record that a JSON object holds.

        Args:
            name: how the object is called in errors.

        Raises:
            InputError: names every key that is unknown, missing or of a wrong type.
        """
        try:
            # From JSON: strict validation of Python objects wants records where we have dicts.
            return cls.model_validate_json(json.dumps(content, allow_nan=False))
        except ValidationError as error:
            raise InputError(_problems(error, name)) from None
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None

    @classmethod
    def read_yaml(cls, content: Any, name: str) -> Self:
        """The record that parsed YAML holds. Its values may be dates, which JSON does not have.

        Args:
            name: how the content is called in errors.

        Raises:
            InputError: names every key that is missing or of a wrong type.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(_problems(error, name)) from None

    def content(self) -> dict[str, Any]:
        """The record as JSON has it, without what was never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _problems(error: ValidationError, name: str) -> str:
    """Every problem on one line."""
    return "; ".join(_problem(item, name) for item in error.errors())


def _problem(error: Any, name: str) -> str:
    """`NAME: benchmarks.0.num_items: missing key`."""
    where = ".".join(str(key) for key in error["loc"])
    text = {"extra_forbidden": "unknown key", "missing": "missing key"}.get(
        error["type"], f"{error['msg']}, got {str(error['input'])[:60]!r}"
    )
    return f"{name}: {where}: {text}" if where else f"{name}: {text}"
