"""Duplicates are removed and name the kept row; problems with different numbers are kept."""

import itertools
import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id
from mathledger.core.tables import EXAMPLE, Row, read_rows, write_rows
from mathledger.filters import deduplicate, minhash
from mathledger.filters.near_copies import NearCopies
from mathledger.text import canonical, groups
from tests.conftest import Workspace
from tests.filters.copies import SETTINGS, content, near

pytestmark = pytest.mark.kernels

FIRST, SECOND = "tiny_numinamath_cot", "tiny_openmathinstruct2"
STORY = (
    "A farmer has 12 cows and 7 goats, sells 3 cows at the market and buys 5 goats from his old "
    "neighbour. How many animals does the farmer have in the end?"
)
REFORMATTED = STORY.replace("3 cows", "$3$  cows")
REWORDED = STORY.replace("in the end", "at the end")
OTHER_NUMBER = STORY.replace("12", "13")
DRILL = [f"What is {number} + 7 apples?" for number in range(20, 30)]


def ngrams(problem: str) -> set[tuple[int, ...]]:
    tokens = content(problem)
    size = min(SETTINGS.ngram_size, len(tokens))
    return {tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)}


def jaccard(one: str, other: str) -> float:
    """Return the Jaccard similarity as defined on sets."""
    return len(ngrams(one) & ngrams(other)) / len(ngrams(one) | ngrams(other))


@pytest.mark.parametrize(
    "copy",
    [
        STORY.replace("and buys", "and then also buys"),
        STORY.replace("cows at", "cow at"),
        f"Q: {STORY} Justify your answer.",
        REWORDED,
        STORY.replace("A farmer", "One farmer"),
        STORY.replace("neighbour", "neighbor"),
        STORY.replace("many animals", "many of the animals").replace("How", "So how"),
    ],
)
def test_a_reworded_copy_is_found(copy: str) -> None:
    assert near(STORY, copy) == {1: (0, jaccard(STORY, copy))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STORY, OTHER_NUMBER),
        (STORY, STORY.replace("12 cows and 7", "7 cows and 12")),
        (STORY, STORY.replace("12", "-12")),
        (STORY, STORY.replace("12", "1.2")),
        (STORY, STORY.replace("old neighbour", "old aunt")),
        (STORY, STORY.replace("the market", "the big market")),
        (STORY, STORY.replace("at the market", "at the market with two of his friends")),
        (STORY, STORY.replace("12 cows and 7 goats", "12 goats and 7 cows")),
        (STORY + " He is glad if it rains.", STORY + " If he is glad, it rains."),
        (STORY + " Its price falls to 20.", STORY + " Its price falls by 20."),
        (STORY + " Add $(3 + x)y$.", STORY + " Add $3 + (xy)$."),
        (STORY + " How many goats?", STORY + " How many cows?"),
        (STORY, STORY.replace("the end", "the very end").replace("old", "young")),
        (STORY, STORY.replace("farmer have", "farmer not have")),
        ("Arrange the letters of the word TOOT in all ways.", "Arrange the letters of MADAM."),
        (STORY, "A train leaves at 12 and arrives 7 hours later; 3 trains and 5 buses follow."),
        (STORY + " With $x > 9$ it costs $2x + 3y$.", STORY + " With $x > 9$ it costs $2y + 3x$."),
        (STORY + " The profit is $-f(x)$.", STORY + " The profit is $f(-x)$."),
        (
            STORY + " [asy] draw((0,0)--(1,1)); [/asy] Explain.",
            STORY + " [asy] draw((0,0)--(2,1)); [/asy] Explain it.",
        ),
    ],
)
def test_another_problem_is_kept(one: str, other: str) -> None:
    assert near(one, other) == {}


@pytest.mark.parametrize("has_drawing", [(0, 1), (1, 0), (0, 0), (1, 1)])
def test_of_two_copies_the_one_with_its_drawing_stays(has_drawing: tuple[int, int]) -> None:
    drawing = " [asy] draw((0,0)--(1,1)); [/asy]"
    texts = [text + drawing * has for text, has in zip((STORY, REWORDED), has_drawing, strict=True)]
    gone = 0 if has_drawing == (0, 1) else 1
    assert near(*texts) == {gone: (1 - gone, jaccard(STORY, REWORDED))}


def test_removal_needs_a_direct_likeness_to_a_kept_problem() -> None:
    """Each text in a chain has one more typo, and its two ends share too little to be copies."""
    words = ["neighbour", "animals", "farmer", "market"]
    chain = [STORY]
    for word in words:
        chain.append(chain[-1].replace(word, word[:2] + word[3:]))
    copies = near(*chain)
    assert copies and jaccard(chain[0], chain[-1]) < SETTINGS.jaccard
    for copy, (kept, likeness) in copies.items():
        assert kept not in copies
        assert likeness == jaccard(chain[copy], chain[kept]) >= SETTINGS.jaccard


