"""The page shows removed rows and reasons for every class and benchmark, and no private text."""

import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mathledger.card import funnel, pairs, report
from mathledger.card.outputs import Outputs
from mathledger.core import tables
from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.core.tables import EXAMPLE, Row, removed_schema, write_rows
from mathledger.filters import decision, deduplicate

CORPORA = ["web", "books"]
BENCHMARKS = ["exam", "quiz", "secret"]  # The last is private.
VOID = {"br", "meta"}


class Page(HTMLParser):
    """A parser that reads the page like a browser and fails on an unclosed tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.marks: dict[str, list[str]] = defaultdict(list)  # By article.
        self.articles: dict[str, str] = defaultdict(str)
        self._article = ""
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "article":
            self._article = str(dict(attrs)["id"])
        elif tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag == "mark" and "article" in self.open:
            self.marks[self._article].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = [[cell.strip() for cell in row] for row in self._rows]

    def handle_data(self, data: str) -> None:
        if "article" in self.open:
            self.articles[self._article] += data
            if "mark" in self.open:
                self.marks[self._article][-1] += data
        if "caption" in self.open:
            self._caption += data
        elif "td" in self.open or "th" in self.open:
            self._rows[-1][-1] += data

    def rows(self, caption: str) -> dict[str, list[str]]:
        """Return the lines of a table by their first cell."""
        return {
            row[0]: [" ".join(cell.split()) for cell in row[1:]] for row in self.tables[caption]
        }


def example(row_id: str, problem: str, solution: str = "So it is 4.", **other: Any) -> Row:
    head = {"id": row_id, "corpus": "web", "source": "forum", "problem": problem}
    tail = {"solution": solution, "answer": "4", "origin_file": "a.jsonl", "origin_row": 0}
    return {**head, **tail, **other}


def hit(row: Row, kind: str, item: str, item_problem: str | None, **other: Any) -> Row:
    """Return evidence of an overlap in which both problems match completely."""
    spans = {"row_spans": row["problem"], "item_spans": item_problem or ""}
    return {
        **{column: row[column] for column in ("id", "corpus", "source")},
        **{"class": kind, "place": "problem", "benchmark": "exam", "benchmark_split": "test"},
        **{"benchmark_revision": "0123456789abcdef", "item_id": item, "item_problem": item_problem},
        **{"containment": 1.0, "item_in_text": 1.0, "text_in_item": 1.0, "action": "removed"},
        **{"decided_by": "rule"},
        **{"missing_numbers": [], "extra_numbers": []},
        **{"missing_operators": [], "extra_operators": []},
        **{key: [{"start": 0, "end": len(text)}] if text else [] for key, text in spans.items()},
        **other,
    }


def copy(row: Row, kept: Row, jaccard: float) -> Row:
    """Return a near duplicate of a kept row."""
    own = {f"kept_{key}": kept[key] for key in ("id", "corpus", "source", "problem")}
    return {**row, "reason": "near_duplicate", "evidence": {**own, "jaccard": jaccard}}


def write_metrics(**changes: Any) -> None:
    """Write metrics with 100 rows of web and 20 of books, of which 88 are trained on."""
    web = {"num_in": 100, "num_kept": 96, "in_by_source": {"forum": 90, "wiki": 10}}
    books = {"num_in": 20, "num_kept": 20, "in_by_source": {"forum": 5, "olympiad": 15}}
    removed = {"removed_by_reason": {"too_long": 4}, "removed_by_source": {"forum": 4}}
    nothing: dict[str, Any] = {"removed_by_reason": {}, "removed_by_source": {}}
    cells = [
        {"corpus": "web", "source": "forum", "benchmark": "exam", "class": "same", "num_rows": 9},
        {
            "corpus": "web",
            "source": "forum",
            "benchmark": "exam",
            "class": "variant",
            "num_rows": 3,
        },
        {"corpus": "books", "source": "olympiad", "benchmark": "quiz", "class": "rephrase"}
        | {"num_rows": 1},
    ]
    metrics: dict[str, dict[str, Any]] = {
        "prepare/web": {**web, **removed},
        "prepare/books": {**books, **nothing},
        "deduplicate": {
            "kept_by_corpus": {"web": 91, "books": 17},
            "removed_by_reason": {"near_duplicate": 8},
            "removed_by_source": {"forum": 5, "olympiad": 3},
            "reviewed": {"num_same": 0, "num_different": 0, "num_stale": 0, "stale": []},
        },
        "decontaminate": {
            "kept_by_corpus": {"web": 82, "books": 16},
            "removed_by_reason": {"same": 9, "rephrase": 1},
            "removed_by_source": {"forum": 9, "olympiad": 1},
            "contamination": cells,
            "canaries": {
                "sign_changed": {"num": 40, "num_found": 1},
                "verbatim": {"num": 40, "num_found": 40},
            },
        },
        "mix": {
            "train_by_corpus": {"web": 75, "books": 13},
            "train_by_source": {"forum": 68, "wiki": 10, "olympiad": 10},
        },
    }
    for name, values in metrics.items():
        write_json(Path(f"metrics/{name}.json"), {**values, **changes.get(name, {})})


def write_data(hits: list[Row], removed: list[Row], kept: list[Row], duplicates: list[Row]) -> None:
    worst = {each["id"]: each for each in hits}
    gone = [{**row, "reason": "x", "evidence": worst[row["id"]]} for row in removed]
    folder = Path("data/decontaminate")
    write_rows(folder / "evidence.parquet", hits, decision.EVIDENCE)
    write_rows(folder / "removed.parquet", gone, removed_schema(pa.struct(decision.OVERLAP)))
    write_rows(folder / "kept.parquet", kept, EXAMPLE)
    write_rows(
        Path("data/deduplicate/removed.parquet"),
        duplicates,
        removed_schema(deduplicate.EVIDENCE),
    )


def show() -> str:
    return report.page(Outputs(Path()), "my-model", CORPORA, BENCHMARKS)


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a folder with metrics and with data in which nothing was found."""
    monkeypatch.chdir(tmp_path)
    write_metrics()
    write_data([], [], [], [])


