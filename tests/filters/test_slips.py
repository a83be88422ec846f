"""A misspelt word is told from another word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.filters.slips import KNOWN, MAX_LETTERS, MIN_EXTRA, MIN_OTHER, is_slip, pack

words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=MIN_OTHER, max_size=MAX_LETTERS - 1)
letters = st.sampled_from("abcdefghijklmnopqrstuvwxyz")


def packed(word: str) -> np.uint64:
    spelled = np.frombuffer(word.encode(), np.uint8)
    return np.uint64(pack(spelled, 0, len(spelled)))


@settings(max_examples=60, deadline=None, database=None)
@given(words, letters, st.data())
def test_one_letter_wrong_swapped_more_or_less_is_a_slip(
    word: str, letter: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(1, len(word) - 2))
    slips = {
        word[:at] + letter + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    }
    for slip in slips - {word}:
        assert is_slip(packed(word), packed(slip)) and is_slip(packed(slip), packed(word))
        assert not is_slip(packed(word) | KNOWN, packed(slip) | KNOWN)
        assert not is_slip(packed(word), packed("z" + slip[1:])) or word[0] == "z"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("plan", "plane"),
        ("hexagon", "heptagon"),
        ("product", "produce"),
        ("internal", "external"),
        ("typical", "atypical"),
        ("triangle", "integral"),
        ("twelve", "twenty"),
        ("", "a"),
    ],
)
def test_two_words_are_no_slip(one: str, other: str) -> None:
    assert not is_slip(packed(one), packed(other))


@pytest.mark.parametrize("word", ["perpendicular", "naïve", "x2y4z6w8"])
def test_a_long_word_and_other_signs_have_no_slips(word: str) -> None:
    assert packed(word) == 0 and len(word) > MIN_EXTRA - 2
