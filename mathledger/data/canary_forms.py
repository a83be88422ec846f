"""The forms of canaries: changed copies of benchmark items that test the contamination filter.

The filters plant them, and the card counts them.
"""

# The problem stays the same, so the filter must find these copies.
COPIES = {
    "verbatim": "unchanged",
    "reformatted": "other LaTeX for the same thing",
    "rewrapped": "lines of eight words",
    "embedded": "inside a longer text",
    "fractions": "1/2 for \\frac{1}{2}, or the reverse",
    "products": "\\times for \\cdot, or the reverse",
    "number_words": "twelve for 12",
    "words_for_signs": "triangle for \\triangle",
    "ascii_math": "sqrt(x**2) for $\\sqrt{x^2}$",
    "unicode": "x² ≤ π for $x^2 \\leq \\pi$",
    "answer_wrapper": "asks for m + n instead of m/n",
    "renamed": "other names of the variables",
    "rephrased": "some words replaced, sentences moved",
}
# A different problem, which the filter must not call contamination.
CONTROLS = {
    "number_changed": "one other number",
    "numbers_swapped": "two numbers exchanged",
    "sign_changed": "a minus for a plus, or the reverse",
    "signs_swapped": "a plus and a minus exchanged",
    "opposite_word": "least for greatest and the like",
    "continued": "an expression with one more term",
    "other_question": "the same story, another question",
    "other_drawing": "one other number in the drawing",
}
