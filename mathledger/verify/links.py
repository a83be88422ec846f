"""Define the links of the chain in their order, and check them."""

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.extras import what_is_missing
from mathledger.core.paths import is_data
from mathledger.verify import (
    commit,
    completions,
    digests,
    drawings,
    filtering,
    generating,
    probes,
    records,
    results,
    retraining,
    signature,
    sources,
    trainings,
)
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Check, New, Project

State = Literal["holds", "new", "broken"]


@dataclass(frozen=True)
class Link:
    """A named check, which yields each reason why it does not hold and returns a summary."""

    name: str
    check: Callable[[Project], Check]


@dataclass(frozen=True)
class LinkResult:
    """The result of checking one link."""

    name: str
    reasons: tuple[str, ...]  # reasons why the link does not hold; empty if it holds
    looked_at: str  # summary of what was checked; empty if the link does not hold

    @property
    def state(self) -> State:
        """Return "new" if the only reasons are results that were made here, not committed."""
        if not self.reasons:
            return "holds"
        return "new" if all(isinstance(each, New) for each in self.reasons) else "broken"

    @property
    def holds(self) -> bool:
        return self.state == "holds"


@dataclass(frozen=True)
class Result:
    """The results of checking all requested links."""

    links: tuple[LinkResult, ...]

    @property
    def broken(self) -> list[str]:
        """Return the names of the broken links."""
        return [link.name for link in self.links if link.state == "broken"]

    @property
    def new(self) -> list[str]:
        """Return each reason of a link that is new and not broken."""
        return [each for link in self.links if link.state == "new" for each in link.reasons]

    @property
    def state(self) -> State:
        """Return the worst state of a link."""
        return "broken" if self.broken else "new" if self.new else "holds"

    @property
    def holds(self) -> bool:
        return self.state == "holds"


LINKS = [
    Link("commit", commit.commit),
    Link("history", records.history),
    Link("params", records.params),
    Link("lock", records.lock),
    Link("digests", digests.digests),
    Link("lineage", records.lineage),
    Link("ledger", results.ledger),
    Link("card", results.card),
    Link("prompts", results.prompts),
    Link("responses", results.responses),
    Link("metrics", results.metrics),
    Link("trainings", trainings.trainings),
    Link("drawings", drawings.drawings),
    Link("probe", completions.completions),
    Link("parts", probes.parts),
    Link("sources", sources.pinned),
    Link("canaries", filtering.canaries),
    Link("data", filtering.again),
]
DEEP = [
    Link("models", retraining.downloads),
    Link("training", retraining.training),
    Link("memory", completions.again),
    Link("generation", generating.generation),
]


def check(
    options: VerifyOptions,
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[LinkResult], None] = lambda link: None,
    names: Collection[str] | None = None,
) -> Result:
    """Check the project in the current folder or above it, link by link.

    Args:
        options: the options of the command line.
        on_start: called with the name of a link before it is checked.
        on_end: called with the result of each link.
        names: the links to check; by default those that the options ask for.

    Raises:
        InputError: there is no data to verify.
    """
    links = [*LINKS]
    if options.num_regenerated:
        links += DEEP
    if names is not None:
        links = [each for each in (*LINKS, *DEEP) if each.name in names]
    if options.signature:
        links.append(Link("signature", signature.signature))
    chain = Chain.open()
    checked = []
    # params.load, conf/, DVC's Repo and the paths in dvc.lock are relative to the current folder.
    # No other code changes it.
    with contextlib.chdir(chain.at):
        if not _has_data(chain):
            raise InputError(
                "there is no data to verify: run `dvc pull`, or `make repro` if the repository has "
                "no DVC remote"
            )
        project = Project(chain, options)
        for link in links:
            on_start(link.name)
            checked.append(_checked(link, project))
            on_end(checked[-1])
    return Result(tuple(checked))


def _has_data(chain: Chain) -> bool:
    outs = (out for stage in chain.stages.values() for out in stage.outs)
    return any(Path(out).exists() for out in outs if is_data(out))


def _checked(link: Link, project: Project) -> LinkResult:
    reasons = []
    looked_at = ""
    running = link.check(project)
    try:
        while True:
            reasons.append(next(running))
    except StopIteration as stop:
        looked_at = stop.value
    except InputError as error:
        reasons.insert(0, str(error))
    except ModuleNotFoundError as error:
        reasons.insert(0, f"could not be checked: {what_is_missing(error) or error}")
    except Exception as error:  # files may hold anything, so any error fails the link
        said = " ".join(str(error).split())
        reasons.insert(0, f"could not be checked: {type(error).__name__}: {said}")
    return LinkResult(link.name, tuple(reasons), "" if reasons else looked_at)