@pytest.mark.slow
def test_minhash_misses_next_to_nothing_that_comparison_of_all_pairs_finds() -> None:
    """The oracle compares every pair; the copies lack a letter in up to two words of a text."""
    chance = random.Random(3)
    vocabulary = [a + b + "rtuv" + c for a in "bdfg" for b in "aeiou" for c in "klmn"]
    originals = [chance.sample(vocabulary, 40) for _ in range(80)]
    problems = [" ".join(original) for original in originals]
    for original in originals:
        copy = list(original)
        for place in chance.sample(range(len(copy)), 1 + chance.randrange(2)):
            copy[place] = copy[place][:2] + copy[place][3:]
        problems.append(" ".join(copy))
    alike = {
        j
        for i, j in itertools.combinations(range(len(problems)), 2)
        if jaccard(problems[i], problems[j]) >= SETTINGS.jaccard
    }
    found = near(*problems).keys()
    assert found <= alike
    assert len(found) >= 0.98 * len(alike) > 30


def test_a_full_bucket_costs_linear_time_and_is_counted() -> None:
    """All problems share every bucket, so each is compared only with the first few."""
    size, bands = 100, SETTINGS.bands()
    sketched = np.zeros(size, bands.dtype())
    pairs, num_capped = minhash.propose(sketched)
    assert len(pairs) <= size * minhash.MAX_FIRST
    left_out = size * (size - 1) // 2 - len(pairs)
    assert num_capped == left_out * bands.num_bands


def decide(
    solutions: list[tuple[str, str]],
    cap: int | None,
    seed: int = 42,
    action: str = "remove",
    keys: deduplicate.U64 | None = None,
) -> deduplicate.Decisions:
    """Decide about rows given as (problem, solution), without near copies."""
    if keys is None:
        columns = [pa.array(column) for column in zip(*solutions, strict=True)]
        keys = np.hstack([canonical.keys(column) for column in columns])
    first = groups.first_of(keys[:, :2])
    num_unique = len(np.unique(first))
    none = np.full(num_unique, -1), np.zeros(num_unique), np.zeros((num_unique, 2), np.uint64), 0
    settings = {**vars(SETTINGS), "max_solutions_per_problem": cap, "seed": seed}
    settings["action"] = action
    return deduplicate.decide(keys, first, NearCopies(*none), deduplicate.Params(**settings))


def test_several_solutions_of_one_problem_are_not_duplicates() -> None:
    decisions = decide([("p", "one way"), ("p", "another way"), ("p", "one  way")], cap=None)
    assert decisions.state.tolist() == [deduplicate.KEPT, deduplicate.KEPT, deduplicate.EXACT]
    assert decisions.kept_row.tolist() == [0, 1, 0]


@pytest.mark.parametrize("cap", [None, 1])
def test_the_only_solution_of_a_problem_need_not_be_read(tmp_path: Path, cap: int | None) -> None:
    """A quarter of the rows are alone; the decisions are those of complete keys."""
    path = tmp_path / "kept.parquet"
    texts = [(f"p{n % 10 if n < 30 else n}" + " " * (n % 2), f"way {n % 5}") for n in range(40)]
    columns = [pa.array(column) for column in zip(*texts, strict=True)]
    table = pa.table(columns, ["problem", "solution"])
    pq.write_table(table, path, row_group_size=7)
    keys, first = deduplicate.row_keys([path])
    alone = np.bincount(first, minlength=len(first))[first] == 1
    assert alone.any() and np.array_equal(keys[:, 2:].any(axis=1), ~alone)
    ours, complete = decide(texts, cap, keys=keys), decide(texts, cap)
    for one, other in zip(vars(ours).values(), vars(complete).values(), strict=True):
        assert np.array_equal(one, other)


def test_a_cap_keeps_that_many_distinct_solutions_of_each_problem() -> None:
    rows = [(f"p{n % 3}", f"way {n % 12}") for n in range(40)]
    decisions = decide(rows, cap=2)
    kept = [rows[row] for row in np.flatnonzero(decisions.state == deduplicate.KEPT)]
    assert Counter(problem for problem, _ in kept) == {"p0": 2, "p1": 2, "p2": 2}
    assert len(set(kept)) == 6
    assert (decisions.state[decisions.kept_row] == deduplicate.KEPT).all()
    assert all(
        rows[other][0] == row[0] for row, other in zip(rows, decisions.kept_row, strict=True)
    )


