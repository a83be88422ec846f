"""List English words that a problem may have or lack, or exchange, and words that decide it.

When a text is compared with an item, FUNCTION words are dropped, SMALL_WORDS weigh little, the
words of one line of SYNONYMS count as one word, COMPOUNDS count as several words and MULTIPLES as
numbers. The words of one line of OPPOSITES exclude each other: a text with one in place of the
other is another problem, and so is a text that has a DECISIVE word more or less often. All words
are compared by their stems, see overlap_words.py.
"""

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
    furthermore moreover meanwhile very quite really simply well get gets got getting go
    goes went going gone come comes came put puts putting make makes made making want wants wanted
    plan plans planned decide decides decided need needs needed needing require requires required
    possess possesses possessed own owns owned contain contains contained containing hold holds
    held include includes included including involve involves consist consists consisting cost
    costs costing priced price prices paid pay pays paying charge charges charged long time times
    way ways manner possible able express expressed written write writing case know known say said
    says think be manage manages managed able only solve simplify utilize utilizes utilized utilise
    establish identify shown satisfy satisfying once prove proves consider considers
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
    flavor flavour
    labor labour
    harbor harbour
    honor honour
    theater theatre
    fiber fibre
    program programme
    math maths mathematics
    tire tyre
    donut doughnut
    jewelry jewellery
    pajama pyjama
    aluminum aluminium
    catalog catalogue
    organize organise
    recognize recognise
    distinct different
    identical alike
    side edge
    vertex vertices corner
    die dice
    intersect meet
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
    # The sets of numbers of which a name is a member, see `sets`.
    "setr": "real",
    "setz": "integer",
    "setq": "rational",
    "setc": "complex",
    "setn": "integer positive",
    "setrp": "real positive",
    "setzp": "integer positive",
    "setqp": "rational positive",
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
    triangle quadrilateral pentagon hexagon heptagon octagon nonagon decagon dodecagon
    triangular pentagonal hexagonal heptagonal octagonal
    square rectangle rhombus kite
    square cube
    cube sphere cylinder cone pyramid prism tetrahedron octahedron
    parabola ellipse hyperbola
    dot cross
    less atmost
    more atleast
    atmost atleast
"""
DECISIVE = """
    not least odd even positive negative nonnegative nonzero distinguishable distinct
"""
# A question for one of these is another question if the item has no such word.
MEASURES = """
    ratio mean percentage median product quotient probability fraction
"""
# A question that lost one of these and has new words is another question.
SIZES = """
    area perimeter volume circumference hypotenuse radius diameter
"""
