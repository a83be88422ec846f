"""Align the units of a text with those of an item, in their order, and match what was moved."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_index import weight
from mathledger.filters.overlap_units import BRACKET, JOINED, NAME, QUANTITY, SMALL, VARIABLE
from mathledger.filters.overlap_words import stem_of
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in

MAX_CELLS = 1 << 22  # Cells of an alignment; a longer text is compared up to this size.
RUN = 3  # Units that make a passage: the text repeats the item there.

# Scores of a matched unit by kind: TERM and NAME count their rarity in addition.
_SCORES = np.array([1.0, 1.0, 0.3, 3.0, 1.0, 0.4, 1.5, 0.3, 0.3], np.float32)
_MASKED = np.array([0, 0, 0, 0.5, 0.2, 0, 0.5, 0, 0], np.float32)  # Another unit of the kind.
# Signs that bind as closely as a product does.
_BINDING = signed(b"^", b"_", b"/", b"!").view(np.uint64)
_DIRECTED = np.array([stem_of(word) for word in ("vector", "ray")], np.uint64)
_ANGLE = np.uint64(stem_of("angle"))
_SQUARE = signed(b"[").view(np.uint64)[0]
_BONUS = np.float32(0.4)  # Bonus of a match that directly follows another.


class Board(NamedTuple):
    """Work arrays of an alignment, which a thread reuses."""

    steps: npt.NDArray[np.uint8]
    best: npt.NDArray[np.float32]  # Shape (2, units): the best score of a prefix.
    last: npt.NDArray[np.float32]  # The same if the last units match each other.
    partner: npt.NDArray[np.int32]  # For each unit of the item, its unit in the text, or -1.
    back: npt.NDArray[np.int32]  # And vice versa.
    scope: npt.NDArray[np.bool_]  # Units of the text that must be accounted for.


def board(num_item: int, num_text: int) -> Board:
    """Allocate work arrays for the longest item and the longest text, in units."""
    return Board(
        np.empty(MAX_CELLS, np.uint8),
        np.empty((2, num_text + 1), np.float32),
        np.empty((2, num_text + 1), np.float32),
        np.empty(num_item, np.int32),
        np.empty(num_text, np.int32),
        np.empty(num_text, np.bool_),
    )


@borrowing
def align(item: Any, text: Any, counted: Any, work: Any) -> None:
    """Find the matches with the highest score that keep the order (Needleman and Wunsch, 1970).

    Matches in a row score more. Numbers, signs and variables also match others of their kind, for a
    smaller score, so that the alignment shows what replaces what.
    """
    values, kinds, _, _, _ = item
    others, other_kinds, _, _, _ = text
    rows = len(values)
    columns = min(len(others), MAX_CELLS // max(1, rows))
    steps, best, last, partner, back, _ = work
    back[: len(others)] = -1
    best[0, : columns + 1] = 0
    last[0, : columns + 1] = -1e9
    for i in range(rows):
        now, then = (i + 1) % 2, i % 2
        best[now, 0], last[now, 0] = 0, -1e9
        value, kind = values[i], kinds[i]
        score = _SCORES[kind]
        if kind <= NAME:
            score += np.float32(0.4) * np.float32(min(5.0, weight(counted, value)))
        masked = _MASKED[kind]
        for j in range(columns):
            gain = np.float32(-1e9)
            if others[j] == value:
                gain = score
            elif masked > 0 and other_kinds[j] == kind:
                gain = masked
            step = 0
            if gain > 0:
                fresh, run = best[then, j], last[then, j] + _BONUS
                if run >= fresh:
                    gain += run
                    step = 4
                else:
                    gain += fresh
            last[now, j + 1] = gain
            top = gain
            if best[then, j + 1] > top:
                top = best[then, j + 1]
                step |= 1
            if best[now, j] > top:
                top = best[now, j]
                step = step & 4 | 2
            best[now, j + 1] = top
            steps[i * columns + j] = step
    i, j, is_run = rows - 1, columns - 1, False
    for at in range(rows):
        partner[at] = -1
    while i >= 0 and j >= 0:
        step = steps[i * columns + j]
        if is_run or step & 3 == 0:
            partner[i], back[j] = j, i
            is_run = step & 4 != 0
            i -= 1
            j -= 1
        elif step & 3 == 1:
            i -= 1
        else:
            j -= 1


@borrowing
def drop_loose(item: Any, text: Any, work: Any) -> None:
    """Undo matches of different units, unless two equal ones are next to them.

    A name may have another one as a partner if no other place shows that it is not renamed.
    """
    values, others, partner, back = item.values, text.values, work.partner, work.back
    for i in range(len(values)):
        j = partner[i]
        if j < 0 or values[i] == others[j]:
            continue
        if item.kinds[i] == VARIABLE:
            is_joined = JOINED in (item.letters[i], item.letters[min(i + 1, len(values) - 1)])
            if not is_joined and _keeps_name(values[i], values, others, partner):
                partner[i] = back[j] = -1
            continue
        context = 0
        for step in (-1, 1):
            near = step
            while abs(near) <= 2 and 0 <= i + near < len(values) and 0 <= j + near < len(others):
                if partner[i + near] != j + near or values[i + near] != others[j + near]:
                    break
                context += 1
                near += step
            if not (0 <= i + near < len(values) or 0 <= j + near < len(others)):
                context += 1  # Both texts end here.
        if context < 2:
            partner[i] = back[j] = -1


@borrowing
def _keeps_name(name: Any, values: Any, others: Any, partner: Any) -> bool:
    """Return True if the name is matched with itself anywhere."""
    for at in range(len(values)):
        if values[at] == name and partner[at] >= 0 and others[partner[at]] == name:
            return True
    return False


@borrowing
def match_moved(item: Any, text: Any, work: Any) -> None:
    """Match what was moved: words, and passages with numbers and signs."""
    values, kinds, others = item.values, item.kinds, text.values
    partner, back = work.partner, work.back
    for i in range(len(values)):
        if partner[i] >= 0:
            continue
        best, size = -1, 0
        for j in range(len(others)):
            if back[j] >= 0 or others[j] != values[i]:
                continue
            length, has_word = 0, kinds[i] == VARIABLE
            while (
                i + length < len(values)
                and j + length < len(others)
                and partner[i + length] < 0
                and back[j + length] < 0
                and values[i + length] == others[j + length]
            ):
                has_word |= kinds[i + length] <= NAME
                length += 1
            is_word = kinds[i] <= SMALL
            if (is_word or length >= RUN or (length == 2 and has_word)) and length > size:
                best, size = j, length
        if kinds[i] <= SMALL:
            size = min(size, 1) if size < 2 else size
        for step in range(size):
            partner[i + step], back[best + step] = best + step, i + step
    for i in range(len(values)):
        is_variable = kinds[i] == VARIABLE
        if partner[i] >= 0 or not (is_variable or kinds[i] == QUANTITY):
            continue
        if not _is_opposed(i, item, text, partner, back):
            for j in range(len(others)):
                if (
                    back[j] < 0
                    and others[j] == values[i]
                    and not _is_opposed(j, text, item, back, partner)
                    and (is_variable or _share_a_word(i, item, j, text))
                    and (is_variable or _crosses_a_word(i, j, text, partner))
                    and not _changes_slots(i, item, j, text, partner)
                    and not (is_variable and _moves_in_list(i, j, text, partner))
                    and not (JOINED in (item.letters[i], text.letters[j]) and has_matrices(item))
                ):
                    partner[i], back[j] = j, i
                    break


@borrowing
def place_of(at: int, partner: Any, size: int) -> tuple[int, int]:
    """Return where the other text, of this size, has what stands in the place of a unit."""
    low, high = at, at
    while low >= 0 and partner[low] < 0:
        low -= 1
    while high < len(partner) and partner[high] < 0:
        high += 1
    start = partner[low] + 1 if low >= 0 else 0
    return start, partner[high] if high < len(partner) else size


@borrowing
def has(units: Any, value: Any) -> bool:
    for own in units.values:  # noqa: SIM110  (numba compiles no generator)
        if own == value:
            return True
    return False


@borrowing
def match_swapped(item: Any, text: Any, work: Any) -> None:
    """Match the names of a segment or a product of two that are in the other order, as in AC, CA.

    A third name beside them, or a power or an index, keeps them apart. The angle CBA is the angle
    ABC.
    """
    partner, back = work.partner, work.back
    for i in range(len(item.values)):
        j = partner[i]
        if (
            j >= 0
            and begins_angle(item, i)
            and begins_angle(text, j)
            and _is_reversed(item, i, text, j)
        ):
            for step in range(1, 4):
                partner[i + step], back[j + 4 - step] = j + 4 - step, i + step
    if has_matrices(item):
        return  # Matrices do not commute.
    if has(item, _DIRECTED[0]) or has(item, _DIRECTED[1]):
        return  # The vector AB is not the vector BA.
    for i in range(len(item.values) - 1):
        j = partner[i]
        if j < 0 or partner[i + 1] != j + 1 or not (_is_pair(item, i) and _is_pair(text, j)):
            continue
        if item.values[i] == text.values[j + 1] and item.values[i + 1] == text.values[j]:
            partner[i], partner[i + 1], back[j], back[j + 1] = j + 1, j, i + 1, i


@borrowing
def begins_angle(units: Any, at: int) -> bool:
    """Return True at the word angle before exactly three joined names."""
    if at + 3 >= len(units.values) or units.values[at] != _ANGLE:
        return False
    for place in range(at + 1, at + 4):
        if units.kinds[place] != VARIABLE or (units.letters[place] == JOINED) != (place > at + 1):
            return False
    return bool(at + 4 == len(units.values) or units.letters[at + 4] != JOINED)


@borrowing
def _is_reversed(item: Any, i: int, text: Any, j: int) -> bool:
    """Return True if the three units after i are those after j in the other order."""
    for step in range(1, 4):  # noqa: SIM110  (numba compiles no generator)
        if item.values[i + step] != text.values[j + 4 - step]:
            return False
    return True


@borrowing
def begins_matrix(units: Any, at: int) -> bool:
    if at + 1 >= len(units.values) or units.kinds[at] != BRACKET:
        return False
    return bool(units.values[at] == _SQUARE and units.values[at + 1] == _SQUARE)


@borrowing
def has_matrices(units: Any) -> bool:
    for at in range(len(units.values)):  # noqa: SIM110  (numba compiles no generator)
        if begins_matrix(units, at):
            return True
    return False


@borrowing
def _is_pair(units: Any, at: int) -> bool:
    """Return True if two joined variables are not a part of a longer run, a power or an index."""
    kinds, letters, after = units.kinds, units.letters, at + 2
    if kinds[at] != VARIABLE or kinds[at + 1] != VARIABLE:
        return False
    if letters[at] == JOINED or letters[at + 1] != JOINED:
        return False
    if at > 0 and is_in(units.values[at - 1], _BINDING):
        return False
    if after == len(kinds):
        return True
    if kinds[after] == VARIABLE:
        return bool(letters[after] != JOINED)
    return bool(kinds[after] != BRACKET and not is_in(units.values[after], _BINDING))


@borrowing
def _is_opposed(at: int, own: Any, other: Any, partner: Any, back: Any) -> bool:
    """Return True if the other text has another unit of this kind in this unit's place."""
    for step in (-1, 1):
        near = at + step
        if 0 <= near < len(own.values) and partner[near] >= 0:
            place = partner[near] - step
            if (
                0 <= place < len(other.values)
                and back[place] < 0
                and other.kinds[place] == own.kinds[at]
            ):
                return True
    return False