def write_many() -> None:
    """Write five items of each class and benchmark, each in two rows."""
    rows, hits = [], []
    for kind in ("same", "contained", "rephrase", "variant"):
        for benchmark in BENCHMARKS[:2]:
            for number in range(10):
                row = example(f"{kind}-{benchmark}-{number}", f"What is {number} + {number}?")
                item = f"{benchmark}-{number // 2}"
                action = "kept" if kind == "variant" else "removed"
                own = {"benchmark": benchmark, "containment": number / 10, "action": action}
                hits.append(hit(row, kind, item, "Find it.", **own))
                rows.append(row)
    twins = [
        copy(
            example(f"copy-{n}", f"Add {n} to 1."),
            example(f"kept-{n % 5}", "Add 1."),
            0.8 + n / 100,
        )
        for n in range(10)
    ]
    kept = [row for row in rows if row["id"].startswith("variant")]
    write_data(hits, [row for row in rows if row not in kept], kept, twins)


def test_the_page_needs_nothing_else() -> None:
    write_many()
    text = show()
    page = Page(text)
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    links = [value for name, value in page.attributes if name in ("href", "src", "srcset")]
    assert links and all(link and (link[0] == "#" or link == "README.md") for link in links)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", text)
    assert "default-src 'none'" in text


def test_texts_are_escaped() -> None:
    row = example("r1", "Is <script>alert(1)</script> & 1 < 2?", source="<b>forum</b>")
    write_data([hit(row, "same", "i<1>", "</pre><script>alert(2)</script>")], [row], [], [])
    page = Page(show())
    assert page.tags.isdisjoint({"script", "b"})
    for shown in ("<script>alert(1)</script> & 1 < 2?", "</pre><script>", "<b>forum", "i<1>"):
        assert shown in page.articles["pair-1"]


