"""Convert Arrow strings to and from bytes and offsets, the form that compiled kernels use.

>>> data, offsets = text_bytes(pa.array(["ab", "", "c"]))
>>> bytes(data), offsets.tolist(), string_array(offsets, data).to_pylist()
(b'abc', [0, 2, 2, 3], ['ab', '', 'c'])
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


def text_bytes(texts: pa.Array | pa.ChunkedArray) -> tuple[U8, I64]:
    """Return the bytes of strings (no nulls), without a copy, and their offsets (texts + 1,)."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count:
        raise ValueError("texts must have no nulls")
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    offsets = np.frombuffer(texts.buffers()[1], width)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    data.flags.writeable = False  # Kernels are compiled for read-only arrays only.
    return data, offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)


def string_array(offsets: I64, data: U8) -> pa.StringArray:
    """Return the strings with the given bytes and offsets (texts + 1,)."""
    parts = (pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data))
    return pa.StringArray.from_buffers(len(offsets) - 1, *parts)
