"""Align the units of a text with those of an item, and account for every difference."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import kernel
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_index import weight
from mathledger.filters.overlap_units import NAME, QUANTITY, SMALL, VARIABLE

MAX_CELLS = 1 << 22  # Cells of an alignment; a longer text is compared up to this size.
RUN = 3  # Units that make a passage: the text repeats the item there.

# Scores of a matched unit by kind: TERM and NAME count their rarity in addition.
_SCORES = np.array([1.0, 1.0, 0.3, 3.0, 1.0, 0.4, 1.5], np.float32)
_MASKED = np.array([0, 0, 0, 0.5, 0.2, 0, 0.5], np.float32)  # Of another unit of the kind.
_BONUS = np.float32(0.4)  # For a match that directly follows another.


class Board(NamedTuple):
    """Work arrays of an alignment, which a thread reuses."""

    steps: npt.NDArray[np.uint8]
    best: npt.NDArray[np.float32]  # Shape (2, units): the best score of a prefix.
    last: npt.NDArray[np.float32]  # The same if the last units match each other.
    partner: npt.NDArray[np.int32]  # Of each unit of the item, its unit in the text, or -1.
    back: npt.NDArray[np.int32]  # And vice versa.
    scope: npt.NDArray[np.bool_]  # Units of the text that must be accounted for.


class Account(NamedTuple):
    """What remains of a pair after the alignment."""

    item_share: float  # Weighted share of the item's words that the text has.
    text_share: float  # Weighted share of the text's words, in scope, that the item has.
    num_missing: int  # Words of the item that the text lacks.
    num_extra: int  # Words of the text, in scope, that the item lacks.
    numbers: int  # Numbers without an equal partner, on both sides.
    signs: int  # Signs and brackets without an equal partner, on both sides.
    variables: int  # Variables that differ by more than a renaming throughout.
    conflicts: int  # Opposite words, and lost names.
    decisive: int  # Decisive words that one side lacks.
    template: float  # Smaller share of both sides' units in passages that agree, numbers masked.


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


@kernel
def align(item: Any, text: Any, counted: Any, work: Any) -> None:
    """Find the matches with the highest score that keep the order (Needleman and Wunsch, 1970).

    Matches in a row score more. Numbers, signs and variables also match others of their kind, for a
    smaller score, so that the alignment shows what stands in place of what.
    """
    values, kinds, _ = item
    others, other_kinds, _ = text
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


@kernel
def _drop_loose(item: Any, text: Any, work: Any) -> None:
    """Undo matches of different units, unless two equal ones are next to them."""
    values, others, partner, back = item.values, text.values, work.partner, work.back
    for i in range(len(values)):
        j = partner[i]
        if j < 0 or values[i] == others[j] or item.kinds[i] == VARIABLE:
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


@kernel
def _match_moved(item: Any, text: Any, work: Any) -> None:
    """Match what stands at another place: words, and passages with numbers and signs."""
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
        if partner[i] >= 0 or kinds[i] != QUANTITY:
            continue
        if not _is_opposed(i, item, text, partner, back):
            for j in range(len(others)):
                if (
                    back[j] < 0
                    and others[j] == values[i]
                    and not _is_opposed(j, text, item, back, partner)
                    and _share_a_word(i, item, j, text)
                ):
                    partner[i], back[j] = j, i
                    break


@kernel
def _is_opposed(at: int, own: Any, other: Any, partner: Any, back: Any) -> bool:
    """Return True if the other text has another number in this number's place."""
    for step in (-1, 1):
        near = at + step
        if 0 <= near < len(own.values) and partner[near] >= 0:
            place = partner[near] - step
            if (
                0 <= place < len(other.values)
                and back[place] < 0
                and other.kinds[place] == QUANTITY
            ):
                return True
    return False


@kernel
def _share_a_word(i: int, item: Any, j: int, text: Any) -> bool:
    for near in range(max(0, i - 3), min(len(item.values), i + 4)):
        if item.kinds[near] <= NAME:
            for other in range(max(0, j - 3), min(len(text.values), j + 4)):
                if text.values[other] == item.values[near]:
                    return True
    return False


@kernel
def _in_passages(item: Any, partner: Any) -> int:
    """Count the item's units in runs of at least RUN units that the text repeats."""
    total = run = 0
    for i in range(len(item.values) + 1):
        is_matched = i < len(item.values) and partner[i] >= 0
        goes_on = is_matched and run > 0 and partner[i] == partner[i - 1] + 1
        if not goes_on:
            total += run if run >= RUN else 0
            run = 0
        run += is_matched
    return total


@kernel
def _has(units: Any, value: Any) -> bool:
    for own in units.values:  # noqa: SIM110  (numba compiles no generator)
        if own == value:
            return True
    return False


