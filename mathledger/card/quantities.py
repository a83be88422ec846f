"""The types of the ledger's counts, shares and digests."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 digest of a file's bytes.")
]
Md5 = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{32}(\.dir)?$",
        description="DVC's MD5 digest; the digest of a folder ends in .dir.",
    ),
]
