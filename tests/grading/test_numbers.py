"""Numbers are parsed from texts and compared exactly or as roundings."""

from mathledger.grading.numbers import number, same_number


def test_the_rule_on_rounding_does_not_depend_on_the_order() -> None:
    texts = ["1/3", "0.333", "0.33", "0.3333", "33.3%", "2/3", "0.667", "10%", "10", "0.1", "1/8"]
    numbers = [number(text) for text in texts]
    for one in numbers:
        for other in numbers:
            assert one and other
            assert same_number(one, other) == same_number(other, one)
