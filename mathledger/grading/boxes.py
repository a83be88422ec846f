r"""Find every \boxed{...}, \fbox{...} and \framebox{...} of many texts by a compiled scan.

>>> find_boxes(pa.array([r"\boxed{\frac{1}{2}}, \fbox {3}, \boxed{4"])).contents.to_pylist()
['\\frac{1}{2}', '3']
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.core.kernels import allocating, kernel
from mathledger.core.strings import I64, string_array, text_bytes

MAX_NESTED = 64  # Levels of nested boxes; deeper ones are ignored.
_NEWLINE, _SPACE, _BACKSLASH, _LEFT, _RIGHT = b"\n \\{}"
_BOXED, _FBOX, _FRAMEBOX = (
    np.frombuffer(name, np.uint8) for name in (b"boxed", b"fbox", b"framebox")
)


@dataclass(frozen=True)
class Boxes:
    """The boxes of some texts in order; of nested boxes only the innermost is listed."""

    rows: I64  # Index of the text that holds the box.
    begins: I64  # Offset of the box's content, in bytes of that text.
    contents: pa.StringArray
    is_cut: npt.NDArray[np.bool_]  # For each text, whether a box never closes.


@allocating
def _is_letter(byte: Any) -> bool:
    return bool(65 <= byte <= 90 or 97 <= byte <= 122)


@allocating
def _spells(data: Any, at: int, last: int, name: Any) -> bool:
    if last - at < len(name):
        return False
    for offset in range(len(name)):  # noqa: SIM110  numba has no all()
        if data[at + offset] != name[offset]:
            return False
    return True


@allocating
def _content(data: Any, at: int, last: int) -> int:
    """Return where the content of the box named at `at` begins, or -1 if there is no box."""
    if _spells(data, at, last, _BOXED):
        at += len(_BOXED)
    elif _spells(data, at, last, _FBOX):
        at += len(_FBOX)
    elif _spells(data, at, last, _FRAMEBOX):
        at += len(_FRAMEBOX)
    else:
        return -1
    if at < last and _is_letter(data[at]):
        return -1
    while at < last and (data[at] == _SPACE or data[at] == _NEWLINE):
        at += 1
    return at


@kernel
def _scan(data: Any, offsets: Any) -> Any:
    """Return (row, begin, end) of each box, shape (boxes, 3), and by row whether one is open."""
    boxes, count = np.empty((len(offsets), 3), np.int64), 0
    is_cut = np.zeros(len(offsets) - 1, np.bool_)
    starts, depths = np.empty(MAX_NESTED, np.int64), np.empty(MAX_NESTED, np.int64)
    for row in range(len(offsets) - 1):
        at, last = offsets[row], offsets[row + 1]
        begin = end = offsets[row]
        depth = num_boxes = 0
        while at < last:
            byte = data[at]
            at += 1
            if num_boxes == 0:
                while byte != _BACKSLASH and at < last:
                    byte = data[at]
                    at += 1
            if byte == _BACKSLASH:
                content = _content(data, at, last)
                if content < 0:
                    if num_boxes and at < last and (data[at] == _LEFT or data[at] == _RIGHT):
                        at += 1  # An escaped brace opens and closes nothing.
                    continue
                at = content
                if at < last and data[at] == _LEFT:
                    at, depth = at + 1, depth + 1
                    if num_boxes < MAX_NESTED:
                        starts[num_boxes], depths[num_boxes] = at, depth
                        num_boxes += 1
                else:  # A box without braces, as in \boxed 2.
                    while at < last and (_is_letter(data[at]) or 48 <= data[at] <= 57):
                        at += 1
                    begin, end = content, at
            elif num_boxes and byte == _LEFT:
                depth += 1
            elif num_boxes and byte == _RIGHT:
                if depths[num_boxes - 1] == depth:
                    num_boxes -= 1
                    begin, end = starts[num_boxes], at - 1
                depth -= 1
            if begin < end:
                if count == 0 or boxes[count - 1, 0] != row or boxes[count - 1, 1] < begin:
                    if count == len(boxes):
                        more = np.empty((2 * count, 3), np.int64)
                        more[:count] = boxes
                        boxes = more
                    boxes[count, 0], boxes[count, 1], boxes[count, 2] = row, begin, end
                    count += 1
                end = begin
        is_cut[row] = num_boxes > 0
    return boxes[:count], is_cut


@kernel
def _copy(data: Any, begins: Any, offsets: Any, out: Any) -> None:
    for row in range(len(begins)):
        size = offsets[row + 1] - offsets[row]
        out[offsets[row] : offsets[row + 1]] = data[begins[row] : begins[row] + size]


def find_boxes(texts: pa.StringArray) -> Boxes:
    """Return the boxes of every text (no nulls), without the empty ones, which state no answer."""
    data, offsets = text_bytes(texts)
    places, is_cut = _scan(data, offsets)
    rows, begins, ends = places.T
    bounds = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(ends - begins, out=bounds[1:])
    out = np.empty(bounds[-1], np.uint8)
    _copy(data, begins, bounds, out)
    contents = pc.utf8_trim_whitespace(string_array(bounds, out))
    stated = pc.not_equal(contents, "").to_numpy(zero_copy_only=False)
    return Boxes(
        rows[stated],
        (begins - offsets[rows])[stated],
        contents.filter(pa.array(stated)),
        is_cut,
    )
