"""Read chats: lists of messages in OpenAI's or ShareGPT's form, with or without thinking.

A chat is either compared with a row's problem and solution (`chats`), or gives the row its problem
and solution (`examples`), in a corpus that has no columns for them.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.data.columns import is_text, plain, utf8
from mathledger.data.values import Number, UnfitError, decode, text_of, valid_text

MESSAGES = pa.list_(pa.string())
CONTENTS = ("content", "value")  # OpenAI's and ShareGPT's keys of what a message says.
THINKING = ("reasoning_content", "reasoning", "thinking")  # Keys of a message's thinking.
ROLES = ("role", "from")  # OpenAI's and ShareGPT's keys of who says a message.
INSTRUCTS = ("system", "developer")
ASKS = ("user", "human", "prompter")
ANSWERS = ("assistant", "gpt", "model", "bot", "chatgpt")
# What a chat gives its row: problem and solution are null unless one question has one answer.
EXAMPLES = pa.struct(
    [
        pa.field("problem", pa.string()),
        pa.field("solution", pa.string()),
        pa.field("messages", MESSAGES),  # Contents of all messages except those that instruct.
    ]
)


def chats_of(cells: Sequence[Any]) -> pa.ListArray:
    """Return the contents of the messages in each Python value.

    Raises:
        UnfitError: A value is not a list of messages, or a message's content is not text.
    """
    found = []
    for row, cell in enumerate(cells):
        try:
            found.append(_contents(cell))
        except UnfitError as error:
            raise UnfitError(error.what, row) from None
    try:
        return pa.array(found, MESSAGES)
    except UnicodeEncodeError:
        valid = [
            chat and [None if text is None else valid_text(text) for text in chat] for chat in found
        ]
        return pa.array(valid, MESSAGES)


def chats(values: pa.Array) -> pa.ListArray:
    """Return the contents of the messages in each value of an Arrow array."""
    values = plain(values)
    of = values.type
    if not (pa.types.is_list(of) or pa.types.is_large_list(of)) or not _has_text(of.value_type):
        return chats_of(values.to_pylist())
    turns = values.flatten()
    for name in (*THINKING, "value"):
        if of.value_type.get_field_index(name) >= 0:
            thoughts = pc.struct_field(turns, name)
            if thoughts.null_count < len(thoughts):
                return chats_of(values.to_pylist())
    sizes = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    try:
        contents = utf8(pc.struct_field(turns, "content"))
    except UnfitError as error:
        row = int(np.searchsorted(np.cumsum(sizes), error.row, side="right"))
        raise UnfitError(error.what, row) from None
    return pa.ListArray.from_arrays(offsets, contents, mask=values.is_null())


def examples_of(cells: Sequence[Any]) -> pa.StructArray:
    """Return the problem and the solution of the chat in each Python value, as EXAMPLES.

    A message that instructs the model (system or developer) is left out: the prompt of params.yaml
    is what the model is asked. A chat of several questions has neither problem nor solution.

    Raises:
        UnfitError: A value is not a list of messages, a message's content is not text, or a message
            has no role.
    """
    messages = chats_of(cells)
    found: list[dict[str, Any] | None] = []
    for row, (cell, contents) in enumerate(zip(cells, messages.to_pylist(), strict=True)):
        if contents is None:
            found.append(None)
            continue
        turns = _turns(cell)
        try:
            said = [
                (role, content)
                for role, content in zip(map(_role, turns), contents, strict=True)
                if role not in INSTRUCTS
            ]
        except UnfitError as error:
            raise UnfitError(error.what, row) from None
        roles, texts = [role for role, _ in said], [text for _, text in said]
        fits = len(said) == 2 and roles[0] in ASKS and roles[1] in ANSWERS
        problem, solution = texts if fits else (None, None)
        found.append({"problem": problem, "solution": solution, "messages": texts})
    return pa.array(found, EXAMPLES)


def _role(turn: Any) -> str:
    if not isinstance(turn, dict):
        raise UnfitError("a message that is not an object")
    for key in ROLES:
        if _is_string(turn.get(key)):
            return str(turn[key]).strip().lower()
    raise UnfitError("a message without a role")


def _has_text(of: pa.DataType) -> bool:
    """Return True if messages are structs whose `content` is a plain string."""
    if not pa.types.is_struct(of) or of.get_field_index("content") < 0:
        return False
    return is_text(of.field("content").type)


def _turns(cell: Any) -> Any:
    """Return a chat's messages as a list, and anything that is not a chat unchanged.

    A chat may be JSON text, or an object of lists, as `datasets` writes a sequence of objects.
    """
    if _is_string(cell):
        try:
            cell = decode(cell)
        except (ValueError, RecursionError):
            raise UnfitError("text") from None
    if isinstance(cell, dict) and any(isinstance(cell.get(key), list) for key in CONTENTS):
        columns = {key: column for key, column in cell.items() if column is not None}
        if not all(isinstance(column, list) for column in columns.values()):
            raise UnfitError("an object")
        if len({len(column) for column in columns.values()}) != 1:
            raise UnfitError("an object of lists of different lengths")
        return [
            dict(zip(columns, turn, strict=True)) for turn in zip(*columns.values(), strict=True)
        ]
    return cell


def _contents(value: Any) -> list[str | None] | None:
    value = _turns(value)
    if not isinstance(value, list):
        if text_of(value, "scalar") is None:
            return None
        is_text = isinstance(value, bytes | str) and not isinstance(value, Number)
        raise UnfitError("text" if is_text else "a number")
    turns = [turn for turn in value if isinstance(turn, dict)]
    if turns and not any(key in turn for turn in turns for key in CONTENTS):
        raise UnfitError("messages without content")
    return [_content(turn) for turn in value]


def _content(turn: Any) -> str | None:
    """Return what a message says, its thinking first in the tags that chat templates write."""
    if turn is None:
        return None
    if not isinstance(turn, dict):
        raise UnfitError("a message that is not an object")
    content = turn.get("content")
    said, thoughts = _parts(turn.get("value") if content is None else content)
    for name in THINKING:
        if _is_string(turn.get(name)):
            thoughts.append(turn[name])
    thinking = "\n\n".join(thought.strip() for thought in thoughts if thought.strip())
    if not thinking or (said or "").lstrip().startswith("<think>"):
        return said
    return f"<think>\n{thinking}\n</think>\n\n{(said or '').lstrip()}"


def _parts(content: Any) -> tuple[str | None, list[str]]:
    """Return the joined text of a message's parts, and its parts that are thinking."""
    if not isinstance(content, list):
        return text_of(content, "text"), []
    said: list[str] = []
    thoughts: list[str] = []
    for part in content:
        if _is_string(part):
            said.append(part)
            continue
        kind = part.get("type", "text") if isinstance(part, dict) else None
        text = part.get(kind) if kind in ("text", "thinking", "reasoning") else None
        if not _is_string(text):
            raise UnfitError("a message with a part that is not text")
        (said if kind == "text" else thoughts).append(text)
    return "".join(said), thoughts


def _is_string(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and not isinstance(value, Number)
