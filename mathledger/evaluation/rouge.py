r"""Measure the overlap of two texts by ROUGE-L (Lin 2004, W04-1013).

The value equals that of the package rouge-score without a stemmer, to the last bit.

>>> rouge_l("He sells 30 of 50 eggs.", "He sells 20 of his eggs")
0.6666666666666666
"""

import re

WORD = re.compile("[a-z0-9]+")


def rouge_l(target: str, text: str) -> float:
    """Return the F-measure of the longest common subsequence of words, in 0..1."""
    target_words, words = WORD.findall(target.lower()), WORD.findall(text.lower())
    common = longest_common_subsequence(target_words, words)
    if not common:
        return 0.0
    precision, recall = common / len(words), common / len(target_words)
    return 2 * precision * recall / (precision + recall)


def longest_common_subsequence(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence of two lists.

    One integer holds a row of the usual table: bit i is 0 if the length grows with first[i] (Hyyrö
    2004, "Bit-parallel LCS-length computation revisited").
    """
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    every = (1 << len(first)) - 1
    row = every
    for word in second:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & every
    return len(first) - row.bit_count()
