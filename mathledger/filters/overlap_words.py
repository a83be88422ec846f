"""List English words that a problem may have or lack, or exchange, and words that decide it.

When a text is compared with an item, FUNCTION words are dropped, SMALL_WORDS weigh little, the
words of one line of SYNONYMS count as one word, COMPOUNDS count as several words and MULTIPLES as
numbers. The words of one line of OPPOSITES exclude each other: a text with one in place of the
other is another problem, and so is a text that has a DECISIVE word more or less often. All words
are compared by their stems.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.filters.overlap_features import stem
from mathledger.text.hashing import hash_bytes

FUNCTION = """
    a an the this that these those it its itself he him his himself she her hers herself they them
    their theirs themselves we us our you your yours i my me mine of in on at by for from to into
    onto with within as but so also too there here is are was were be been being am has have had
    having do does did done doing can could will would shall should may might must let lets s t ll
    re ve d m given suppose supposing assume assuming knowing provided what which who whom whose
    that when where how many much if then than thus hence therefore while whereas since because
    though although however please find compute determine calculate evaluate figure show tell
    state name such any both some another other upon about around between
    among amongst during until till along toward towards via using use uses one single question
    problem exercise answer result value values amount amounts quantity number numbers count total
    altogether overall combined together respectively certain particular specific following ask
    asked equal equals equally exactly just currently now initially originally original initial
    eventually finally already yet still again ever later then next additional additionally
    furthermore moreover meanwhile very quite really simply well back get gets got getting go
    goes went going gone come comes came put puts putting make makes made making want wants wanted
    plan plans planned decide decides decided need needs needed needing require requires required
    possess possesses possessed own owns owned contain contains contained containing hold holds
    held include includes included including involve involves consist consists consisting cost
    costs costing priced price prices paid pay pays paying charge charges charged long time times
    way ways manner possible able express expressed written write writing case know known say said
    says think be manage manages managed able only solve simplify utilize utilizes utilized utilise
    establish identify shown satisfy satisfying
"""
SYNONYMS = """
    not no never neither nor none cannot without except isn aren wasn weren doesn don didn won
        wouldn couldn shouldn hasn haven nothing nobody
    buy bought buying purchase purchases acquire acquires
    sell sold sale
    eat ate eaten consume devour
    large big huge great
    small little tiny
    more greater higher above exceed exceeds exceeded larger bigger
    less fewer lower below lesser
    save saving savings
    maximum max largest greatest biggest highest most longest tallest maximal
    minimum min smallest least lowest fewest shortest minimal
    child children kid
    mother mom mum mommy
    father dad daddy
    photo photograph picture
    store shop market supermarket
    start began begin begun commence
    end finish complete conclude
    remain left leftover rest remaining
    person people individual someone
    man men male
    woman women female lady
    friend pal buddy
    car vehicle automobile
    movie film
    home house
    speed rate velocity
    integer whole
    mean average
    probability chance likelihood
    dollar buck usd
    television tv
    trapezoid trapezium
    license licence
    calorie cal
    story storey
    monday mon
    tuesday tue tues
    wednesday wed
    thursday thu thurs
    friday fri
    counterclockwise anticlockwise
    money cash
    job work task
    travel journey ride rode ridden drive drove driven
    box carton container crate
    bag sack packet
    pack package set
    piece slice
    dish plate
    student pupil
    receive obtain
    collect gather
    throw threw thrown toss
    cut chop
    build built construct create produce form
    prepare bake baking cook
    gift present
    share divide split distribute divided
    choose chose chosen select pick
    depth deep
    width wide
    height high tall
    length distance
    weight weigh
    age old
    day daily
    week weekly
    month monthly
    year yearly annual annually
    hour hourly hr
    kilometer kilometre km
    meter metre
    centimeter centimetre cm
    millimeter millimetre mm
    kilogram kg
    liter litre
    foot feet ft
    inch inches
    pound lb
    color colour
    neighbor neighbour
    center centre
    favorite favourite preferred
    distinct different
    identical alike
    side edge
    vertex vertices corner
    die dice
    draw drew drawn
    spend spent
    earn income
    extra additional
    sofa couch
    trash garbage
    grandmother grandma
    grandfather grandpa
    candy candies sweet sweets
    cookie biscuit
    class session lesson
    chicken hen
    give gave giving gives
    take took taken taking
    lose lost
    win won
    sum added add
    product multiply multiplied
    quotient
    difference subtract subtracted
    root zero zeros zeroes solution
    flower blossom
    each every per apiece
    divisor factor
    sine sin
    cosine cos
    tangent tan
    method approach
    radius radii
    far away distant
    set collection
"""
# Words that are seldom the point, such as the kind of a thing that also has a name.
SMALL_WORDS = """
    and or up down before after first last equation integral expression function point line segment
    side person people random randomly repeatedly today unit respectively real all over under trip
    each fold
