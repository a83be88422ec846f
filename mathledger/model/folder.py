"""Check a model folder's files before anything loads them.

Nothing but what the pinned files hold may become the model: no code, no pickle, no weights from
outside the folder, and no base model that an adapter names.
"""

import json
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.model.loading import reason

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5")
CODE_KEY = "auto_map"  # names Python files of the repository
CONFIGS = ("config.json", "tokenizer_config.json")
TRAINABLE = {"F64", "F32", "F16", "BF16"}


def check_files(folder: Path) -> None:
    """Check the config and the weights' files.

    Raises:
        InputError: a file is missing or damaged, is pickled, or leads out of the folder.
    """
    if (folder / ADAPTER).exists():
        raise InputError(
            f"{folder} holds an adapter ({ADAPTER}), whose base model lies elsewhere: merge the "
            "adapter into its base model, and pin the merged model"
        )
    config = read_config(folder / "config.json")
    if not isinstance(config.get("model_type"), str):
        raise InputError(f"{folder}/config.json has no model_type: pin a model of transformers")
    if "quantization_config" in config:
        raise InputError(
            f"{folder}/config.json has a quantization_config: quantised weights cannot be trained; "
            "pin the model's unquantised weights, and choose train=qlora to train in 4 bits"
        )
    if (name := config.get("transformers_weights")) is not None:
        raise InputError(
            f"{folder}/config.json names other weights (transformers_weights: {name!r}): remove "
            f"the key, and pin the weights as {WEIGHTS}"
        )
    for path in weight_files(folder):
        check_weights(path)


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that must hold an object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: list it in model.source.files") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {reason(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold an object, got {type(content).__name__}")
    return content


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers would load.

    Raises:
        InputError: there are none, or the index names a file that is not one of the folder's.
    """
    index = folder / INDEX
    if not index.exists():
        if (folder / WEIGHTS).is_file():
            return [folder / WEIGHTS]
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
        if pickled:
            raise InputError(
                f"{folder} holds pickled weights ({pickled[0]}), which may run code when they are "
                "loaded: pin the model's safetensors files"
            )
        raise InputError(
            f"{folder} has neither {WEIGHTS} nor {INDEX}: list the model's safetensors files in "
            "model.source.files"
        )
    names = read_config(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise InputError(f"{index} has no weight_map: pin the index that belongs to the weights")
    for name in names.values():
        if not isinstance(name, str) or Path(name).name != name or "\\" in name:
            raise InputError(
                f"{index} names {name!r}, which is not a file of this folder: weights from outside "
                "are never loaded"
            )
    files = [folder / name for name in sorted(set(names.values()))]
    for path in files:
        if path.suffix != ".safetensors":
            raise InputError(f"{index} names {path.name}: pin the model's safetensors files")
        if not path.is_file():
            raise InputError(f"{path} is missing: list every file that {INDEX} names")
    return files


def check_weights(path: Path) -> None:
    """Check the header of a safetensors file, and that no weight is quantised.

    Raises:
        InputError: the file is damaged, or holds weights of a type that cannot be trained.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is damaged ({reason(error)}): it is not what its publisher trained, or was "
            "cut short; pin the right file"
        ) from None
    for name, kind in types.items():
        if name.endswith(".weight") and kind not in TRAINABLE:
            raise InputError(
                f"{path}: {name} has the type {kind}, and only {', '.join(sorted(TRAINABLE))} can "
                "be trained: pin the model's unquantised weights"
            )


def forget_code(folder: Path) -> str | None:
    """Remove the mention of Python files from the configs; return what was removed.

    The model has loaded with transformers' own classes. A tuned model that still named the files
    would ask its users to run them.
    """
    named = []
    for name in CONFIGS:
        path = folder / name
        content = read_config(path) if path.exists() else {}
        if content.pop(CODE_KEY, None) is not None:
            path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
            named.append(name)
    if not named:
        return None
    return f"{' and '.join(named)} no longer name code; transformers' own classes load the model"