@borrowing
def _crosses_a_word(i: int, j: int, text: Any, partner: Any) -> bool:
    """Return True if a word is between the item's number's own place in the text and place j.

    If not, the number only changed places with its neighbours, as in (2, 3) and (3, 2).
    """
    before = i - 1
    while before >= 0 and partner[before] < 0:
        before -= 1
    place = partner[before] if before >= 0 else -1
    for near in range(min(place, j) + 1, max(place + 1, j)):  # noqa: SIM110  (as below)
        if text.kinds[near] <= NAME:
            return True
    return False


@borrowing
def _changes_slots(i: int, item: Any, j: int, text: Any, partner: Any) -> bool:
    """Return True if two units stand between equal neighbours that are matched in another place.

    There, the text has nothing or another unit between them. The 2 of "remainder 2R by A, remainder
    R by B" is not that of "remainder R by A, remainder 2R by B".
    """
    if i == 0 or j == 0 or i + 1 == len(item.values) or j + 1 == len(text.values):
        return False
    for step in (-1, 1):
        place = partner[i + step]
        if item.values[i + step] != text.values[j + step] or place < 0 or place == j + step:
            return False
    return bool(1 <= partner[i + 1] - partner[i - 1] <= 2)


@borrowing
def _moves_in_list(i: int, j: int, text: Any, partner: Any) -> bool:
    """Return True if a name only changes places with numbers, as y in "2, 6, x, y, 26"."""
    before = i - 1
    while before >= 0 and partner[before] < 0:
        before -= 1
    own = partner[before] if before >= 0 else -1
    has_number = False
    for place in range(min(own, j) + 1, max(own + 1, j)):
        if text.kinds[place] not in (QUANTITY, VARIABLE):
            return False
        has_number |= text.kinds[place] == QUANTITY
    return has_number


@borrowing
def _share_a_word(i: int, item: Any, j: int, text: Any) -> bool:
    for near in range(max(0, i - 3), min(len(item.values), i + 4)):
        if item.kinds[near] <= NAME:
            for other in range(max(0, j - 3), min(len(text.values), j + 4)):
                if text.values[other] == item.values[near]:
                    return True
    return False