def test_what_matched_is_marked_and_differences_are_named() -> None:
    row = example("r1", "Now let x be 12. Find x - y.")
    found = hit(row, "contained", "i1", "Let x be 10.") | {
        "row_spans": [{"start": 4, "end": 12}, {"start": 17, "end": 23}],
        "item_spans": [{"start": 0, "end": 8}],
        "missing_numbers": ["10"],
        "extra_numbers": ["12"],
        "extra_operators": ["-"],
        "containment": 0.84,
    }
    write_data([found], [row], [], [])
    page = Page(show())
    assert page.marks["pair-1"] == ["let x be", "Find x", "Let x be"]
    shown = " ".join(page.articles["pair-1"].split())
    for fact in ("missing numbers: 10", "extra numbers: 12", "missing operators: none"):
        assert fact in shown
    for fact in (
        "extra operators: -",
        "84%",
        "exam, test, revision 0123456789abcdef",
        "i1",
        "removed",
    ):
        assert fact in shown


def test_a_hit_in_a_solution_shows_the_solution() -> None:
    row = example("r1", "Unrelated.", solution="First solve: what is 2 + 2? It is 4.")
    spans = [{"start": 13, "end": 27}]
    write_data(
        [hit(row, "contained", "i1", "What is 2 + 2?", place="solution") | {"row_spans": spans}],
        [row],
        [],
        [],
    )
    page = Page(show())
    assert page.marks["pair-1"][0] == "what is 2 + 2?"
    assert "Unrelated" not in page.articles["pair-1"]


def test_near_duplicates_are_shown_next_to_the_kept_row() -> None:
    row, kept = example("r1", "Find 2 + 2 quickly."), example("k1", "Find 2 + 2 now.")
    write_data([], [], [], [copy(row, kept, 0.83)])
    page = Page(show())
    assert page.marks["pair-1"] == ["Find 2 + 2", "."] * 2
    assert "kept: web / forum" in page.articles["pair-1"] and "0.83" in page.articles["pair-1"]


def test_nothing_of_a_private_benchmark_is_shown_but_counts() -> None:
    both, near = example("r1", "PRIVATE one"), example("r2", "PRIVATE two")
    open_row = example("r3", "An open problem")
    hits = [
        hit(both, "same", "s1", None, benchmark="secret"),
        hit(both, "same", "i1", "PRIVATE one, as the open benchmark has it"),
        hit(near, "variant", "s1", None, benchmark="secret", action="kept"),
        hit(open_row, "same", "i2", "An open problem"),
    ]
    write_data(hits, [both, open_row], [near], [copy(example("r4", "PRIVATE copy"), near, 0.9)])
    text = show()
    assert "PRIVATE" not in text and "s1" not in text
    assert "An open problem" in text


def test_every_class_and_benchmark_has_its_turn() -> None:
    write_many()
    page = Page(show())
    heads = [
        " ".join(each.split()) for name, each in page.articles.items() if name.startswith("pair")
    ]
    assert len(heads) == pairs.NUM_PAIRS
    for kind in ("rephrase", "contained", "same"):
        of_kind = [head for head in heads if f": {kind} removed" in head]
        assert 5 <= len(of_kind) <= 6
        for benchmark in BENCHMARKS[:2]:
            items = [re.findall(rf"{benchmark}-\d", head) for head in of_kind]
            chosen = [found[-1] for found in items if found]
            assert len(chosen) == len(set(chosen)) <= pairs.PER_GROUP
    assert sum("near duplicate" in head for head in heads) == pairs.PER_GROUP


def test_the_least_alike_removals_and_the_most_alike_variants_come_first() -> None:
    write_many()
    page = Page(show())
    assert "contained-exam-0" in page.articles["pair-7"]
    assert "variant-exam-9" in page.articles["variant-pair-1"]
    assert "kept" in page.articles["variant-pair-1"]


def test_flagged_rows_are_shown_though_they_stay() -> None:
    row = example("r1", "What is 2 + 2?")
    write_data([hit(row, "same", "i1", "What is 2 + 2?", action="flagged")], [], [row], [])
    assert "same flagged" in " ".join(Page(show()).articles["pair-1"].split())


def test_batches_do_not_change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    write_many()
    whole = show()
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 7)
    assert show() == whole