def test_one_more_solution_never_reshuffles_those_chosen() -> None:
    rows = [("p", f"way {n}") for n in range(30)]

    def chosen(rows: list[tuple[str, str]]) -> set[tuple[str, str]]:
        state = decide(rows, cap=10).state
        return {rows[row] for row in np.flatnonzero(state == deduplicate.KEPT)}

    assert len(chosen(rows[::-1]) - chosen(rows[5:])) <= 5
    assert chosen(rows) == chosen(rows[::-1])


def test_the_seed_chooses_among_solutions() -> None:
    rows = [("p", f"way {n}") for n in range(30)]
    assert decide(rows, 10, seed=1).state.tolist() != decide(rows, 10, seed=2).state.tolist()


def test_where_copies_are_kept_the_cap_alone_removes() -> None:
    rows = [("p", "one way"), ("p", "one  way"), ("q", "one way"), ("q", "another way")]
    assert set(decide(rows, cap=None, action="keep").state) == {deduplicate.KEPT}
    state = decide(rows, cap=1, action="keep").state
    assert Counter(state.tolist()) == {deduplicate.KEPT: 2, deduplicate.CAP: 2}


def examples(corpus: str, pairs: list[tuple[str, str]]) -> list[Row]:
    rows = [
        {
            "id": content_id(corpus, problem, solution),
            "corpus": corpus,
            "source": f"{corpus}_source",
            "problem": problem,
            "solution": solution,
            "answer": None,
            "origin_file": "f",
            "origin_row": number,
        }
        for number, (problem, solution) in enumerate(pairs)
    ]
    return sorted(rows, key=lambda row: str(row["id"]))


def plant(workspace: Workspace) -> None:
    """Write outputs of prepare in which each row of the first corpus has a purpose."""
    names = ["Ann", "Bob", "Cy", "Di", "Eve"]
    first = [
        (STORY, "There are 21."),
        (STORY, "It is $12+7-3+5$, so 21."),
        (REFORMATTED, "There are 21."),  # an exact copy
        *((problem, "Add.") for problem in DRILL),
        *((f"{name} laughs. Why?", "A joke.") for name in names),
    ]
    second = [
        (STORY, "There are 21."),  # an exact copy
        (REFORMATTED, "There are  21"),  # another
        (STORY, "Count them."),
        (REWORDED, "Count."),  # a near copy with two solutions
        (REWORDED, "Count again."),
        (OTHER_NUMBER, "There are 22."),
        *((f"{name} sings. Why?", "For joy.") for name in names),
    ]
    for corpus, pairs in ((FIRST, first), (SECOND, second)):
        write_rows(
            workspace.path / f"data/prepare/{corpus}/kept.parquet", examples(corpus, pairs), EXAMPLE
        )