@kernel
def _mark_scope(item: Any, text: Any, back: Any, lexicon: Any, scope: Any) -> None:
    """Mark the units of the text that the comparison has to account for.

    These are all units from the first to the last match and the rest of the sentences of both,
    without sentences that have no number, sign or variable and no word of the item.
    """
    size = len(text.values)
    first, last = 0, size - 1
    while first < size and back[first] < 0:
        first += 1
    while last >= 0 and back[last] < 0:
        last -= 1
    while first > 0 and first < size and not text.begins[first]:
        first -= 1
    while last + 1 < size and not text.begins[last + 1]:
        last += 1
    start = 0
    while start < size:
        end, is_bare = start, True
        while end < size and (end == start or not text.begins[end]):
            is_bare &= text.kinds[end] == SMALL or (
                text.kinds[end] <= NAME
                and (
                    not _has(item, text.values[end])
                    or place_in(lexicon.decisive, text.values[end]) >= 0
                )
            )
            end += 1
        inside = start >= first and end - 1 <= last and not is_bare
        for at in range(start, end):
            scope[at] = inside
        start = end


@kernel
def _are_opposites(one: Any, other: Any, lexicon: Any) -> bool:
    left, right = place_in(lexicon.opposed, one), place_in(lexicon.opposed, other)
    if left < 0 or right < 0 or left == right:
        return False
    for own in lexicon.lines[left]:
        for line in lexicon.lines[right]:
            if own >= 0 and own == line:
                return True
    return False


@kernel
def _meets_opposite(at: int, item: Any, text: Any, partner: Any, back: Any, lexicon: Any) -> bool:
    """Return True if the text has an opposite of the item's word in its place."""
    low, high = at, at
    while low >= 0 and partner[low] < 0:
        low -= 1
    while high < len(item.values) and partner[high] < 0:
        high += 1
    start = partner[low] + 1 if low >= 0 else 0
    end = partner[high] if high < len(item.values) else len(text.values)
    for place in range(start, end):
        if back[place] < 0 and _are_opposites(item.values[at], text.values[place], lexicon):
            return True
    return False


@kernel
def _num_renamed(item: Any, text: Any, partner: Any, back: Any) -> int:
    """Count the variables whose partner differs, or return 0 if they are renamed throughout."""
    renamed, is_bijective = 0, True
    for i in range(len(item.values)):
        j = partner[i]
        if j < 0 or item.kinds[i] != VARIABLE:
            continue
        renamed += item.values[i] != text.values[j]
        for other in range(i):
            if partner[other] >= 0 and item.kinds[other] == VARIABLE:
                is_bijective &= (item.values[i] == item.values[other]) == (
                    text.values[j] == text.values[partner[other]]
                )
    return 0 if is_bijective else renamed


@kernel
def account(item: Any, text: Any, counted: Any, lexicon: Any, work: Any) -> Any:
    """Align a text with an item and return what the alignment leaves."""
    align(item, text, counted, work)
    _drop_loose(item, text, work)
    partner, back = work.partner[: len(item.values)], work.back[: len(text.values)]
    passages = _in_passages(item, partner)
    _match_moved(item, text, work)
    scope = work.scope
    _mark_scope(item, text, back, lexicon, scope)
    left = _side(item, text, partner, back, scope, True, counted, lexicon)
    right = _side(text, item, back, partner, scope, False, counted, lexicon)
    missing, extra = left.words, right.words
    if right.words == 0:
        missing -= left.repeated
    if left.words == 0:
        extra -= right.repeated
    return Account(
        left.share,
        right.share,
        missing,
        extra,
        left.numbers + right.numbers,
        left.signs + right.signs,
        left.variables + right.variables + _num_renamed(item, text, partner, back),
        left.conflicts + right.conflicts,
        left.decisive + right.decisive,
        passages / max(1, len(item.values), right.num_units),
    )


class Side(NamedTuple):
    """What one side has and the other lacks."""

    share: float  # Weighted share of words that the other side has.
    words: int
    repeated: int  # Of these words, those that the other side has elsewhere.
    numbers: int
    signs: int
    variables: int
    conflicts: int
    decisive: int
    num_units: int


@kernel
def _side(
    own: Any, other: Any, partner: Any, back: Any, scope: Any, is_item: bool, counted: Any,
    lexicon: Any,
) -> Any:  # fmt: skip
    """Account for the units of the item, or for those of the text in scope."""
    total, lost = 1e-9, 0.0
    words = repeated = numbers = signs = variables = conflicts = decisive = 0
    num_units = names = lost_names = 0
    for at in range(len(own.values)):
        if not (is_item or scope[at]):
            continue
        num_units += 1
        value, kind = own.values[at], own.kinds[at]
        is_equal = partner[at] >= 0 and other.values[partner[at]] == value
        if kind <= SMALL:
            weighs = 0.1 if kind == SMALL else max(0.5, min(6.0, weight(counted, value)))
            total += weighs
            is_elsewhere = is_equal or (kind != SMALL and _has(other, value))
            if kind == NAME and is_item:
                names += 1
                lost_names += not is_elsewhere
            if is_equal:
                continue
            lost += weighs
            decisive += place_in(lexicon.decisive, value) >= 0
            if is_item:
                conflicts += _meets_opposite(at, own, other, partner, back, lexicon)
            if kind != SMALL:
                words += 1
                repeated += is_elsewhere
        elif kind == VARIABLE:
            variables += partner[at] < 0
        elif not is_equal:
            numbers += kind == QUANTITY
            signs += kind != QUANTITY
    conflicts += 2 * lost_names > names
    return Side(
        1 - lost / total,
        words,
        repeated,
        numbers,
        signs,
        variables,
        conflicts,
        decisive,
        num_units,
    )