@pytest.mark.slow
def test_long_texts_are_cut_around_the_match() -> None:
    before, after = "&" * 400_000, "<" * 400_000
    rows = [example(f"r{n}", f"{before}MATCH{after}") for n in range(40)]
    spans = [{"start": 400_000, "end": 400_005}]
    hits = [
        hit(row, kind, f"i{n}", before, benchmark=benchmark, row_spans=spans)
        for n, row in enumerate(rows)
        for kind in ("same", "contained", "rephrase")
        for benchmark in ("exam", "quiz")
    ]
    write_data(hits, rows, [], [])
    text = show()
    assert Page(text).marks["pair-1"][0] == "MATCH"
    assert len(text.encode()) < 1_000_000


def test_the_funnel_adds_up_by_corpus_and_by_source() -> None:
    page = Page(show())
    by_corpus = page.rows("Rows of each corpus after each stage")
    by_source = page.rows("Rows of each source after each stage")
    assert by_corpus["web"] == ["100", "96", "91", "82", "75", "75.0%"]
    assert by_source["forum"] == ["95", "91", "86", "77", "68", "71.6%"]
    assert by_corpus["all"] == by_source["all"] == ["120", "116", "108", "98", "88", "73.3%"]


def test_sources_that_do_not_add_up_stop_the_page() -> None:
    write_metrics(mix={"train_by_source": {"forum": 1}})
    with pytest.raises(AssertionError):
        show()


def test_many_small_sources_are_one_line() -> None:
    sources = {f"s{n:03}": 1000 - n for n in range(100)}
    num_rows = sum(sources.values())
    kept = {"kept_by_corpus": {"web": num_rows}, "removed_by_source": {}}
    write_metrics(
        **{
            "prepare/web": {
                **{"num_in": num_rows, "num_kept": num_rows},
                **{"in_by_source": sources, "removed_by_source": {}},
            },
            "prepare/books": {"num_in": 0, "num_kept": 0, "in_by_source": {}},
            "deduplicate": kept,
            "decontaminate": {**kept, "contamination": []},
            "mix": {"train_by_corpus": {"web": num_rows}, "train_by_source": sources},
        }
    )
    page = Page(show())
    lines = page.rows("Rows of each source after each stage")
    assert len(lines) == funnel.MAX_SOURCES + 2  # Plus header and footer.
    others = 100 - funnel.MAX_SOURCES + 1
    rest = sum(sorted(sources.values())[:others])
    assert lines[f"{others} other sources"][0] == f"{rest:,}"
    assert f"{others} other sources" in page.rows("Contaminated rows by source and benchmark")


def test_reasons_are_counted() -> None:
    rows = Page(show()).tables["Removed rows by stage and reason"]
    assert [row[:4] for row in rows[1:]] == [
        ["prepare", "too_long", "4", "3.3%"],
        ["deduplicate", "near_duplicate", "8", "6.7%"],
        ["decontaminate", "same", "9", "7.5%"],
        ["decontaminate", "rephrase", "1", "0.8%"],
    ]


def test_the_heat_map_has_a_cell_for_every_source_and_benchmark() -> None:
    lines = Page(show()).rows("Contaminated rows by source and benchmark")
    assert lines["corpus / source"] == BENCHMARKS
    assert lines["web / forum"] == ["9 10.0% 9 same + 3 variant", "0", "0"]
    assert lines["books / olympiad"] == ["0", "1 6.7% 1 rephrase", "0"]
    assert lines["books / forum"] == lines["web / wiki"] == ["0", "0", "0"]


def test_the_filters_own_test_is_shown_with_intervals_and_false_alarms() -> None:
    page = Page(show())
    copies = page.rows("Hidden copies, which the filter must find")
    assert copies["verbatim"][:4] == ["unchanged", "40", "40", "100.0% [91.2%, 100.0%]"]
    controls = page.rows("Different problems, which it must not call contamination")
    assert controls["sign changed"][1:4] == ["40", "1", "2.5% [< 0.1%, 13.2%]"]
    assert "sign changed" not in copies and "verbatim" not in controls


@pytest.mark.parametrize(
    "path",
    ["metrics/mix.json", "data/decontaminate/evidence.parquet", "data/deduplicate/removed.parquet"],
)
def test_a_missing_input_is_named(path: str) -> None:
    Path(path).unlink()
    with pytest.raises(InputError, match=path):
        show()
