r"""Generate a corpus of realistic shape and any size, which depends only on the seed.

`write_corpus` writes FOLDER/numinamath_cot/*.parquet and FOLDER/openmathinstruct2/*.parquet, shards
in these data sets' columns; FOLDER/benchmark.jsonl, some of whose items are planted in the corpus;
and FOLDER/manifest.json with rows, problems, planted copies, and the sha256 of every file.

16.5% of the rows are in NuminaMath-CoT's columns, with one solution per problem. The others are in
OpenMathInstruct-2's, with 23 solutions for a third of the problems and one for the rest. A row is
about 1.2 kB; 5.2 million rows hold 1.4 million problems. Planted among the problems are near copies
(2%), copies with another number (1%) and copies of benchmark items (about 300). Words follow Zipf's
law. Every text depends only on the seed and its own number, not on other rows, shards or threads.
"""

import json
import math
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json, write_text
from mathledger.core.hashing import content_id, sha256

SHARD_ROWS = 100_000
POOL_SIZE = 50_000  # Fragments for one place of a text; two problems rarely share one.
NUM_ITEMS = 2_500  # About as many as MATH-500, GSM8K, AIME and AMC have together.
NUM_LEAKS = 300
SOLUTIONS = 23  # Per problem: OpenMathInstruct-2 has 14 million rows for 600 thousand problems.
NUM_STEPS = 14
MIN_ROWS = 10_000
VOCABULARY = Path(__file__).with_name("words.yaml")
WORDS, RULES = (yaml.safe_load(VOCABULARY.read_text())[key] for key in ("words", "rules"))
PARTS = ("opening", "continuation", "middle", "condition", "question")
STORY, FORMAL = ([f"{style}_{part}" for part in PARTS] for style in ("story", "formal"))
NUM_PEOPLE = 3_000  # Names made of syllables, the long tail of the vocabulary.
SLOT = re.compile(r"<(\w+)>")
# The kinds of problems.
KINDS = ("genuine", "reformatted", "edited", "other_number", "benchmark_item")
GENUINE, REFORMATTED, EDITED, OTHER_NUMBER, BENCHMARK_ITEM = range(5)

# Pairs of a pattern (RE2) and its replacement, applied in turn.
REFORMATS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),  # An exact copy.
    ((r"\\frac", r"\\dfrac"), (r"\\left|\\right", "")),
    ((r"\$([^$]*)\$", r"\\(\1\\)"),),
    ((r"\. ", ".\n"), (r" ([+=-]) ", r"\1")),
)
EDITS: tuple[tuple[tuple[str, str], ...], ...] = (
    ((r"\A", "Solve this problem. "),),
    ((r"\A", "Q: "), (r"\z", " Justify your answer.")),
    ((r"how many", "what number of"), (r"\b(find|compute|determine)\b", "calculate")),
)

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


