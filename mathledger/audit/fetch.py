"""Download a model card from the Hugging Face hub: `mathledger audit ORG/NAME[@REVISION]`.

The download goes through the hub's own client and its cache. Without a network, the copy of an
earlier call is read.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mathledger.core.errors import InputError

FILES = ["README.md", ".eval_results/*.yaml", ".eval_results/*.yml"]
_NAME = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})(?:@([\w./-]{1,96}))?")


@dataclass(frozen=True)
class Fetched:
    """A card that was downloaded from the hub."""

    path: Path  # Path of the card.
    repo: str  # The hub's current name for it.
    commit: str
    note: str | None  # Remark on the download, for the report.


def is_name(text: str) -> bool:
    """Return True if an argument has the form ORG/NAME[@REVISION]."""
    return bool(_NAME.fullmatch(text)) and not re.search(r"(?i)\.(?:md|markdown|txt|html?)$", text)


def fetch(name: str) -> Fetched:
    """Download the card of ORG/NAME[@REVISION], with the hub's records of its evaluations.

    Raises:
        InputError: If there is no such model, revision or card, if it is gated, or if neither the
            network nor the cache has it.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(f"{name} is neither a file nor ORG/NAME[@REVISION] on the hub")
    repo, revision = match[1], match[2] or "main"
    note = None
    disable_progress_bars()
    try:
        info = HfApi().model_info(repo, revision=revision)
        if info.id and info.id.lower() != repo.lower():
            note = f"{repo} was renamed: the hub calls it {info.id} now."
        repo = info.id or repo
        folder = snapshot_download(repo, revision=revision, allow_patterns=FILES)
    except GatedRepoError:
        raise InputError(
            f"{repo} is gated: accept its terms on the hub, then set HF_TOKEN"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"the hub has no model {repo}, or it is private: correct its name, or set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise InputError(
            f"{repo} has no revision {revision}: correct it, or leave it out"
        ) from None
    except LocalEntryNotFoundError:
        raise InputError(f"{repo} could not be downloaded: check the network") from None
    except (OfflineModeIsEnabled, HTTPError, OSError) as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
            said = str(error).strip().splitlines()[0]
            raise InputError(f"{repo} could not be downloaded: {said}") from None
        try:
            folder = snapshot_download(
                repo, revision=revision, allow_patterns=FILES, local_files_only=True
            )
        except (LocalEntryNotFoundError, OSError):
            raise InputError(
                f"{repo} could not be downloaded, and the cache has no copy: check the network"
            ) from None
        note = "The hub could not be reached; this is the cached copy."
    card = Path(folder) / "README.md"
    commit = Path(folder).name
    if not card.is_file():
        raise InputError(
            f"{repo} has no model card (README.md) at {commit[:10]}: name another revision"
        )
    return Fetched(card, repo, commit, note)
