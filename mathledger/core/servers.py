"""Name a server that answers for a model, as params.yaml does."""

from typing import Literal
from urllib.parse import urlsplit

from mathledger.core.secrets import QUERY

Software = Literal["vllm", "sglang", "llama.cpp"]  # of a server


def expect_url(url: str) -> str:
    """Return a server's URL if it has a host and holds no password.

    It stands in params.yaml, and so in git.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must start with http:// or https:// and a host")
    if parts.username or parts.password or QUERY.search(url):
        raise ValueError("base_url must hold no password: set OPENAI_API_KEY instead")
    return url