"""
COMPOUNDS = {
    "circumradius circumradii": "radius circle circumscribed",
    "inradius inradii": "radius circle inscribed",
    "circumcircle circumcircles": "circle circumscribed",
    "incircle incircles": "circle inscribed",
}
MULTIPLES = {
    2: "twice double doubled doubles", 3: "thrice triple tripled triples",
    4: "quadruple quadrupled", 12: "dozen dozens",
}  # fmt: skip
OPPOSITES = """
    more less
    maximum minimum
    large small
    longer shorter
    older younger
    taller shorter
    heavier lighter
    faster slower
    earlier late
    sum product difference quotient
    odd even
    positive negative
    increase decrease
    rise fall
    gain lose
    win lose
    buy sell
    first last
    before after
    inside outside
    inscribed circumscribed
    internal external
    interior exterior
    north south east west
    remain right
    top bottom
    upper lower
    up down
    and or
    row column
    area perimeter volume circumference
    radius diameter
    sine cosine tangent cot sec csc
    log ln
    numerator denominator
    horizontal vertical
    length width height depth base
    hypotenuse leg
    head tail
    adult child
    fold more less
    parallel perpendicular
    rational irrational
    real complex integer
    dollar cent
    am pm
    quotient remainder
    ascending descending
    clockwise counterclockwise
    convex concave
    hour minute second day week month year
    meter centimeter millimeter kilometer mile foot inch
    boy girl
    man woman
    mother father
    brother sister
    son daughter
    uncle aunt
    husband wife
    spend earn
    start end
    always sometimes
    true false
    open closed
    full empty
    hot cold
    black white red green blue yellow orange purple brown pink
    mean median mode range
    arithmetic geometric
    profit loss
    cheaper expensive
    add remove
    give take
    borrow lend
    arrive leave
    union intersection
    divisor multiple
    factor multiple
    reciprocal opposite
    prime composite
    rows columns
    hexagon heptagon
    hexagonal heptagonal
"""
DECISIVE = """
    not odd even positive negative nonnegative nonzero distinguishable distinct
"""
# A question for one of these is another question if the item has no such word.
MEASURES = """
    ratio mean percentage median product quotient probability fraction
"""
_OWN = (
    "less",
    "more",
    "length",
    "distinct",
    "dollar",
    "ordered",
    "each",
    "fold",
    "remaining",
)  # `Lexicon` has their heads.
# Kinds of words that `Lexicon` knows; all others are ordinary.
DROPPED, LIGHT, ORDINARY, AS_NUMBER, COMPOUND = range(5)


MAX_LINES = 3  # A word is in at most this many lines of OPPOSITES.


class Lexicon(NamedTuple):
    """What the lists say about each stem, for kernels."""

    stems: npt.NDArray[np.uint64]  # Sorted and distinct.
    kinds: npt.NDArray[np.int8]
    heads: npt.NDArray[np.uint64]  # The stem or number that stands for the stem, or its `parts`.
    parts: npt.NDArray[np.uint64]  # Heads of the words in each compound, (compounds, 3), or 0.
    listed: npt.NDArray[np.uint64]  # Sorted heads, and all words with an opposite.
    opposed: npt.NDArray[np.uint64]  # Sorted heads that have an opposite.
    lines: npt.NDArray[np.int16]  # Lines of OPPOSITES, (opposed, MAX_LINES), or -1.
    decisive: npt.NDArray[np.uint64]  # Sorted heads.
    measures: npt.NDArray[np.uint64]  # Sorted heads.
    less: np.uint64  # Head of "less", which also stands for "<"; likewise for "more".
    more: np.uint64
    length: np.uint64
    distinct: np.uint64
    dollar: np.uint64
    ordered: np.uint64
    each: np.uint64
    fold: np.uint64  # Stands for "times" in "5 times as many".
    remaining: np.uint64


@cache
def stem_of(word: str) -> int:
    spelled = np.frombuffer(word.encode(), np.uint8)
    return int(stem(spelled, 0, len(spelled)))


@cache
def lexicon() -> Lexicon:
    """Return the lists in a form that kernels can read."""
    known: dict[int, tuple[int, int]] = {}
    for line in SYNONYMS.replace("\n        ", " ").strip().splitlines():
        words = line.split()
        for word in words:
            known.setdefault(stem_of(word), (ORDINARY, stem_of(words[0])))
    opposites = [
        [known.get(stem_of(word), (0, stem_of(word)))[1] for word in line.split()]
        for line in OPPOSITES.strip().splitlines()
    ]
    opposed = sorted({head for line in opposites for head in line})
    for word in FUNCTION.split():
        known.setdefault(stem_of(word), (DROPPED, 0))
    for word in SMALL_WORDS.split():
        known[stem_of(word)] = (LIGHT, stem_of(word))
    for number, forms in MULTIPLES.items():
        for word in forms.split():
            known[stem_of(word)] = (AS_NUMBER, hash_bytes(str(number).encode()))
    parts = np.zeros((len(COMPOUNDS), 3), np.uint64)
    for row, (forms, meaning) in enumerate(COMPOUNDS.items()):
        for word in forms.split():
            known[stem_of(word)] = (COMPOUND, row)
        heads = [known.get(stem_of(word), (0, stem_of(word)))[1] for word in meaning.split()]
        parts[row, : len(heads)] = heads
    lines = np.full((len(opposed), MAX_LINES), -1, np.int16)
    for place, head in enumerate(opposed):
        own = [number for number, line in enumerate(opposites) if head in line]
        lines[place, : len(own)] = own
    known[stem_of("percentage")] = (LIGHT, hash_bytes(b"%"))
    decisive, measures = (
        sorted(known.get(stem_of(word), (0, stem_of(word)))[1] for word in words.split())
        for words in (DECISIVE, MEASURES)
    )
    stems = sorted(known)
    return Lexicon(
        np.array(stems, np.uint64),
        np.array([known[each][0] for each in stems], np.int8),
        np.array([known[each][1] for each in stems], np.uint64),
        parts,
        np.array(sorted({*opposed, *(head for _, head in known.values())}), np.uint64),
        np.array(opposed, np.uint64),
        lines,
        np.array(decisive, np.uint64),
        np.array(measures, np.uint64),
        *(np.uint64(known.get(stem_of(word), (0, stem_of(word)))[1]) for word in _OWN),
    )
