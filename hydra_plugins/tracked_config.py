"""Found by Hydra whenever conf/ is composed, by `dvc exp run` too: what conf/ has to be for that.

An experiment that is composed from a file which git does not know gives numbers that nobody can get
again: its commit holds the compiled params.yaml, but not the file. A corpus or benchmark that was
copied from another file and kept that one's first line would run under the other's name.
"""

import subprocess
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin


class TrackedConfig(SearchPathPlugin):
    """Refuses to compose where a YAML file of conf/ is not in git (a staged one is), and where a
    corpus or benchmark has another name than its file."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in (each.path for each in search_path.get_path() if each.provider == "main"):
            command = ["git", "ls-files", "--others", "--full-name", "--", "*.yaml"]
            listed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if files := listed.stdout.split("\n")[:-1]:  # none outside a repository
                raise HydraException(
                    f"not in git: {', '.join(files)}; a number made with it could not be made "
                    f"again: `git add {' '.join(files)}` puts it into the experiment's commit"
                )
            for path in sorted(Path(folder).glob("*/*.yaml")):
                group, head = path.parent.name, path.read_text("utf-8").partition("\n")[0]
                wanted = f"# @package {group}.{path.stem}"
                if group in ("corpus", "benchmark") and head != wanted:
                    name = f"{group}/{path.name}"
                    raise HydraException(f"{name}: its first line has to be `{wanted}`")
