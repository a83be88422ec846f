"""Compose conf/ with Hydra into the text of params.yaml, byte for byte as `dvc exp run` does.

The matrix of a DVC stage takes one list of params.yaml, and OmegaConf cannot join two. So the list
of evaluated models is `${with_models:base,tuned}`: the pipeline's own and the keys of `models`.
"""

from collections.abc import Iterator
from typing import Any

from mathledger.core.configuration import CONF
from mathledger.core.errors import InputError


def compose(overrides: list[str]) -> str:
    """Return the text of params.yaml for some Hydra overrides, with interpolations resolved.

    Raises:
        InputError: a file of conf/ or an override is wrong; the message names it.
    """
    import yaml
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    register_resolver()  # a command that is not started from the project's root finds no plugin
    # Hydra raises TypeError and ValueError for an override such as train=3. For a file it passes on
    # what PyYAML and OmegaConf raise: OSError for a bare number, RecursionError for a loop.
    wrong = (HydraException, OmegaConfBaseException, TypeError, ValueError)
    unreadable = (*wrong, yaml.YAMLError, OSError, RecursionError)
    try:
        with initialize_config_dir(str(CONF.resolve()), version_base=None):
            config = hydra_compose("config", overrides=overrides)
        OmegaConf.resolve(config)
        if missing := OmegaConf.missing_keys(config):
            keys = ", ".join(sorted(missing))
            raise InputError(f"{CONF}/ has no value for {keys}: set it there, or pass KEY=VALUE")
        return OmegaConf.to_yaml(config)
    except unreadable as error:
        if isinstance(error.__cause__, ConfigAttributeError | ConfigKeyError):
            raise InputError(_unknown_key(str(error.__cause__.full_key))) from None
        for what in _unreadable_files(unreadable):
            raise InputError(f"{what}: correct the file") from None
        raise InputError(f"{CONF}/ does not compose: {_said(error)}") from error


def _unreadable_files(errors: tuple[type[Exception], ...]) -> Iterator[str]:
    """Yield what is wrong with each file of conf/ that cannot be read alone.

    Hydra's own message often names no file.
    """
    from omegaconf import OmegaConf

    for path in sorted(CONF.rglob("*.yaml")):
        try:
            OmegaConf.load(path)
        except errors as error:
            yield f"{path} is not a YAML file of keys and values: {_said(error)}"


def _said(error: BaseException) -> str:
    """Return an error's text on one line; a long one is cut, and an empty one is its cause's."""
    texts = (" ".join(str(each).split()) for each in (error, error.__cause__) if each)
    return next(filter(None, texts), type(error).__name__)[:600]


def register_resolver() -> None:
    """Let conf/ use `${with_models:...}`; hydra_plugins/ does the same inside `dvc exp run`."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("with_models", with_models, replace=True)


def with_models(*own: str, _root_: Any) -> Any:
    """Return the names of the pipeline's own models and those of the section `models`."""
    from omegaconf import OmegaConf

    others = _root_.get("models") or {}
    return OmegaConf.create([*own, *(name for name in others if name not in own)])


def _unknown_key(key: str) -> str:
    """Return what to do about an override of a key that conf/ lacks, with the nearest known key."""
    import difflib

    from omegaconf import OmegaConf

    from mathledger.core.configuration import PARAMS

    known = OmegaConf.load(PARAMS) if PARAMS.exists() else OmegaConf.create()
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(known, parent) if parent else known
    siblings = [str(each) for each in node] if OmegaConf.is_dict(node) else []
    near = difflib.get_close_matches(name, siblings, 1, cutoff=0.75)
    near += [each for each in siblings if each.split("_")[0] == name.split("_")[0]]
    hint = f"did you mean {'.'.join(filter(None, [parent, near[0]]))}? " if near else ""
    return (
        f"{CONF}/ sets no key {key}; {hint}docs/configuration.md lists every key, and an optional "
        "one that no file sets takes a +, such as +model.pad_token='<pad>'"
    )


def choices(group: str) -> list[str]:
    """Return the sorted names of the options in a group of conf/."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
