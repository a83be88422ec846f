"""Hash content and files, and draw a number from a seed and a key."""

import hashlib
from pathlib import Path


def content_id(*parts: str) -> str:
    """Return a 128-bit hash of the parts as 32 hex digits; ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def uniform(seed: int, key: str) -> float:
    """Return a number in [0, 1) that depends only on the seed and the key, for stable sampling."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def sha256(path: Path) -> str:
    """Return the file's sha256 as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
