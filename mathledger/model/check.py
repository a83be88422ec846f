"""Check once, before any training, that a model folder can be trained, saved and evaluated."""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError, machine_fault
from mathledger.model import folder as files
from mathledger.model import loading, prompts, templates

SAMPLE = r"What is 3 + 4? The answer is \boxed{7}."


def check_model(folder: Path) -> dict[str, Any]:
    """Check a model folder, repair what can be repaired, and return its size and facts.

    Raises:
        InputError: the folder is not a causal language model with a tokenizer and a chat template
            that training and evaluation can use; the message says why.
    """
    files.check_files(folder)
    size = check_config(folder)
    changes = [repair_generation(folder)]
    tokenizer = check_tokenizer(folder)
    changes += [templates.pin_date(tokenizer), templates.end_turn_with_eos(tokenizer, folder)]
    if any(changes[1:]):
        tokenizer.save_pretrained(folder)
    facts = templates.check_template(tokenizer, folder)
    check_ids(folder, tokenizer, size)
    model = check_weights(folder)
    check_saves(model, tokenizer, folder)
    changes += [files.forget_code(folder)]
    return {
        "num_parameters": model.num_parameters(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "chat_template": asdict(replace(facts, changes=[each for each in changes if each])),
    }


def check_tokenizer(folder: Path) -> Any:
    """Load the tokenizer, check it, and return it.

    Raises:
        InputError: there is no fast tokenizer, it loses text, or it lacks a token or the template.
    """
    if not (folder / "tokenizer.json").is_file():
        raise InputError(
            f"{folder}/tokenizer.json is missing: list it in model.source.files, or choose a model "
            "with a fast tokenizer"
        )
    files.read_config(folder / "tokenizer.json")
    try:
        tokenizer = prompts.load_tokenizer(folder)
        shown = tokenizer.decode(tokenizer(SAMPLE, add_special_tokens=False)["input_ids"])
    except InputError:
        raise
    except Exception as error:  # the libraries raise almost any type, and tokenizers its own base
        why = loading.reason(error)
        raise InputError(f"cannot load a tokenizer from {folder}: {why}") from error
    if not tokenizer.is_fast:
        raise InputError(f"{folder} has no fast tokenizer (tokenizer.json): choose another model")
    if "".join(shown.split()) != "".join(SAMPLE.split()):
        raise InputError(
            f"the tokenizer in {folder} turns {SAMPLE!r} into {shown!r}: choose a model whose "
            "tokenizer keeps digits and signs"
        )
    if tokenizer.eos_token_id is None:
        raise InputError(f"the tokenizer in {folder} has no eos_token to end a turn with")
    if isinstance(tokenizer.chat_template, dict) and "default" not in tokenizer.chat_template:
        names = ", ".join(tokenizer.chat_template)
        raise InputError(
            f"the tokenizer in {folder} has chat templates ({names}), none of them `default`: set "
            "model.chat_template"
        )
    return tokenizer


def repair_generation(folder: Path) -> str | None:
    """Rewrite a generation_config.json that could not be saved again; return what was changed."""
    from transformers import GenerationConfig

    path = folder / "generation_config.json"
    if not path.exists():
        return None
    try:
        config = GenerationConfig.from_pretrained(folder)
        fault = loading.generation_fault(config)
        if fault:
            loading.only_ids(config).save_pretrained(folder)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        path.unlink()
        return f"{path.name} cannot be read ({loading.reason(error)}), and was removed"
    if not fault:
        return None
    return f"{path.name} keeps only its token ids, because transformers refuses it: {fault}"


def check_config(folder: Path) -> int:
    """Load the config, and return the number of embeddings.

    Raises:
        InputError: the architecture is unknown or needs code of its own, or a value is wrong.
    """
    try:
        return int(loading.load_config(folder).get_text_config().vocab_size)
    except Exception as error:
        raise InputError(_why_not_loaded(folder, error)) from error


def check_weights(folder: Path) -> Any:
    """Load the model, check its weights, and return it.

    Raises:
        InputError: weights are missing, do not fit the config, or are not finite.
    """
    import torch

    try:
        model, info = loading.load_weights(folder, output_loading_info=True)
    except Exception as error:
        raise InputError(_why_not_loaded(folder, error)) from error
    if missing := sorted(info["missing_keys"]):
        raise InputError(
            f"{folder} lacks {len(missing)} weights of a {type(model).__name__}, such as "
            f"{missing[0]}, which would be random: pin every file of the model"
        )
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise InputError(f"{folder}: {name} has values that are not finite: pin another model")
    return model


def _why_not_loaded(folder: Path, error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    for name in files.CONFIGS:
        path = folder / name
        code = files.read_config(path).get(files.CODE_KEY) if path.exists() else None
        if code and "code" in str(error):
            return (
                f"{path} names code of its own ({files.CODE_KEY}), which is never run: choose a "
                "model that transformers itself knows"
            )
    kind = files.read_config(folder / "config.json")["model_type"]
    return f"cannot load {folder} (model_type {kind}): {loading.reason(error)}"


def check_ids(folder: Path, tokenizer: Any, size: int) -> None:
    """Check that every token that a text or the chat template can yield has an embedding.

    A special token that nothing writes may lie beyond, as Gemma 3's <image_soft_token> does.

    Args:
        size: the number of embeddings.

    Raises:
        InputError: a token has no embedding.
    """
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    needed = {
        tokenizer.eos_token,
        tokenizer.pad_token,
        *tokenizer.convert_ids_to_tokens(templates.every_id(tokenizer, folder)),
    }
    beyond = {
        text: at
        for text, at in tokenizer.get_vocab().items()
        if at >= size and (text not in special or text in needed)
    }
    if beyond:
        text, at = max(beyond.items(), key=lambda pair: pair[1])
        raise InputError(
            f"the tokenizer in {folder} has {len(beyond)} tokens without an embedding, such as "
            f"{text!r} (id {at} of {size}): pin the tokenizer that belongs to the weights, or set "
            "model.pad_token to a token of the vocabulary"
        )


def check_saves(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save the model and its tokenizer to a folder that is deleted again.

    Raises:
        InputError: they cannot be saved, so training would fail at its end.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()  # it would show a second time
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saved-") as saved:
        try:
            model.save_pretrained(saved)
            tokenizer.save_pretrained(saved)
        except Exception as error:
            if machine_fault(error):
                raise
            raise InputError(
                f"{folder} loads, but cannot be saved again: {loading.reason(error)}"
            ) from error
