"""Characters are counted by kind, however long the text."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.filters import characters

# Texts of up to 20,000 characters, so that the packed counters are emptied several times.
LONG = st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(0, 1000))


@given(texts=st.lists(st.text(max_size=9) | LONG, max_size=5))
@settings(deadline=None)
def test_each_character_counts_once(texts: list[str]) -> None:
    """The expected counts come from the table of classes, one character at a time."""
    classes = characters._classes()
    expected = []
    for text in texts:
        num = Counter(int(classes[ord(char)]) for char in text)
        letters = num[characters._LETTER] + num[characters._FOREIGN]
        digits, foreign = num[characters._DIGIT], num[characters._FOREIGN]
        broken, visible = num[characters._BROKEN], len(text) - num[characters._BLANK]
        expected.append([letters, digits, foreign, broken, visible, len(text)])
    assert characters.count(pa.array(texts, pa.string())).tolist() == expected
