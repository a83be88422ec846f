r"""The words and the grammar of generated math prose.

WORDS names lists of words, RULES names lists of templates: `<name>` in a template is a word or an
expansion of that name. `expand` writes many fragments of a rule at once.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NUM_PEOPLE = 3_000  # names made of syllables: the long tail of the vocabulary
WORDS = {
    "syllable": """ma ri el to ka len sha do ver ni ja bo ti ros an lu pe da mo sel vi har go ne ya
        fen cor bi zu tal mer os ki ra wen del so ha ru im pa lo chi dre na bel ur fa gri sto""",
    "thing": """apples marbles books pencils stickers coins cookies tickets bottles boxes flowers
        candles bricks letters stamps buttons ribbons baskets eggs oranges lemons cupcakes notebooks
        crayons balloons bracelets shells pebbles tiles planks nails bolts lamps chairs tables
        shelves magnets batteries cables sandwiches pies muffins bagels pretzels carrots potatoes
        melons peaches plums cherries grapes walnuts almonds envelopes postcards photographs
        paintings posters magazines newspapers puzzles kites drums violins flutes bicycles helmets
        scarves mittens blankets pillows towels mugs plates forks spoons jars cans sacks crates
        barrels buckets hoses shovels rakes seeds saplings roses tulips daisies goats sheep hens
        ducks rabbits turtles parrots wagons tractors tents ropes lanterns maps compasses paddles
        sails feathers beads medals trophies badges uniforms""",
    "adjective": """red blue green small large wooden metal broken new used rare ripe fresh heavy
        light round square striped painted silver golden cheap plain empty full cracked polished
        frozen dried folded old narrow wide shiny dusty spare extra signed printed recycled yellow
        purple orange white black""",
    "place": """market bakery library garden warehouse school harbor museum farm orchard bookstore
        workshop station theater factory stadium village camp kitchen office clinic airport hotel
        park bridge greenhouse gallery pharmacy laundry diner studio attic cellar courtyard barn
        dock mill vineyard""",
    "action": """buys sells packs sorts gives loses finds collects trades returns donates repairs
        orders carries paints counts wraps delivers borrows stores plants harvests bakes ships
        breaks wins shares loads unloads cleans prints mails keeps throws picks stacks weighs cuts
        glues hides""",
    "time": """morning afternoon evening week month weekend season holiday summer winter hour shift
        trip class semester Monday Tuesday Wednesday Thursday Friday Saturday Sunday January""",
    "object": """triangle circle square rectangle trapezoid rhombus parallelogram hexagon pentagon
        octagon sphere cone cylinder cube pyramid prism tetrahedron ellipse parabola hyperbola
        polygon quadrilateral polynomial sequence series function matrix vector set graph lattice
        permutation partition ring group field ideal subset interval segment chord tangent secant
        altitude median bisector diagonal perimeter area volume angle radius diameter determinant
        eigenvalue remainder divisor multiple factorial binomial fraction integer prime digit root
        coefficient exponent logarithm integral derivative limit locus region path tree cycle
        coloring tiling board deck die urn""",
    "quality": """positive negative real complex rational irrational distinct consecutive equal
        acute obtuse right regular convex cyclic isosceles equilateral inscribed parallel
        circumscribed perpendicular monic quadratic cubic quartic linear arithmetic geometric
        harmonic increasing decreasing bounded periodic symmetric odd even prime composite
        finite infinite continuous differentiable invertible maximal minimal nonzero
        nonnegative primitive reduced irreducible orthogonal tangential random""",
    "relates": """divides contains intersects bisects exceeds equals meets touches covers generates
        determines majorizes bounds separates spans fixes preserves maps sends reflects rotates
        doubles halves""",
    "doing": """Substituting Rearranging Expanding Factoring Simplifying Combining Squaring Adding
        Subtracting Multiplying Dividing Counting Integrating Differentiating Evaluating Comparing
        Grouping Isolating Applying Using Noting Recalling Setting Solving Writing Reducing Checking
        Summing Completing""",
    "reason": """identity theorem inequality formula lemma condition symmetry definition hypothesis
        recurrence congruence substitution expansion factorization bound estimate equation relation
        ratio diagram pattern property criterion induction argument construction transformation
        projection""",
    "link": """therefore hence so thus which then because since where while also moreover
        consequently finally similarly conversely next now again instead""",
    "letter": """x y z a b c m n p q r s t u v k h w d g \\alpha \\beta \\gamma \\theta \\lambda
        \\mu \\omega \\pi \\phi \\sigma \\delta \\rho""",
    "point": "A B C D E F G H P Q R S T X Y Z M N O K",
    "sign": "+ -",
    "function": "sin cos tan log",
}
RULES = {
    "goods": ["<adjective> <thing>"],
    "term": [
        "<small><letter>",
        "<letter>^<digit>",
        r"\sqrt{<letter> + <small>}",
        r"\<function> <letter>",
        "<letter>_{<small>}",
        "|<letter> - <small>|",
        r"\binom{<small>}{<letter>}",
    ],
    "expression": [
        "<term> <sign> <number>",
        "<term> <sign> <term>",
        r"\frac{<term> <sign> <number>}{<term>}",
        r"\left(<term> <sign> <term>\right)^{<digit>}",
    ],
    "figure": ["<quality> <object> $<point><point><point>$", "<quality> <object> $<point><point>$"],
    # A problem told as a story. A number follows the opening and the condition.
    "story_opening": [
        "<person> <action> <goods> at the <place> every <time> and starts with ",
        "In the <place> near <person> Street, <person> has ",
        "Last <time>, <person> and <person> went to a <place> with ",
        "A <adjective> <place> owned by <person> <action> ",
        "To prepare for the <time>, <person> <action> ",
    ],
    "story_continuation": [
        " <goods>, each of which costs $<number>. ",
        " <goods> and <number> <goods>. ",
        " <goods> in <number> <adjective> <thing>. ",
        " <goods>, but <number> of them are <adjective>. ",
    ],
    "story_middle": [
        "Then <person> <action> <number> <goods> for the <place>. ",
        "On <time>, <number>% of the <goods> are left in the <place>. ",
        "<person> <action> twice as many <goods> as <person>. ",
        "There are <number> <thing> for every <number> <goods>. ",
        "A <adjective> friend, <person>, <action> the <goods>. ",
    ],
    "story_condition": [
        "If <person> <action> ",
        "After the <time>, <person> <action> ",
        "When the <place> <action> another ",
        "Knowing that <person> still <action> ",
    ],
    "story_question": [
        " of the <goods>, how many <thing> does <person> have?",
        " more <thing>, what is the total cost of the <goods> in dollars?",
        " <thing>, how many <goods> are left at the <place>?",
        " <goods>, by how much does <person> exceed <person>?",
    ],
    # A problem in formulas, likewise.
    "formal_opening": [
        "Let $<letter>(<letter>) = <expression>$ be a <quality> <object> with $<term> = ",
        "Suppose that the <figure> <relates> the <figure> and $<term> = ",
        "The <quality> <object> of $<expression>$ <relates> $<term>$, where $<letter> = ",
        "Consider the <figure> whose <object> is $<expression> = ",
    ],
    "formal_continuation": [
        "$ for all <quality> $<term>$. ",
        "$ and a <quality> <object> <relates> it. ",
        r"$, where $0 \le <letter> \le <number>$. ",
        "$ such that $<expression>$ is <quality>. ",
    ],
    "formal_middle": [
        "The <object> $<expression>$ <relates> the <figure>. ",
        "Assume also that $<expression> = <expression>$. ",
        "Every <quality> <object> <relates> $<term>$. ",
        r"\[<expression> = <expression>.\] ",
    ],
    "formal_condition": [
        "Given that $<term> = ",
        "If the <object> is <quality> and $<expression> = ",
        "For $<letter> = ",
        "When $<expression> > ",
    ],
    "formal_question": [
        "$, find the <object> of $<expression>$.",
        "$, compute $<expression>$.",
        "$, how many <quality> <object>s $<term>$ are there?",
        "$, what is the <quality> <object> of the <figure>?",
        "$, determine the <quality> value of $<expression>$.",
    ],
    # A sentence of a solution.
    "step": [
        "<doing> $<expression>$ and using the <reason>, we get $<term> = <number>$<end>",
        "By the <quality> <reason>, $<expression> = <expression>$, <link> $<term> = <number>$<end>",
        "<doing> both sides, the <object> <relates> $<term>$ and is $<number>$<end>",
        "\n\nThe <reason> <relates> each <quality> <object>: "
        r"\[<expression> = <expression>,\] <link> $<letter> = <number>$<end>",
        "Observe: the <figure> <relates> $<expression>$, <link> its <object> is $<number>$<end>",
        "\n<person> <action> <number> * <number> <goods> = $<number>$<end>",
    ],
    "end": [
        ". ",
        ", <link> the <object> is <quality>. ",
        " <thing>. ",
        " by the <reason>. ",
        ".\n",
    ],
}
STORY = ["story_opening", "story_continuation", "story_middle", "story_condition", "story_question"]
FORMAL = [name.replace("story", "formal") for name in STORY]

_SLOT = re.compile(r"<(\w+)>")


def expand(name: str, count: int, random: np.random.Generator) -> pa.StringArray:
    """`count` expansions of a word list or rule; equal random states give equal ones."""
    match name:
        case "person":
            people = np.asarray(_people(), dtype=object)
            return pa.array(people[_zipf(len(people), count, random)])
        case "digit":
            return pa.array(random.integers(2, 10, count)).cast(pa.string())
        case "small":
            return pa.array(random.integers(2, 61, count)).cast(pa.string())
        case "number":
            return _numbers(count, random)
    if name in WORDS:
        words = np.asarray(WORDS[name].split(), dtype=object)
        return pa.array(words[_zipf(len(words), count, random)])
    templates = RULES[name]
    chosen = random.integers(0, len(templates), count)
    parts = []
    for number, template in enumerate(templates):
        # split() puts text at even places, slot names at odd ones
        pieces = _SLOT.split(template)
        own = int((chosen == number).sum())
        texts = [
            expand(piece, own, random) if place % 2 else pa.repeat(piece, own)
            for place, piece in enumerate(pieces)
        ]
        parts.append(pc.binary_join_element_wise(*texts, ""))
    back = np.argsort(np.argsort(chosen, kind="stable"), kind="stable")
    return pa.concat_arrays(parts).take(pa.array(back))


def _zipf(size: int, count: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Ranks in [0, size), rank r in proportion to 1 / (r + 2): few words are common, most rare."""
    weights = 1 / np.arange(2, size + 2)
    return np.searchsorted(np.cumsum(weights) / weights.sum(), random.random(count), side="right")


def _people() -> list[str]:
    random = np.random.default_rng(0)  # the same people in every corpus
    syllables = WORDS["syllable"].split()
    people: dict[str, None] = {}  # keeps its order, unlike a set
    while len(people) < NUM_PEOPLE:
        name = "".join(random.choice(syllables, size=random.integers(2, 4)))
        people[name.capitalize()] = None
    return list(people)


def _numbers(count: int, random: np.random.Generator) -> pa.StringArray:
    """Mostly small; some large, some decimal."""
    kind = random.random(count)
    whole = np.where(kind < 0.8, random.integers(2, 100, count), random.integers(100, 10000, count))
    text = pa.array(whole).cast(pa.string())
    decimals = pa.array(random.integers(1, 10, count)).cast(pa.string())
    return pc.if_else(pa.array(kind < 0.9), text, pc.binary_join_element_wise(text, decimals, "."))
