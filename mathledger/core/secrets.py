"""Keep passwords out of messages."""

import os
import re
from urllib.parse import unquote

# Matches the user information of a URL, and the keys that carry a secret in its query.
USER = re.compile(r"(?<=://)([^\s/@:]*)(:[^\s]*?)?@(?=[^\s@/]*(?:[/\s,;'\")]|$))")
QUERY = re.compile(
    r"(?i)([?&](?:password|passwd|pwd|token|sslpassword|secret|[\w-]*key)=)[^&\s'\"]*"
)


def without_secrets(text: str, *uris: str) -> str:
    """Return a message without the passwords of URLs in it and without those that MLflow uses.

    >>> without_secrets("no answer from postgresql://me:pa:ss@host/db?sslpassword=x")
    'no answer from postgresql://me:***@host/db?sslpassword=***'
    >>> without_secrets("https://token@host/x, https://host/@x")
    'https://***@host/x, https://host/@x'
    """
    for secret in sorted(_secrets(uris), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = USER.sub(lambda found: f"{found[1]}:***@" if found[2] else "***@", text)
    return QUERY.sub(r"\1***", text)


def _secrets(uris: tuple[str, ...]) -> set[str]:
    """Return the passwords that a server or a library may repeat without its URL."""
    names = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    found = {os.environ.get(name, "") for name in names}
    for uri in (*uris, os.environ.get("MLFLOW_TRACKING_URI", "")):
        user, at, _ = uri.partition("://")[2].rpartition("@")
        if at and ":" in user:
            password = user.partition(":")[2]
            found |= {password, unquote(password)}
    return {secret for secret in found if len(secret) > 3}
