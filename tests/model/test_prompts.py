"""A prompt template is refused unless it inserts every problem unchanged."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mathledger.model import prompts

LITERALS = st.text().map(lambda text: text.replace("{", "{{").replace("}", "}}"))
# Mostly braces and what may be between them, so that many texts are almost templates.
NEAR = st.lists(
    st.sampled_from(["{", "}", "{{", "}}", "{problem}", "problem", "!r", ":>9", "[0]", ".x", "0"])
).map("".join)


@given(st.lists(LITERALS, min_size=2), st.text())
def test_a_template_shows_the_problem_between_its_texts(literals: list[str], problem: str) -> None:
    params = prompts.Params("{problem}".join(literals))
    texts = [text.replace("{{", "{").replace("}}", "}") for text in literals]
    assert prompts.user_text(params, problem) == problem.join(texts)


@given(NEAR)
@example("{{problem}}")
@example("{{{problem}}}")
def test_whatever_is_accepted_shows_every_problem_whole(template: str) -> None:
    try:
        params = prompts.Params(template)
    except ValueError:
        return
    pieces = prompts.user_text(params, "\0").split("\0")
    assert len(pieces) >= 2
    for problem in ("", "What is {problem}?", "{0} {{}} !r :>9"):
        assert prompts.user_text(params, problem) == problem.join(pieces)


REFUSED = ["", "Solve it.", "{{problem}}", "{problem", "problem}", "{}", "{0}"]
REFUSED += ["{problem} {answer}", "{problem!r}", "{problem:>9}", "{problem.x}", "{problem[0]}"]


@pytest.mark.parametrize("template", REFUSED)
def test_any_other_field_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="only field, without format or conversion"):
        prompts.Params(template)
