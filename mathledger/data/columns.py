"""Convert columns of parquet files to text, as `values` converts the values of other files."""

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mathledger.data.values import (
    Kind,
    UnfitError,
    decimal_text,
    float_text,
    is_blank,
    joined,
    lists_of,
    texts_of,
)


def texts(values: pa.Array, kind: Kind) -> pa.StringArray:
    """Return the values of an Arrow array as text.

    Raises:
        UnfitError: A value is neither text nor of another kind that the column may hold.
    """
    values = plain(values)
    of = values.type
    if pa.types.is_null(of):
        return pa.nulls(len(values), pa.string())
    if is_text(of):
        found = utf8(values)
        if kind == "answer" and pc.any(pc.match_substring(found, "[")).as_py():
            return texts_of(found.to_pylist(), kind)
        return found
    if _is_list(of):
        return _lists(values, kind)
    if pa.types.is_integer(of):
        found = values.cast(pa.string())
    elif pa.types.is_floating(of):
        numbers = values.fill_null(float("nan")).to_numpy(zero_copy_only=False)
        found = _each(float_text, numbers)
    elif pa.types.is_decimal(of):
        found = _each(lambda each: None if each is None else decimal_text(each), values.to_pylist())
    else:
        expect_none(values, _name(of))
        return pa.nulls(len(values), pa.string())
    if kind == "text":
        expect_none(found, "a number")
    return found


def plain(values: pa.Array) -> pa.Array:
    """Return an array without dictionary, run-end encoding or extension type."""
    while True:
        if isinstance(values.type, pa.BaseExtensionType):
            values = values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        elif pa.types.is_run_end_encoded(values.type):
            values = pc.run_end_decode(values)
        else:
            return values


def expect_none(values: pa.Array, what: str) -> None:
    """Raise UnfitError if an array has any value."""
    if values.null_count < len(values):
        row = pc.index(values.is_valid(), True).as_py()
        raise UnfitError(what, row)


def is_text(of: pa.DataType) -> bool:
    checks = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(check(of) for check in checks)


def _is_list(of: pa.DataType) -> bool:
    checks = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
        pa.types.is_fixed_size_list,
    )
    return any(check(of) for check in checks)


def _name(of: pa.DataType) -> str:
    if pa.types.is_boolean(of):
        return "a boolean"
    if pa.types.is_struct(of) or pa.types.is_map(of):
        return "an object"
    return f"a value of type {of}"


def utf8(values: pa.Array) -> pa.StringArray:
    try:
        found = values.cast(pa.string())
        found.validate(full=True)
    except pa.ArrowInvalid:
        for row, data in enumerate(values.cast(pa.large_binary()).to_pylist()):
            try:
                (data or b"").decode()
            except UnicodeDecodeError:
                raise UnfitError("bytes that are not UTF-8", row) from None
        raise
    return found


def _each(convert: Callable[[Any], str | None], values: Iterable[Any]) -> pa.StringArray:
    found = []
    for row, value in enumerate(values):
        try:
            found.append(convert(value))
        except UnfitError as error:
            raise UnfitError(error.what, row) from None
    return pa.array(found, pa.string())


def lists(values: pa.Array) -> pa.ListArray:
    """Return each value of an Arrow array as a list of texts.

    Raises:
        UnfitError: A member is neither text nor a number.
    """
    values = plain(values)
    if _is_list(values.type):
        return pa.array(_members(values, "scalar"), pa.list_(pa.string()))
    return lists_of(texts(values, "scalar").to_pylist())


def _lists(values: pa.Array, kind: Kind) -> pa.StringArray:
    found: list[str | None] = []
    is_nested = _is_list(plain(values.flatten()).type)
    for row, every in enumerate(_members(values, kind)):
        members = [each for each in every if each and not is_blank(each)]
        if len(members) > 1 and is_nested:
            raise UnfitError("a list of lists", row)
        if len(members) > 1 and kind != "answer":
            raise UnfitError(f"a list of {len(members)} values", row)
        if len(members) > 1:
            found.append(joined(members, kind))
        else:
            found.append(members[0] if members else None)
    return pa.array(found, pa.string())


def _members(values: pa.Array, kind: Kind) -> list[list[str | None]]:
    """Return the members of each list as texts."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_pylist()
    ends = [*accumulate(lengths)]
    try:
        flat = texts(plain(values.flatten()), kind).to_pylist()
    except UnfitError as error:
        row = next(row for row, end in enumerate(ends) if error.row < end)
        raise UnfitError(error.what, row) from None
    return [flat[end - length : end] for length, end in zip(lengths, ends, strict=True)]
