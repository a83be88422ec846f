"""Write short word problems with worked steps from our own templates.

They are easy enough for a small model to learn in minutes: one, two or three steps with whole
numbers. The kinds take turns, so that each has as many problems. The wording depends on seed and
number alone, names and numbers also on the draw, so another draw is a twin.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

NAMES = (
    *("Ada", "Ben", "Carla", "Dan", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas"),
    *("Kira", "Leo", "Mina", "Noor", "Oscar", "Priya", "Quentin", "Rosa", "Sven", "Tara"),
)
THINGS = (
    *("apples", "beads", "books", "cards", "coins", "cups", "flowers", "keys", "lamps", "marbles"),
    *("nuts", "pens", "plates", "shells", "spoons", "stamps", "stickers", "stones", "toys"),
)


@dataclass(frozen=True)
class WordProblem:
    kind: str
    problem: str
    solution: str  # one line for each step; the last line ends in \boxed{answer}
    answer: str


@dataclass(frozen=True)
class Story:
    """What a template fills in besides numbers."""

    name: str
    friend: str
    things: str


# A kind returns the problem and its steps; the last step ends in the answer.
Kind = Callable[[Random, Story, int], tuple[str, list[str]]]


def _gain(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    a, b = rng.randint(11, 89), rng.randint(6, 60)
    problem = (
        f"{story.name} has {a} {story.things} and gets {b} more. How many {story.things} does "
        f"{story.name} have now?",
        f"There are {a} {story.things} in a box. {story.name} puts {b} more into it. How many "
        f"{story.things} are in the box now?",
    )[form]
    return problem, [f"{a} + {b} = {a + b}"]


def _loss(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    a = rng.randint(25, 99)
    b = rng.randint(6, a - 8)
    problem = (
        f"{story.name} has {a} {story.things} and gives {b} of them to {story.friend}. How many "
        f"{story.things} does {story.name} have left?",
        f"A shop has {a} {story.things} and sells {b} of them. How many {story.things} are left?",
    )[form]
    return problem, [f"{a} - {b} = {a - b}"]


def _price(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    number, price = rng.randint(3, 12), rng.randint(3, 15)
    problem = (
        f"{story.name} buys {number} {story.things} for {price} dollars each. How many dollars "
        f"does {story.name} pay?",
        f"There are {number} bags with {price} {story.things} in each. How many {story.things} "
        "are there in all?",
    )[form]
    return problem, [f"{number} * {price} = {number * price}"]


def _share(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    number, each = rng.randint(3, 10), rng.randint(3, 15)
    problem = (
        f"{number} children share {number * each} {story.things} equally. How many "
        f"{story.things} does each child get?",
        f"{story.name} puts {number * each} {story.things} into {number} equal piles. How many "
        f"{story.things} are in each pile?",
    )[form]
    return problem, [f"{number * each} / {number} = {each}"]


def _change(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    number, price = rng.randint(2, 9), rng.randint(3, 9)
    paid = number * price + rng.randint(2, 20)
    problem = (
        f"{story.name} has {paid} dollars and buys {number} {story.things} for {price} dollars "
        f"each. How many dollars does {story.name} have left?",
        f"{story.name} has {paid} {story.things} and gives {price} of them to each of {number} "
        f"friends. How many {story.things} does {story.name} have left?",
    )[form]
    steps = [f"{number} * {price} = {number * price}"]
    return problem, [*steps, f"{paid} - {number * price} = {paid - number * price}"]


def _packs(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    number, size, more = rng.randint(2, 9), rng.randint(3, 9), rng.randint(3, 30)
    problem = (
        f"{story.name} has {more} {story.things} and buys {number} packs of {size} {story.things} "
        f"each. How many {story.things} does {story.name} have now?",
        f"{story.name} earns {size} dollars a day for {number} days and already has {more} "
        f"dollars. How many dollars does {story.name} have then?",
    )[form]
    steps = [f"{number} * {size} = {number * size}"]
    return problem, [*steps, f"{more} + {number * size} = {more + number * size}"]


def _equation(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    factor, x, term = rng.randint(2, 9), rng.randint(2, 12), rng.randint(2, 30)
    total = factor * x + term
    problem = (
        f"Solve the equation {factor}x + {term} = {total} for x.",
        f"{story.name} thinks of a number, multiplies it by {factor} and adds {term}. The result "
        f"is {total}. What is the number?",
    )[form]
    return problem, [f"{total} - {term} = {factor * x}", f"{factor * x} / {factor} = {x}"]


def _legs(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    four, two = rng.randint(2, 15), rng.randint(2, 15)
    animals = rng.choice(("cows", "sheep", "goats", "horses"))
    birds = rng.choice(("hens", "ducks", "geese", "turkeys"))
    problem = (
        f"A farm has {four} {animals} and {two} {birds}. How many legs do the animals have in all?",
        f"{story.name} sees {four} {animals} and {two} {birds} in a field. How many legs do they "
        "have in all?",
    )[form]
    steps = [f"{four} * 4 = {four * 4}", f"{two} * 2 = {two * 2}"]
    return problem, [*steps, f"{four * 4} + {two * 2} = {four * 4 + two * 2}"]


def _coins(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    dimes, nickels = rng.randint(2, 12), rng.randint(2, 12)
    problem = (
        f"{story.name} has {dimes} dimes and {nickels} nickels. How many cents is that?",
        f"{story.name} finds {dimes} dimes and {nickels} nickels in a jar. How many cents are they "
        "worth?",
    )[form]
    steps = [f"{dimes} * 10 = {dimes * 10}", f"{nickels} * 5 = {nickels * 5}"]
    return problem, [*steps, f"{dimes * 10} + {nickels * 5} = {dimes * 10 + nickels * 5}"]


def _clock(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    hours, start, length = rng.randint(1, 11), rng.randint(0, 5) * 5, rng.randint(2, 6) * 5
    extra = rng.randint(1, 3)
    begin, end = f"{hours}:{start:02}", f"{hours + extra}:{start + length:02}"
    problem = (
        f"A film starts at {begin} and ends at {end}. How many minutes does it take?",
        f"{story.name} works from {begin} to {end}. How many minutes is that?",
    )[form]
    steps = [f"{extra} * 60 = {extra * 60}", f"{start + length} - {start} = {length}"]
    return problem, [*steps, f"{extra * 60} + {length} = {extra * 60 + length}"]


def _fraction(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    below = rng.randint(3, 9)
    above, unit = rng.randint(2, below - 1), rng.randint(2, 12)
    problem = (
        f"{story.name} has {below * unit} {story.things}, and {above}/{below} of them are red. How "
        f"many {story.things} are red?",
        f"{story.name}'s class has {below * unit} pupils, and {above}/{below} of them walk to "
        "school. How many pupils walk to school?",
    )[form]
    return problem, [f"{below * unit} / {below} = {unit}", f"{unit} * {above} = {unit * above}"]


def _more_than(rng: Random, story: Story, form: int) -> tuple[str, list[str]]:
    a, b = rng.randint(6, 49), rng.randint(3, 40)
    problem = (
        f"{story.name} has {a} {story.things}, and {story.friend} has {b} more than "
        f"{story.name}. How many {story.things} do they have together?",
        f"{story.name} read {a} pages on Monday and {b} more pages than that on Tuesday. How many "
        f"pages did {story.name} read on both days?",
    )[form]
    return problem, [f"{a} + {b} = {a + b}", f"{a} + {a + b} = {a + a + b}"]


KINDS: dict[str, Kind] = {
    "gain": _gain,
    "loss": _loss,
    "price": _price,
    "share": _share,
    "change": _change,
    "packs": _packs,
    "equation": _equation,
    "legs": _legs,
    "coins": _coins,
    "clock": _clock,
    "fraction": _fraction,
    "more than": _more_than,
}
NUM_FORMS = 2  # wordings of each kind


def word_problem(seed: int, number: int, draw: int = 0) -> WordProblem:
    """Return problem `number` of a seed; another draw has the same wording with other numbers."""
    kind = list(KINDS)[number % len(KINDS)]
    form = Random(f"form {seed + number}").randrange(NUM_FORMS)
    rng = Random(f"numbers {seed + number} {draw}")
    name, friend = rng.sample(NAMES, 2)
    problem, steps = KINDS[kind](rng, Story(name, friend, rng.choice(THINGS)), form)
    answer = steps[-1].rpartition(" = ")[2]
    solution = "\n".join([*steps, f"The answer is \\boxed{{{answer}}}."])
    return WordProblem(kind, problem, solution, answer)
