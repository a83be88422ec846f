"""Ask a model through its server alone: its folder in data/model/ holds only a receipt.

It gets the same messages as every other model, and the server applies its own chat template. Its
tokenizer is not known either, so a request has no token ids, and the server counts the tokens.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from mathledger.core.errors import InputError
from mathledger.core.files import read_json as read_file
from mathledger.core.http import Endpoint, ServerError, get
from mathledger.core.receipts import is_private
from mathledger.core.replies import read_json
from mathledger.core.servers import is_near
from mathledger.evaluation.settings import Params, Server
from mathledger.model.conversations import Conversation, Rendered
from mathledger.model.served import describe

# Where a server's software reports its version.
VERSIONS = {
    "vllm": ("/version", "version"),
    "sglang": ("/get_server_info", "version"),
    "llama.cpp": ("/props", "build_info"),
}
MAX_BYTES, VERSION_S = 1 << 20, 10.0  # limits of this answer


def server_of(folder: Path) -> Server | None:
    """Return how to reach the chat of a model's server; None if the folder has weights.

    Raises:
        InputError: the receipt is damaged.
    """
    own = described(folder)
    if own is None:
        return None
    try:
        return Server(
            base_url=f"{own['base_url'].rstrip('/')}/chat/completions",
            model=own["model"],
            software=own.get("software"),
            max_retries=own["max_retries"],
            timeout_s=own["timeout_s"],
        )
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{folder / 'receipt.json'} does not say how to reach the server ({error}): run "
            f"`dvc repro download_models@{shlex.quote(folder.name)}`"
        ) from None


def expect_near(folder: Path, benchmark: Path, settings: Params) -> None:
    """Refuse to send a private benchmark's items to a server that is not near.

    Args:
        settings: those of the evaluation, which may name a server for the pipeline's own models.

    Raises:
        InputError: the benchmark is private, and the server is on the internet.
    """
    own, named = described(folder), settings.server
    urls = [own["base_url"]] if own else []
    if named and settings.backend.startswith("local-"):
        urls.append(named.base_url)
    for url in urls:
        if is_private(benchmark) and not is_near(url):
            raise InputError(
                f"the benchmark {benchmark.name} is private, and its items would be sent to {url}: "
                f"evaluate {folder.name} without it, or serve the model on an address of your own "
                "network"
            )


def described(folder: Path) -> dict[str, Any] | None:
    """Return what `download_models` recorded of a model's server; None if there is none."""
    path = folder / "receipt.json"
    receipt = read_file(path) if path.exists() else {}
    own = receipt.get("server") if isinstance(receipt, dict) else None
    return own if isinstance(own, dict) else None


def settings_for(folder: Path, settings: Params) -> Params:
    """Return the settings for a model: its server's, if it has one, else those given.

    Raises:
        InputError: the server's software has no name for a setting.
    """
    server = server_of(folder)
    if server is None:
        return settings
    try:
        return replace(settings, backend="local-chat-completions", server=server, vllm=None)
    except ValueError as error:
        key = f"models.{folder.name}.source.software"
        raise InputError(str(error).replace("evaluate.server.software", key)) from None


def expect_same(folder: Path) -> dict[str, Any]:
    """Return the facts about a model's server for the lineage; there are none without a server.

    Raises:
        InputError: the server no longer says what was recorded about its model.
    """
    own = described(folder)
    if own is None:
        return {}
    said = describe(own["base_url"], own["model"], own["timeout_s"])
    if said != own["said"]:
        raise InputError(
            f"{own['base_url']} says {json.dumps(said)} about {own['model']}, but said "
            f"{json.dumps(own['said'])} when it was recorded, so another model may answer: run "
            f"`dvc repro --force download_models@{shlex.quote(folder.name)}`"
        )
    return {"served_model": own["model"], "server_says": said}


def software_version(server: Server) -> str | None:
    """Return the version of a server's software; None if nobody named it or it does not say."""
    if server.software is None:
        return None
    path, key = VERSIONS[server.software]
    url = urljoin(server.base_url, path)
    try:
        answer = get(Endpoint(url, VERSION_S, MAX_BYTES, "version"))
        said = read_json(answer.body)[key] if answer.status == 200 else None
    except (ServerError, LookupError, TypeError):
        return None
    return said[:100] if isinstance(said, str) else None


def server_facts(settings: Params) -> dict[str, Any]:
    """Return the software of the server that answered, for the lineage; empty without one."""
    server = settings.server if settings.backend.startswith("local-") else None
    if server is None or server.software is None:
        return {}
    return {"server_software": server.software, "server_version": software_version(server)}


def render(turns: list[Conversation], variables: Mapping[str, Any]) -> list[Rendered]:
    """Return what the server renders, as text that stands for the prompt.

    Args:
        variables: those of the server's chat template.
    """
    asked = [{"messages": each, "variables": variables} if variables else each for each in turns]
    return [Rendered(json.dumps(each, ensure_ascii=False), []) for each in asked]
