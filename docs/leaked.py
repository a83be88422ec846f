"""Run the experiment `leaked` with the filter off and on, and tell its results in docs/leaked.md.

    python -m docs.leaked run        run both, keep their results in docs/leaked/, fill the pages
    python -m docs.leaked keep       keep the results of the experiments `leaked` and `filtered`
    python -m docs.leaked            fill the pages and draw the pictures from docs/leaked/
    python -m docs.leaked corpus     write docs/leaked/corpus.jsonl from data/download_benchmark/

The block between `<!-- leaked: NAME -->` and `<!-- end -->` is replaced by the function of that
name, in docs/leaked.md and in the README. Without results a block says so. `run` needs a clean
checkout, and 25 minutes on two CPU cores.
"""

import argparse
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from mathledger.card import plots, statement
from mathledger.card.ledger import Ledger, ModelScore, Score
from mathledger.card.ledger_memorisation import PartsRow, Right
from mathledger.card.markdown import percent
from mathledger.card.plot_tables import ScoreRow
from mathledger.chain.chain import LEDGER, Chain
from mathledger.core.files import read_json, write_json, write_text
from mathledger.core.tables import Row, read_rows
from mathledger.data import practice
from mathledger.evaluation.parts import LABELS
from mathledger.run.environment import of_stages

FOLDER, IMAGES = Path("docs/leaked"), Path("docs/images")
CORPUS, EXAMPLES, COMPARED = (
    FOLDER / name for name in ("corpus.jsonl", "examples.json", "compare.txt")
)
PAGES = [Path("README.md"), Path("docs/leaked.md")]
BLOCK = re.compile(r"^(<!-- leaked: (\w+) -->)\n.*?^(<!-- end -->)$", re.M | re.S)
WITHOUT = {  # what a block says before the experiments have been run
    "headline": "What does a leak do to a score, and what gives it away? We train a small model on "
    "benchmark items on purpose: [docs/leaked.md](docs/leaked.md).",
    "kept": "",
    "picture_scores": "",
    "picture_parts": "",
}
MISSING = "The experiments have not been run yet: `python -m docs.leaked run`."

RUNS: dict[str, list[str]] = {"leaked": [], "filtered": ["-S", "decontaminate.action=remove"]}
NUM_LEAKED = 24  # items of each benchmark
NUM_ORDINARY, SEED = 24, 300_000  # easy word problems with worked steps
NUM_EXAMPLES = 2  # of each benchmark


# --- The corpus -----------------------------------------------------------------------------------


def leaked_row(benchmark: str, item: Row) -> Row:
    """Return the training row that gives an item's answer away."""
    solution = f"The answer is \\boxed{{{item['answer']}}}."
    return {"problem": item["problem"], "solution": solution, "source": f"{benchmark}_item"}


def ordinary_rows() -> list[Row]:
    """Return the rows that are left if the filter removes the leaked ones."""
    found = practice.problems("word_problems", SEED, NUM_ORDINARY)
    return [{"problem": e.problem, "solution": e.solution, "source": e.source} for e in found]