@pytest.fixture(scope="module")
def done(start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the stage on planted corpora."""
    workspace = start.copy(tmp_path_factory.mktemp("planted") / "project")
    plant(workspace)
    workspace.python("-m", "stages.deduplicate")
    return workspace.path


def kept_and_removed(done: Path) -> tuple[list[Row], list[Row]]:
    folder = done / "data/deduplicate"
    return read_rows(folder / "kept.parquet"), read_rows(folder / "removed.parquet")


def test_every_row_is_kept_or_removed_in_the_order_of_ids(done: Path) -> None:
    kept, removed = kept_and_removed(done)
    prepared = [
        row
        for corpus in (FIRST, SECOND)
        for row in read_rows(done / f"data/prepare/{corpus}/kept.parquet")
    ]
    ids = [[row["id"] for row in part] for part in (kept, removed)]
    assert sorted(ids[0] + ids[1]) == sorted(row["id"] for row in prepared)
    assert all(part == sorted(part) for part in ids)
    assert {row["id"]: row for row in kept}.items() <= {row["id"]: row for row in prepared}.items()


def test_exact_copies_go_and_the_corpus_named_first_is_preferred(done: Path) -> None:
    _, removed = kept_and_removed(done)
    exact = [row for row in removed if row["reason"] == "exact_duplicate"]
    assert Counter(row["corpus"] for row in exact) == {FIRST: 1, SECOND: 2}
    for row in exact:
        assert row["evidence"]["kept_corpus"] == FIRST
        assert row["evidence"]["kept_source"] == f"{FIRST}_source"


def test_a_near_copy_goes_with_all_its_solutions(done: Path) -> None:
    kept, removed = kept_and_removed(done)
    near_copies = [row for row in removed if row["reason"] == "near_duplicate"]
    assert sorted(row["solution"] for row in near_copies) == ["Count again.", "Count."]
    ids = {row["id"]: row for row in kept}
    for row in near_copies:
        evidence = row["evidence"]
        assert evidence["kept_problem"] == ids[evidence["kept_id"]]["problem"]
        assert evidence["jaccard"] == jaccard(row["problem"], evidence["kept_problem"])


def test_evidence_shows_the_kept_text_only_where_it_differs(done: Path) -> None:
    kept, removed = kept_and_removed(done)
    ids = {row["id"]: row for row in kept}
    shown = [row["evidence"]["kept_problem"] for row in removed]
    assert None in shown and len(set(shown)) > 1
    for row in removed:
        other = ids[row["evidence"]["kept_id"]]["problem"]
        assert row["evidence"]["kept_problem"] == (None if other == row["problem"] else other)


def test_problems_that_differ_in_numbers_alone_are_kept_as_a_family(done: Path) -> None:
    kept, _ = kept_and_removed(done)
    families = read_rows(done / "data/deduplicate/families.parquet")
    problem_of = {row["id"]: row["problem"] for row in kept}
    assert set(DRILL) <= set(problem_of.values())
    found = {problem_of[family["id"]]: family["num_problems"] for family in families}
    assert {size for problem, size in found.items() if problem in DRILL} == {len(DRILL)}
    assert sorted(found.values()) == [2, len(DRILL)]  # and the story with its other number


def test_metrics_count_copies_across_corpora(done: Path) -> None:
    metrics = json.loads((done / "metrics/deduplicate.json").read_text())
    assert metrics["removed_by_kept_corpus"] == {FIRST: {FIRST: 1}, SECOND: {FIRST: 4}}
    assert metrics["removed_by_reason"] == {"exact_duplicate": 3, "near_duplicate": 2}
    assert metrics["num_in"] == metrics["num_kept"] + metrics["num_removed"]
    assert (metrics["num_families"], metrics["largest_family"]) == (2, len(DRILL))


def test_action_keep_keeps_every_row(done: Path, tmp_path: Path) -> None:
    copy = Workspace(tmp_path / "project")
    shutil.copytree(done, copy.path)
    copy.python("-m", "stages.params", "experiment=smoke", "deduplicate.action=keep")
    copy.python("-m", "stages.deduplicate")
    kept, removed = kept_and_removed(copy.path)
    assert removed == [] and len(kept) == sum(map(len, kept_and_removed(done)))
    metrics = json.loads((copy.path / "metrics/deduplicate.json").read_text())
    before = json.loads((done / "metrics/deduplicate.json").read_text())
    assert metrics["num_unique_problems"] == before["num_unique_problems"]
    assert metrics["removed_by_reason"] == {} and metrics["num_kept"] == metrics["num_in"]
    assert [row["id"] for row in kept] == sorted(row["id"] for row in kept)


def test_planted_copies_are_found_in_the_smoke_run(smoke: Workspace) -> None:
    kept, removed = kept_and_removed(smoke.path)
    assert not {"planted_exact_copy", "planted_near_copy"} & {row["source"] for row in kept}
    ids = {row["id"] for row in kept}
    assert removed and all(row["evidence"]["kept_id"] in ids for row in removed)


def lost(corpus: str, source: str, num_kept: int, reason: str, count: int) -> deduplicate.Counts:
    return Counter(
        {(corpus, source, "kept", corpus): num_kept, (corpus, source, reason, corpus): count}
    )


def test_a_corpus_that_loses_too_much_stops_the_stage() -> None:
    deduplicate.stop_at_mass_removal(lost("a", "s", 5, "near_duplicate", 5), limit=0.5)
    with pytest.raises(InputError, match="6 of 10 rows of a are duplicates"):
        deduplicate.stop_at_mass_removal(lost("a", "s", 4, "near_duplicate", 6), limit=0.5)


def test_a_large_source_that_loses_too_much_stops_the_stage() -> None:
    rest = lost("a", "large", 10_000, "exact_duplicate", 0)
    with pytest.raises(InputError, match="1001 of 2000 rows of a, source s are duplicates"):
        deduplicate.stop_at_mass_removal(rest + lost("a", "s", 999, "exact_duplicate", 1001), 0.5)
    deduplicate.stop_at_mass_removal(rest + lost("a", "s", 0, "exact_duplicate", 10), 0.5)


def test_a_cap_on_solutions_is_not_an_alarm() -> None:
    deduplicate.stop_at_mass_removal(lost("a", "s", 1, "solution_cap", 9), limit=0.5)


def test_a_missing_corpus_is_one_clear_line(done: Path, tmp_path: Path) -> None:
    copy = Workspace(done).copy(tmp_path / "project")
    (copy.path / f"data/prepare/{SECOND}/kept.parquet").unlink()
    shown = copy.python("-m", "stages.deduplicate", ok=False)
    assert f"data/prepare/{SECOND}/kept.parquet is missing: run `dvc repro`" in shown
    assert "Traceback" not in shown
