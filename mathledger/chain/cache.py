"""Find DVC's cache folder as DVC does, but without importing DVC.

DVC reads four files, and each overrides the ones before it: the system's, the user's, .dvc/config,
and .dvc/config.local (https://dvc.org/doc/user-guide/project-structure/configuration).
"""

import os
from pathlib import Path
from typing import Any

import platformdirs

from mathledger.core.errors import InputError


def cache_folder(project: Path) -> Path:
    """Return a project's cache folder: the last `cache.dir` in the files, or .dvc/cache.

    Raises:
        InputError: a file cannot be parsed, or its `cache.dir` is not a local folder.
    """
    folder = project / ".dvc" / "cache"
    for file in _config_files(project):
        if (text := _cache_dir(file)) is not None:
            if "://" in text:
                raise InputError(f"{file}: cache.dir is {text}: set it to a local folder")
            # A relative folder is relative to the file that names it.
            folder = file.parent / Path(text).expanduser()
    return Path(os.path.abspath(folder))  # noqa: PTH100  (does not resolve links)


def _config_files(project: Path) -> list[Path]:
    """Return DVC's configuration files; each overrides the ones before it."""
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
    """Return `cache.dir` of one file; like DVC, ignore the case of sections and keys."""
    from configobj import ConfigObj, ConfigObjError  # DVC itself uses this parser

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        sections: dict[str, Any] = ConfigObj(lines).dict()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, ConfigObjError) as error:
        raise InputError(f"{file} cannot be read as a DVC configuration: {error}") from None
    for name, section in sections.items():
        if name.lower() == "cache" and isinstance(section, dict):
            for key, value in section.items():
                if key.lower() == "dir":
                    return str(value)
    return None