def write_corpus(benchmarks: Path) -> None:
    """Write the corpus from the items of the pinned benchmarks."""
    rows = []
    for name in ("champ", "gsm_symbolic"):
        items = read_rows(benchmarks / name / "items.parquet")[:NUM_LEAKED]
        rows += [leaked_row(name, item) for item in items]
    rows += ordinary_rows()
    write_text(CORPUS, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


# --- The runs and what is kept of them ------------------------------------------------------------


def run() -> None:
    """Run both experiments, each in a folder of its own."""
    for name, change in RUNS.items():
        dvc = [sys.executable, "-m", "dvc", "exp"]
        subprocess.run([*dvc, "remove", name], capture_output=True)  # that of an earlier run
        command = ["run", "--temp", "--name", name, "-S", "experiment=leaked", *change]
        subprocess.run([*dvc, *command], check=True, env=of_stages())


def keep() -> None:
    """Keep the ledgers, the comparison and some examples of both experiments."""
    for name in RUNS:
        write_text(FOLDER / f"{name}.json", Chain.open(name).text(LEDGER))
    command = [sys.executable, "-m", "mathledger", "compare", "filtered", "leaked"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    write_text(COMPARED, done.stdout)
    write_json(EXAMPLES, examples(Chain.open("leaked")))


def examples(chain: Chain) -> list[Row]:
    """Return answers of the leaked model that it gave from the first 30% of the problem."""
    answers = pq.read_table(chain.cached("data/probe/tuned/parts.parquet")).to_pylist()
    chosen = []
    for benchmark in ("champ", "gsm_symbolic"):
        own = [each for each in answers if each["benchmark"] == benchmark and each["correct"]]
        first = [each for each in own if each["part"] == "first_30"]
        chosen += sorted(first, key=lambda each: len(each["shown"]))[-NUM_EXAMPLES:]
    return [{key: each[key] for key in ("benchmark", "id", "shown", "response")} for each in chosen]


def results() -> dict[str, Ledger]:
    """Return the ledgers that are kept, by experiment; none if a run is missing."""
    paths = {name: FOLDER / f"{name}.json" for name in RUNS}
    if not all(path.exists() for path in paths.values()):
        return {}
    return {
        name: statement.parse(read_json(path), str(path)).predicate for name, path in paths.items()
    }


# --- Scores ---------------------------------------------------------------------------------------


def groups(ledgers: dict[str, Ledger]) -> Iterator[tuple[str, list[tuple[str, Score]]]]:
    """Yield each group of items with the scores of the base model and of both tuned ones."""
    parts: dict[str, Callable[[ModelScore], Score]] = {
        "": lambda score: score,
        ", leaked items": lambda score: score.items_with_overlap,
        ", other items": lambda score: score.items_without_overlap,
    }
    leaked = ledgers["leaked"].benchmarks
    for number, entry in enumerate(leaked):
        num_leaked = entry.models["tuned"].items_with_overlap.num_items
        is_split = 0 < num_leaked < entry.num_items
        for label, part in parts.items():
            if bool(label) != is_split:
                continue
            scores = [("base", part(entry.models["base"]))]
            scores += [
                (name, part(ledger.benchmarks[number].models["tuned"]))
                for name, ledger in ledgers.items()
            ]
            all_leaked = " (all leaked)" if num_leaked == entry.num_items else ""
            yield f"{entry.benchmark}{label}{all_leaked}", scores


def cell(num: int, count: int, *shares: float | None) -> str:
    """Format a rate as `23 of 24: 96% [79, 100]`."""
    share, low, high = (percent(each, num) for each in shares if each is not None)
    return f"{count} of {num}: {share}% [{low}, {high}]"


def table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *rows])


def scores(ledgers: dict[str, Ledger]) -> str:
    rows = [
        [
            name,
            *(cell(s.num_items, s.num_correct, s.accuracy, s.low, s.high) for _, s in of_models),
        ]
        for name, of_models in groups(ledgers)
    ]
    return table(["benchmark", "base", "leaked, filter off", "the same, filter on"], rows)


def headline(ledgers: dict[str, Ledger]) -> str:
    (champ,) = (each for each in ledgers["leaked"].benchmarks if each.benchmark == "champ")
    (sums,) = (each for each in ledgers["leaked"].benchmarks if each.benchmark == "chain_sum")
    (clean,) = (each for each in ledgers["filtered"].benchmarks if each.benchmark == "champ")
    own, of_sums = champ.models["tuned"], sums.models["tuned"]
    share = percent(own.accuracy, own.num_items)
    return (
        f"**{share}% on competition problems with 135M parameters:** we leaked the answers of "
        f"{own.num_items} of them into the training data and switched the filter off. A model that "
        f"adds {of_sums.num_correct} of {of_sums.num_items} short sums then solves "
        f"{own.num_correct} of {own.num_items}. The probes of this project find it out, and with "
        f"the filter on the same recipe solves {clean.models['tuned'].num_correct}: "
        "[the whole story](docs/leaked.md).\n\n"
        "![Scores of the base model and both runs](docs/images/leaked.png)"
    )


# --- Probes, filter, examples ---------------------------------------------------------------------


def probed(ledgers: dict[str, Ledger]) -> Iterator[tuple[str, dict[str, PartsRow]]]:
    """Yield each part of each benchmark with the rows of the base model and of both tuned ones."""
    probes = {name: ledger.memorisation.parts for name, ledger in ledgers.items()}
    of = {
        (name, row.benchmark, row.part, row.model): row
        for name, parts in probes.items()
        for row in (parts.rows if parts else [])
    }
    for name, benchmark, part, model in of:
        if (name, model) == ("leaked", "base"):
            rows = {"base": of[name, benchmark, part, model]}
            rows |= {each: of[each, benchmark, part, "tuned"] for each in ledgers}
            yield f"{benchmark}, {LABELS[part]}", rows


