"""Check a GGUF file before torch and transformers read it."""

from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.model.loading import reason


def check_gguf(path: Path) -> None:
    """Read the header of a GGUF file: its keys, and the place and shape of every tensor.

    Raises:
        InputError: the file is damaged.
    """
    from gguf import GGUFReader

    try:
        for tensor in GGUFReader(path).tensors:
            if tensor.data.nbytes != tensor.n_bytes:
                raise ValueError(f"tensor {tensor.name} is cut short")
    except Exception as error:  # the library raises almost any type for a damaged file
        raise InputError(
            f"{path.name} is not a readable GGUF file ({reason(error)}): pin the right file"
        ) from None
