"""Typed records of JSON files. Reading a record checks it and names every key that is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
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
        ser_json_inf_nan="constants",  # json.dumps refuses these; null would pass unnoticed.
        defer_build=True,
    )

    @classmethod
    def read(cls, content: Mapping[str, Any], name: str) -> Self:
        """Return the record that a JSON object holds.

        Args:
            name: The object's name in error messages.

        Raises:
            InputError: Keys are unknown, missing or of the wrong type; the message names them all.
        """
        try:
            # We validate JSON because strict validation of Python objects rejects dicts as records.
            return cls.model_validate_json(json.dumps(content, allow_nan=False))
        except ValidationError as error:
            raise InputError(_problems(error, name)) from None
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None

    @classmethod
    def read_lines(cls, path: Path, written_by: str) -> list[Self]:
        """Return the records of a JSON Lines file, or none if the project has no such file.

        Args:
            written_by: The command that writes the file, for error messages.

        Raises:
            InputError: A line is not a JSON object, or has unknown, missing or wrong keys.
        """
        found = []
        # Bytes, because str.splitlines also splits at characters that a JSON string may hold.
        lines = path.read_bytes().splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                content = None
            if not isinstance(content, dict):
                raise InputError(f"{path}:{number} is not a JSON object: `{written_by}` writes it")
            found.append(cls.read(content, f"{path}:{number}"))
        return found

    @classmethod
    def read_yaml(cls, content: Any, name: str) -> Self:
        """Return the record that parsed YAML holds; unlike JSON, YAML may hold dates.

        Args:
            name: The content's name in error messages.

        Raises:
            InputError: Keys are unknown, missing or of the wrong type; the message names them all.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(_problems(error, name)) from None

    def content(self) -> dict[str, Any]:
        """Return the record as a JSON object, without the keys that were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _problems(error: ValidationError, name: str) -> str:
    """Return one line that lists every problem."""
    return "; ".join(_problem(item, name) for item in error.errors())


def _problem(error: Any, name: str) -> str:
    """Describe one problem, e.g. `NAME: benchmarks.0.num_items: missing key`."""
    where = ".".join(str(key) for key in error["loc"])
    text = {"extra_forbidden": "unknown key", "missing": "missing key"}.get(
        error["type"], f"{error['msg']}, got {str(error['input'])[:60]!r}"
    )
    return f"{name}: {where}: {text}" if where else f"{name}: {text}"
