"""Texts that nobody thought of, to be printed."""

import io
import unicodedata

from hypothesis import strategies as st

BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
# Any character, those that steer a terminal often; surrogates too, as in undecodable file names.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\r\x07\x85\u202e\u2066\ud800")))


def is_control(character: str) -> bool:
    """Return True if a character steers a terminal, reorders a line, or cannot be printed."""
    return character not in "\t\n" and (
        unicodedata.category(character) in ("Cc", "Cs")
        or unicodedata.bidirectional(character) in BIDI
    )


class Terminal(io.StringIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True
