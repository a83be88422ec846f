"""The prompt, defined once: what training shows the model is what evaluation asks it."""

from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError


@dataclass(frozen=True, config=STRICT)
class Params:
    template: str  # a str.format template holding {problem}; literal braces are doubled

    def __post_init__(self) -> None:
        if "{problem}" not in self.template:
            raise ValueError("the template must contain {problem}")


def user_text(params: Params, problem: str) -> str:
    """The user's turn for a problem, before the model's chat template wraps it."""
    return params.template.format(problem=problem)


def training_row(params: Params, problem: str, solution: str) -> dict[str, Any]:
    """TRL's conversational prompt-completion form: the loss is on the completion alone."""
    return {
        "prompt": [{"role": "user", "content": user_text(params, problem)}],
        "completion": [{"role": "assistant", "content": solution}],
    }


def load_tokenizer(folder: Path) -> Any:
    """The model's tokenizer; InputError where its folder has none, or no chat template."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"no tokenizer can be loaded from {folder}: {reason}") from None
    require_chat_template(tokenizer, folder)
    return tokenizer


def require_chat_template(tokenizer: Any, folder: object) -> None:
    """Without one, training and evaluation would each make up their own format; without a padding
    token, each library takes another."""
    if not tokenizer.chat_template:
        raise InputError(
            f"the tokenizer in {folder} has no chat template: choose an instruction-tuned model, "
            "or give one: model.chat_template"
        )
    if tokenizer.pad_token is None:
        raise InputError(
            f"the tokenizer in {folder} has no padding token: name one of its special tokens, best "
            "an unused one, as model.pad_token"
        )