def draw(seed: int, stream: int, keys: Keys) -> Keys:
    """Return a random 64-bit number for each key, by SplitMix64 (Steele et al. 2014)."""
    x = (keys + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x ^= np.uint64((seed * 1_000_003 + stream) * 0xD1342543DE82EF95 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def below(limit: int, seed: int, stream: int, keys: Keys) -> Numbers:
    """Return a random number in [0, limit) for each key."""
    return (draw(seed, stream, keys) % np.uint64(limit)).astype(np.int64)


@dataclass(frozen=True)
class Shape:
    """The division of rows; `many` problems have SOLUTIONS solutions each, the others have one."""

    num_rows: int

    @property
    def numina_rows(self) -> int:
        return round(self.num_rows * 0.165)

    @property
    def many(self) -> int:
        return round((self.num_rows - self.numina_rows) * 0.915) // SOLUTIONS

    @property
    def num_problems(self) -> int:
        return self.num_rows - self.many * (SOLUTIONS - 1)

    def openmath(self, rows: Numbers, seed: int) -> tuple[Keys, Keys]:
        """Return the problem and solution numbers of the OpenMathInstruct-2 rows.

        Solutions of one problem are apart; one in two hundred of them is an exact duplicate.
        """
        total = self.num_rows - self.numina_rows
        stride = int(total * 0.618) | 1
        while math.gcd(stride, total) > 1:
            stride += 2
        place = rows * stride % total
        many = place < self.many * SOLUTIONS
        problem = np.where(many, place // SOLUTIONS, place - self.many * (SOLUTIONS - 1))
        solution = np.where(many, place % SOLUTIONS, 0)
        again = below(200, seed, 90, place.astype(np.uint64)) == 0
        solution = np.where(many & again, (solution + 1) % SOLUTIONS, solution)
        return (problem + self.numina_rows).astype(np.uint64), solution.astype(np.uint64)


class Generator:
    """Generates problems 0 to num_problems - 1 and, beyond these, the benchmark's items."""

    def __init__(self, num_problems: int, seed: int) -> None:
        self.num_problems, self.seed = num_problems, seed
        self.pools = [[self._pool(name) for name in names] for names in (STORY, FORMAL)]
        self.steps = self._pool("step")

    def _pool(self, name: str) -> pa.StringArray:
        # The last fragment is empty, for a place that a text omits.
        random = np.random.default_rng([self.seed, *name.encode()])
        return pa.concat_arrays([expand(name, POOL_SIZE, random), pa.array([""])])

    def kinds(self, keys: Keys) -> tuple[Numbers, Keys]:
        """Return each problem's kind (an index of KINDS) and the problem it was made from.

        Near copies are made of even problems, copies with another number of odd ones, so that no
        problem has both. Only genuine problems are copied.
        """
        drawn = self._drawn_kinds(keys)
        base = draw(self.seed, 2, keys) % np.uint64(self.num_problems)
        base = np.where(drawn == OTHER_NUMBER, base | np.uint64(1), base & ~np.uint64(1))
        usable = (
            (self._drawn_kinds(base) == GENUINE)
            & (base != keys)
            & (base < np.uint64(self.num_problems))
        )
        item = np.uint64(self.num_problems) + draw(self.seed, 3, keys) % np.uint64(NUM_ITEMS)
        leaks = drawn == BENCHMARK_ITEM
        kind = np.where(leaks | usable, drawn, GENUINE)
        return kind, np.where(leaks, item, np.where(kind == GENUINE, keys, base))

    def _drawn_kinds(self, keys: Keys) -> Numbers:
        coin = draw(self.seed, 1, keys).astype(np.float64) / 2**64
        edges = np.cumsum([0.01, 0.01, 0.01, NUM_LEAKS / self.num_problems])
        kind = (np.searchsorted(edges, coin, side="right") + 1) % len(KINDS)
        return np.where(keys < np.uint64(self.num_problems), kind, GENUINE)

    def problems(self, keys: Keys) -> pa.StringArray:
        """Return the problems' texts."""
        kind, base = self.kinds(keys)
        number = 2 + below(400, self.seed, 10, base)
        change = 1 + below(1000, self.seed, 11, keys)
        text = self._genuine(base, np.where(kind == OTHER_NUMBER, number + change, number))
        for forms, kinds in ((REFORMATS, (REFORMATTED, BENCHMARK_ITEM)), (EDITS, (EDITED,))):
            form = np.where(np.isin(kind, kinds), below(len(forms), self.seed, 12, keys), -1)
            for number_of_form, rewrites in enumerate(forms):
                mask = pa.array(form == number_of_form)
                part = text.filter(mask)
                for pattern, replacement in rewrites:
                    part = pc.replace_substring_regex(part, pattern, replacement)
                text = pc.replace_with_mask(text, mask, part)
        return text

    def _genuine(self, keys: Keys, number: Numbers) -> pa.StringArray:
        """Return problems made of fragments; `number` is the first of the two numbers in them."""
        story = below(10, self.seed, 20, keys) < 4
        parts = []
        for style, chosen in enumerate((story, ~story)):
            own = keys[chosen]
            opening, continuation, middle, condition, question = self.pools[style]
            parts.append(
                join(
                    self._take(opening, 21, own),
                    pa.array(number[chosen]).cast(pa.string()),
                    self._take(continuation, 22, own),
                    *(self._take(middle, 23 + i, own, 0.75) for i in range(3)),
                    self._take(condition, 26, own),
                    pa.array(2 + below(90, self.seed, 27, own)).cast(pa.string()),
                    self._take(question, 28, own),
                )
            )
        order = np.argsort(np.concatenate([np.flatnonzero(story), np.flatnonzero(~story)]))
        return pa.concat_arrays(parts).take(pa.array(order))

    def answers(self, keys: Keys) -> pa.StringArray:
        """Return the final answers; a copy has its original's unless its number was changed."""
        kind, base = self.kinds(keys)
        own = np.where(kind == OTHER_NUMBER, keys, base)
        return pa.array(below(2000, self.seed, 30, own)).cast(pa.string())

    def solutions(self, keys: Keys, numbers: Keys) -> pa.StringArray:
        r"""Return solution `number` of each problem: up to NUM_STEPS steps, then \boxed{answer}."""
        own = keys * np.uint64(SOLUTIONS) + numbers
        steps = [self._take(self.steps, 40 + place, own, 0.35) for place in range(NUM_STEPS)]
        closing = pa.scalar("Therefore, the final answer is $\\boxed{")
        return join(*steps, closing, self.answers(keys), pa.scalar("}$."))

    def _take(
        self, pool: pa.StringArray, stream: int, keys: Keys, left_out: float = 0.0
    ) -> pa.StringArray:
        """Return a pool fragment for each key, or with probability `left_out` the empty one."""
        drawn = draw(self.seed, stream, keys)
        index = (drawn >> np.uint64(24)) % np.uint64(len(pool) - 1)
        empty = (drawn & np.uint64(0xFFFF)) < np.uint64(int(left_out * 2**16))
        return pool.take(pa.array(np.where(empty, len(pool) - 1, index)))


def join(*parts: pa.StringArray | pa.StringScalar) -> pa.StringArray:
    """Join the parts of each row."""
    return pc.binary_join_element_wise(*parts, "")


def numina_table(generator: Generator, rows: Numbers) -> pa.Table:
    """Return rows in NuminaMath-CoT's columns; `messages` repeats problem and solution."""
    keys = rows.astype(np.uint64)
    problem = generator.problems(keys)
    solution = generator.solutions(keys, np.zeros_like(keys))
    texts = pa.concat_arrays([problem, solution])
    turns = np.arange(2 * len(rows)).reshape(2, -1).T.ravel()  # Problem, solution, problem, ...
    roles = pa.array(["user", "assistant"]).take(pa.array(np.arange(2 * len(rows)) % 2))
    chat = pa.StructArray.from_arrays([texts.take(pa.array(turns)), roles], ["content", "role"])
    offsets = pa.array(np.arange(0, 2 * len(rows) + 1, 2), pa.int32())
    return pa.table(
        {
            "source": names(("cn_k12", "orca_math", "synthetic_math", "olympiads"), rows),
            "problem": problem,
            "solution": solution,
            "messages": pa.ListArray.from_arrays(offsets, chat),
        }
    )


def openmath_table(generator: Generator, shape: Shape, rows: Numbers) -> pa.Table:
    """Return rows in OpenMathInstruct-2's columns."""
    keys, numbers = shape.openmath(rows, generator.seed)
    return pa.table(
        {
            "problem": generator.problems(keys),
            "generated_solution": generator.solutions(keys, numbers),
            "expected_answer": generator.answers(keys),
            "problem_source": names(("augmented_math", "augmented_gsm8k"), keys.astype(np.int64)),
        }
    )


def names(values: tuple[str, ...], numbers: Numbers) -> pa.StringArray:
    """Return one of the values for each number, in turn."""
    return pa.array(values).take(pa.array(numbers % len(values)))


def write_corpus(folder: Path, num_rows: int, seed: int) -> dict[str, Any]:
    """Write all files of the corpus, unless this code has written them; return the manifest.

    Raises:
        InputError: There are too few rows.
    """
    if num_rows < MIN_ROWS:
        raise InputError(
            f"--rows {num_rows}: use {MIN_ROWS} or more, so that few of them are planted"
        )
    code = content_id(Path(__file__).read_text(), VOCABULARY.read_text())
    wanted = {"num_rows": num_rows, "seed": seed, "code": code}
    done = folder / "manifest.json"
    if done.exists():
        manifest: dict[str, Any] = read_json(done)
        if wanted.items() <= manifest.items():
            return manifest
        shutil.rmtree(folder)
    shape = Shape(num_rows)
    generator = Generator(shape.num_problems, seed)
    corpora: tuple[tuple[str, int, Callable[[Numbers], pa.Table]], ...] = (
        ("numinamath_cot", shape.numina_rows, partial(numina_table, generator)),
        (
            "openmathinstruct2",
            num_rows - shape.numina_rows,
            partial(openmath_table, generator, shape),
        ),
    )
    tasks = []
    for corpus, rows, table in corpora:
        (folder / corpus).mkdir(parents=True, exist_ok=True)
        starts = range(0, rows, SHARD_ROWS)
        for number, start in enumerate(starts):
            name = f"{corpus}/train-{number:05d}-of-{len(starts):05d}.parquet"
            tasks.append((folder / name, table, np.arange(start, min(start + SHARD_ROWS, rows))))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(write_shard, *zip(*tasks, strict=True)))

    items = np.arange(NUM_ITEMS, dtype=np.uint64) + np.uint64(shape.num_problems)
    lines = [
        json.dumps({"problem": problem, "answer": answer}) + "\n"
        for problem, answer in zip(
            generator.problems(items).to_pylist(), generator.answers(items).to_pylist(), strict=True
        )
    ]
    write_text(folder / "benchmark.jsonl", "".join(lines))
    kinds, _ = generator.kinds(np.arange(shape.num_problems, dtype=np.uint64))
    files = [*(path for path, _, _ in tasks), folder / "benchmark.jsonl"]
    manifest = {
        **wanted,
        "num_problems": shape.num_problems,
        "problems_by_kind": dict(
            zip(KINDS, np.bincount(kinds, minlength=len(KINDS)).tolist(), strict=True)
        ),
        "files": {str(path.relative_to(folder)): sha256(path) for path in files},
    }
    write_json(done, manifest)
    return manifest


def write_shard(path: Path, table: Callable[[Numbers], pa.Table], rows: Numbers) -> None:
    """Write a shard as parquet, completely or not at all."""
    aside = path.with_name(path.name + ".partial")
    pq.write_table(table(rows), aside, compression="zstd")
    aside.rename(path)


def expand(name: str, count: int, random: np.random.Generator) -> pa.StringArray:
    """Return `count` expansions of a word list or rule, which depend only on the random state."""
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
        # split() returns text at even and slot names at odd positions.
        pieces = SLOT.split(template)
        own = int((chosen == number).sum())
        texts = [
            expand(piece, own, random) if place % 2 else pa.repeat(piece, own)
            for place, piece in enumerate(pieces)
        ]
        parts.append(pc.binary_join_element_wise(*texts, ""))
    back = np.argsort(np.argsort(chosen, kind="stable"), kind="stable")
    return pa.concat_arrays(parts).take(pa.array(back))


def _zipf(size: int, count: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw ranks in [0, size) in proportion to 1 / (rank + 2), so that few words are common."""
    weights = 1 / np.arange(2, size + 2)
    return np.searchsorted(np.cumsum(weights) / weights.sum(), random.random(count), side="right")


def _people() -> list[str]:
    random = np.random.default_rng(0)  # The people are the same in every corpus.
    syllables = WORDS["syllable"].split()
    people: dict[str, None] = {}  # Unlike a set, it keeps the order.
    while len(people) < NUM_PEOPLE:
        name = "".join(random.choice(syllables, size=random.integers(2, 4)))
        people[name.capitalize()] = None
    return list(people)


def _numbers(count: int, random: np.random.Generator) -> pa.StringArray:
    """Return numbers that are mostly small, some large and some decimal."""
    kind = random.random(count)
    whole = np.where(kind < 0.8, random.integers(2, 100, count), random.integers(100, 10000, count))
    text = pa.array(whole).cast(pa.string())
    decimals = pa.array(random.integers(1, 10, count)).cast(pa.string())
    return pc.if_else(pa.array(kind < 0.9), text, pc.binary_join_element_wise(text, decimals, "."))
