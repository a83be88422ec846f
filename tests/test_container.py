"""The container files install from the lock, for a user who is not root, and keep git's folder.

No image is built here: hadolint reads the Dockerfile where it is installed (`make extras`).
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DEVCONTAINERS = sorted((ROOT / ".devcontainer").rglob("devcontainer.json"))


def test_the_environment_is_the_locks_and_belongs_to_a_user_who_is_not_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.M)[1:]
    assert [stage.split()[2] for stage in stages] == ["base", "project"]
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.M) == ["1000"]
    assert "pip install" not in DOCKERFILE and "RUN make setup" in stages[1]
    assert all("--chown=" in line for line in DOCKERFILE.splitlines() if line.startswith("COPY"))
    assert DOCKERFILE.rstrip().endswith('CMD ["make", "repro"]')


def test_the_build_copies_git_and_what_make_setup_reads_before_the_code() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ".git" not in ignored and {".venv", ".dvc/cache", "data/*/"} <= {*ignored}
    before = DOCKERFILE.partition("RUN make setup")[0]
    copied = {
        word for line in re.findall(r"^COPY (.*) \S+$", before, re.M) for word in line.split()
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (needed,) = re.findall(r"^\$\(READY\): (.*)$", makefile, re.M)
    files = needed.partition("|")[0].split()  # what follows | is made by the Makefile itself
    assert {Path(path).parts[0] for path in files} <= copied
    assert {"Makefile", "README.md", "LICENSE", "mathledger/__init__.py"} <= copied


@pytest.mark.parametrize("file", DEVCONTAINERS, ids=lambda file: file.parent.name)
def test_a_devcontainer_names_the_dockerfile_and_one_of_its_stages(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    build = content["build"]
    assert (file.parent / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (file.parent / build["context"]).resolve() == ROOT
    assert f" AS {build['target']}\n" in DOCKERFILE
    assert set(build.get("args", {})) <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.M))
    assert content["remoteUser"] == "ubuntu" and content["postCreateCommand"] == "make extras"


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    subprocess.run(["hadolint", "Dockerfile"], cwd=ROOT, check=True)
