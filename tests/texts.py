"""Strategies for arbitrary texts to print, and a stand-in for a terminal."""

import io
import unicodedata

from hypothesis import strategies as st

BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
# Any characters, often ones that control a terminal, and surrogates as in undecodable file names.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\r\x07\x85\u202e\u2066\ud800")))


def is_control(character: str) -> bool:
    """Return True if a character controls a terminal, reorders a line or cannot be printed."""
    return character not in "\t\n" and (
        unicodedata.category(character) in ("Cc", "Cs")
        or unicodedata.bidirectional(character) in BIDI
    )


class Terminal(io.StringIO):
    """An output stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True