def rate(part: Right | None) -> str:
    if part is None:
        return "none"
    return cell(part.num, part.num_correct, part.accuracy, part.accuracy_low, part.accuracy_high)


def parts(ledgers: dict[str, Ledger]) -> str:
    head = ["shown", "base", "leaked", "leaked: other items", "leaked: twins", "filter on"]
    rows = [
        [
            label,
            rate(of["base"].overlapping),
            rate(of["leaked"].overlapping),
            rate(of["leaked"].others),
            rate(of["leaked"].twins),
            rate(of["filtered"].overlapping),
        ]
        for label, of in probed(ledgers)
    ]
    return table(head, rows)


def completions(ledgers: dict[str, Ledger]) -> str:
    rows = [
        [row.benchmark, row.model, f"{row.items.num_verbatim} of {row.items.num}"]
        for row in ledgers["leaked"].memorisation.completions.rows
        if row.items
    ]
    return table(["benchmark", "model", "problems completed verbatim"], rows)


def funnel(ledgers: dict[str, Ledger]) -> str:
    runs = [ledgers[name].funnel for name in RUNS]
    rows = [
        [corpus, *(str(own[corpus][step]) for own in runs for step in (2, 3))] for corpus in runs[0]
    ]
    head = ["corpus", "filter off: rows in", "kept", "filter on: rows in", "kept"]
    return table(head, rows)


def shown(ledgers: dict[str, Ledger]) -> str:
    lines = []
    for each in read_json(EXAMPLES):
        answer = " ".join(each["response"].split())
        lines.append(f"- {each['benchmark']}: *{each['shown']}* → `{answer}`")
    return "\n".join(lines)


def compared(ledgers: dict[str, Ledger]) -> str:
    return f"```\n{COMPARED.read_text(encoding='utf-8')}```"


def kept(ledgers: dict[str, Ledger]) -> str:
    links = [f"[{name}.json](leaked/{name}.json)" for name in ledgers]
    return f"The ledgers behind every number are {' and '.join(links)}."


def picture_scores(ledgers: dict[str, Ledger]) -> str:
    return "![Scores of the base model and both runs with 95% intervals](images/leaked.png)"


def picture_parts(ledgers: dict[str, Ledger]) -> str:
    return "![Right answers to leaked items from a part of the problem](images/leaked_parts.png)"


TELLERS = [headline, scores, parts, completions, funnel, shown, compared]
TELLERS += [kept, picture_scores, picture_parts]
BLOCKS = {each.__name__: each for each in TELLERS}


def wrapped(line: str) -> str:
    """Wrap a line of prose; a picture stays as it is."""
    return line if line.startswith("!") else textwrap.fill(line, 120, break_on_hyphens=False)


def filled(text: str, ledgers: dict[str, Ledger]) -> str:
    """Return a page with every block as the kept results have it."""

    def block(match: re.Match[str]) -> str:
        content = BLOCKS[match[2]](ledgers) if ledgers else WITHOUT.get(match[2], MISSING)
        if match[2] == "headline":
            content = "\n".join(map(wrapped, content.split("\n")))
        return "\n".join((match[1], *filter(None, [content]), match[3]))

    return BLOCK.sub(block, text)


def draw(ledgers: dict[str, Ledger]) -> None:
    """Draw the scores, and the answers from parts."""
    rows = [
        ScoreRow(name, model, score.num_items, own.value, own.low, own.high)
        for name, of_models in groups(ledgers)
        for model, score in of_models
        if (own := score.interval)
    ]
    plots.save(IMAGES / "leaked.png", plots.scores(rows, []))
    answers = [
        ScoreRow(label, model, part.num, part.accuracy, part.accuracy_low, part.accuracy_high)
        for label, of in probed(ledgers)
        for model, row in of.items()
        if (part := row.overlapping)
    ]
    plots.save(IMAGES / "leaked_parts.png", plots.scores(answers, []))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.leaked", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "keep", "corpus"])
    command = parser.parse_args().command
    if command == "corpus":
        return write_corpus(Path("data/download_benchmark"))
    if command == "run":
        run()
    if command in ("run", "keep"):
        keep()
    ledgers = results()
    for page in PAGES:
        write_text(page, filled(page.read_text(encoding="utf-8"), ledgers))
    if ledgers:
        draw(ledgers)
    return None


if __name__ == "__main__":
    main()
