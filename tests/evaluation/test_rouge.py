"""ROUGE-L agrees with its definition."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from mathledger.evaluation.rouge import longest_common_subsequence, rouge_l

words = st.lists(st.sampled_from(["a", "b", "c", "12"]), max_size=12)


@given(first=words, second=words)
def test_the_length_is_that_of_the_definition(first: list[str], second: list[str]) -> None:
    @cache
    def length(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if first[i - 1] == second[j - 1]:
            return length(i - 1, j - 1) + 1
        return max(length(i - 1, j), length(i, j - 1))

    assert longest_common_subsequence(first, second) == length(len(first), len(second))


@given(first=words, second=words)
def test_the_score_is_symmetric_and_one_for_equal_texts(
    first: list[str], second: list[str]
) -> None:
    score = rouge_l(" ".join(first), " ".join(second))
    assert score == rouge_l(" ".join(second), " ".join(first)) and 0 <= score <= 1
    assert (score == 1) == (first == second != [])


def test_words_are_letters_and_digits_of_any_case() -> None:
    assert rouge_l(r"Find \frac{1}{2} of X.", "find frac 1, 2 OF x") == 1
    assert rouge_l("", "") == rouge_l("éß", "éß") == rouge_l("a", "") == 0
