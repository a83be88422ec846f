"""Define the prompt once, so that training and evaluation use exactly the same one."""

import string
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.model import loading


def check_template(template: str) -> str:
    """Return the template if {problem} is its only field.

    >>> check_template("{problem}, in set notation such as {{1, 2}}")
    '{problem}, in set notation such as {{1, 2}}'
    >>> check_template("{{problem}}")  # every prompt would be the literal text "{problem}"
    Traceback (most recent call last):
    ...
    ValueError: {problem} must be the template's only field, without format or conversion, ...

    Raises:
        ValueError: the field is missing, has a format or a conversion, or is not the only one.
    """
    try:
        pieces = [piece[1:] for piece in string.Formatter().parse(template)]
    except ValueError:  # a single brace
        pieces = []
    fields = [piece for piece in pieces if piece != (None, None, None)]
    if not fields or any(field != ("problem", "", None) for field in fields):
        raise ValueError(
            "{problem} must be the template's only field, without format or conversion, once or "
            "more; write literal braces twice: {{ }}"
        )
    return template


Template = Annotated[str, AfterValidator(check_template)]


@dataclass(frozen=True, config=STRICT)
class Params:
    template: Template = Field(
        description=(
            "A str.format template with one field, {problem}; write literal braces twice."
        ),
    )


def user_text(params: Params, problem: str) -> str:
    """Return the user's turn for a problem, before the model's chat template wraps it."""
    return params.template.format(problem=problem)


def training_row(params: Params, problem: str, solution: str) -> dict[str, Any]:
    """Return a row in TRL's prompt-completion format; the loss covers the completion only."""
    return {
        "prompt": [{"role": "user", "content": user_text(params, problem)}],
        "completion": [{"role": "assistant", "content": solution}],
    }


def load_tokenizer(folder: Path, **options: Any) -> Any:
    """Load the tokenizer of a model folder.

    Raises:
        InputError: the folder has no tokenizer, or it lacks a chat template or a padding token.
    """
    try:
        tokenizer = loading.load_tokenizer(folder, **options)
    except (OSError, ValueError) as error:
        reason = loading.reason(error)
        raise InputError(f"cannot load a tokenizer from {folder}: {reason}") from None
    require_chat_template(tokenizer, folder)
    return tokenizer


def require_chat_template(tokenizer: Any, folder: object) -> None:
    """Raise InputError unless the tokenizer has a chat template and a padding token.

    Without a template, training and evaluation would each invent a format. Without a padding token,
    each library would pick a different one.
    """
    if not tokenizer.chat_template:
        raise InputError(
            f"the tokenizer in {folder} has no chat template: choose an instruction-tuned model, "
            "or set model.chat_template"
        )
    if tokenizer.pad_token is None:
        raise InputError(
            f"the tokenizer in {folder} has no padding token: set model.pad_token to one of its "
            "special tokens, preferably an unused one"
        )
