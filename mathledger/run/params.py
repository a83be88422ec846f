"""Read params.yaml as a whole, or one section of it."""

import copy
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, overload

from mathledger.core.configuration import CONF, PARAMS, check
from mathledger.core.errors import InputError
from mathledger.core.parsing import parse_yaml

Section = TypeVar("Section")

OWN_MODELS = ("base", "tuned", "reinforced")  # those that the pipeline downloads or trains


def read(path: Path = PARAMS) -> dict[str, Any]:
    """Return the content of params.yaml."""
    advice = "run `python -m stages.params`"
    try:
        content = _parsed(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: {advice}") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read ({error}): {advice}") from None
    except InputError as error:
        raise InputError(f"{error}: {advice}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} has no sections: {advice}")
    return {str(key): copy.deepcopy(value) for key, value in content.items()}


# A stage reads each of its sections by itself.
_parsed = lru_cache(maxsize=4)(parse_yaml)


def evaluated_models(content: Mapping[str, Any]) -> list[str]:
    """Return the evaluated models, the pipeline's own first; older commits call them `models`."""
    models: list[str] = content["evaluated_models" if "evaluated_models" in content else "models"]
    return models


def final_model(content: Mapping[str, Any]) -> str:
    """Return the pipeline's last model, which the card describes and `publish` exports."""
    return [name for name in evaluated_models(content) if name in OWN_MODELS][-1]


def other_models(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section `models`: other people's models; older commits have none."""
    return dict(content["models"]) if "evaluated_models" in content and "models" in content else {}


@overload
def load(section: str, into: type[Section]) -> Section: ...
@overload
def load(section: str, into: Any) -> Any: ...  # a union of dataclasses with a field `kind`
def load(section: str, into: Any) -> Any:
    """Return a section of params.yaml as a checked record: load("corpus.champ.source", Source)."""
    node: Any = read()
    for depth, key in enumerate(section.split(".")):
        if not isinstance(node, dict) or key not in node:
            where = ".".join(section.split(".")[: depth + 1])
            raise InputError(
                f"{PARAMS} has no {where}: run `python -m stages.params`, and see {CONF}/ for the "
                "options"
            )
        node = node[key]
    return check(section, node, into)
