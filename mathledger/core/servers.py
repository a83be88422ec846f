"""Name a server that answers for a model, as params.yaml does."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from mathledger.core.secrets import QUERY

Software = Literal["vllm", "sglang", "llama.cpp"]  # of a server


def expect_url(url: str, instead: str = "OPENAI_API_KEY") -> str:
    """Return a server's URL if it has a host and holds no password.

    The URL goes into params.yaml, which git holds.

    Args:
        instead: what the message names as the place for a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must start with http:// or https:// and a host")
    if parts.username or parts.password or QUERY.search(url):
        raise ValueError(f"base_url must hold no password: set {instead} instead")
    return url


def is_near(url: str) -> bool:
    """Return True if a URL names this machine or an address of a private network.

    >>> is_near("http://127.0.0.1:8000/v1"), is_near("http://[::1]/v1"), is_near("http://10.0.0.7")
    (True, True, True)
    >>> is_near("https://api.example.com/v1"), is_near("http://8.8.8.8/v1")
    (False, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:  # a name
        return host == "localhost"
