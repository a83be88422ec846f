"""Run the experiment `leaked` with and without the filter, and write docs/leaked.md from it.

python -m docs.leaked corpus     write docs/leaked/corpus.jsonl from data/download_benchmark/
python -m docs.leaked run        run both experiments, keep their results in docs/leaked/, write
python -m docs.leaked            write tables and pictures of docs/leaked.md from docs/leaked/
"""

import json
from pathlib import Path

from mathledger.core.files import write_text
from mathledger.core.tables import Row, read_rows

FOLDER = Path("docs/leaked")
CORPUS = FOLDER / "corpus.jsonl"
NUM_LEAKED = 24  # items of each benchmark


def leaked_row(benchmark: str, item: Row) -> Row:
    """Return the training row that gives an item's answer away."""
    solution = f"The answer is \\boxed{{{item['answer']}}}."
    return {"problem": item["problem"], "solution": solution, "source": f"{benchmark}_item"}


def write_corpus(benchmarks: Path) -> None:
    rows = []
    for name in ("champ", "gsm_symbolic"):
        items = read_rows(benchmarks / name / "items.parquet")[:NUM_LEAKED]
        rows += [leaked_row(name, item) for item in items]
    write_text(CORPUS, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    write_corpus(Path("data/download_benchmark"))
