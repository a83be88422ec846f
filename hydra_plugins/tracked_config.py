"""Check conf/ whenever Hydra composes it, also inside `dvc exp run`, and add our resolver.

Hydra discovers this plugin by itself. It catches two mistakes. An experiment composed from a file
that is not in git cannot be reproduced: its commit holds the compiled params.yaml, but not the
file. A corpus, benchmark or model copied from another file, with the first line unchanged, would
run under the other's name.
"""

import os
import shlex
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin

from mathledger.core.configuration import check_name
from mathledger.core.errors import InputError
from mathledger.run.compose import register_resolver
from mathledger.run.git import NoRepositoryError, git_paths


class TrackedConfig(SearchPathPlugin):
    """Refuses to compose if a YAML file of conf/ is neither committed nor staged, or if the name
    of a corpus, benchmark or other model differs from its file's name."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in (each.path for each in search_path.get_path() if each.provider == "main"):
            if files := unknown(Path(folder)):
                command = shlex.join(["git", "add", "--", *files])
                raise HydraException(
                    f"not in git: {', '.join(files)}; without it the results could not be "
                    f"reproduced: `{command}` adds it to the experiment's commit"
                )
            for group in ("corpus", "benchmark", "models"):
                for path in sorted((Path(folder) / group).glob("*.yaml")):
                    expect_name(group, path)


def expect_name(group: str, path: Path) -> None:
    """Raise HydraException unless the file's name can name what it defines, and does."""
    try:
        check_name(group, path.stem)
    except InputError as error:
        raise HydraException(str(error)) from None
    wanted = f"# @package {group}.{path.stem}"
    if path.read_text("utf-8").partition("\n")[0] != wanted:
        raise HydraException(f"{group}/{path.name}: the first line must be `{wanted}`")


register_resolver()


def unknown(folder: Path) -> list[str]:
    """Return the YAML files below a folder that git does not know; paths are those to type here.

    Raises:
        HydraException: git cannot tell. Outside a git repository nothing is unknown.
    """
    try:
        listed = git_paths("ls-files", "-z", "--others", "--", "*.yaml", at=folder)
    except NoRepositoryError:
        return []
    except InputError as error:
        raise HydraException(str(error)) from None
    return [os.path.relpath(folder / path) for path in listed]
