"""Compose conf/ with Hydra into the text of params.yaml, byte for byte as `dvc exp run` does."""

from mathledger.core.configuration import CONF
from mathledger.core.errors import InputError


def compose(overrides: list[str]) -> str:
    """Return the text of params.yaml for some Hydra overrides, with interpolations resolved."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONF.resolve()), version_base=None):
            config = hydra_compose("config", overrides=overrides)
        OmegaConf.resolve(config)
        if missing := OmegaConf.missing_keys(config):
            raise InputError(f"{CONF}/ has no value for {', '.join(sorted(missing))}")
        return OmegaConf.to_yaml(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(f"{CONF}/ does not compose: {error}") from error


def choices(group: str) -> list[str]:
    """Return the sorted names of the options in a group of conf/."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
