"""Where DVC keeps its cache, found as DVC finds it without importing DVC.

DVC reads four files, each of which overrides those before it: the system's, the user's,
.dvc/config, and .dvc/config.local (https://dvc.org/doc/user-guide/project-structure/configuration).
"""

import os
from pathlib import Path
from typing import Any

import platformdirs

from mathledger.core.errors import InputError


def cache_folder(project: Path) -> Path:
    """The folder of a project's cache: `cache.dir` of the last file that has one, or .dvc/cache.

    Raises:
        InputError: a file is not in DVC's form, or its `cache.dir` is no folder of this machine.
    """
    folder = project / ".dvc" / "cache"
    for file in _config_files(project):
        if (text := _cache_dir(file)) is not None:
            if "://" in text:
                raise InputError(f"{file}: cache.dir is {text}: only a folder can be read here")
            # A relative folder is relative to the file that names it.
            folder = file.parent / Path(text).expanduser()
    return Path(os.path.abspath(folder))  # noqa: PTH100  (links stay what they are)


def _config_files(project: Path) -> list[Path]:
    """DVC's files of settings, each of which overrides those before it."""
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir(
        "dvc", "iterative"
    )
    user = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir(
        "dvc", "iterative"
    )
    return [
        Path(system).absolute() / "config",
        Path(user).absolute() / "config",
        project / ".dvc" / "config",
        project / ".dvc" / "config.local",
    ]


def _cache_dir(file: Path) -> str | None:
    """`cache.dir` of one file. DVC takes sections and keys in any case of letters."""
    from configobj import ConfigObj, ConfigObjError  # what DVC itself reads them with

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        sections: dict[str, Any] = ConfigObj(lines).dict()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, ConfigObjError) as error:
        raise InputError(f"{file} cannot be read as DVC's settings: {error}") from None
    for name, section in sections.items():
        if name.lower() == "cache" and isinstance(section, dict):
            for key, value in section.items():
                if key.lower() == "dir":
                    return str(value)
    return None
