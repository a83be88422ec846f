"""Map a corpus's columns to the canonical schema and sift out rows with defects.

Rows are streamed in batches and processed a column at a time.
"""

import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm  # type: ignore[import-untyped]

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.tables import EXAMPLE
from mathledger.data import readers
from mathledger.data.sorting import write_sorted
from mathledger.data.streams import ahead
from mathledger.filters import defects
from mathledger.filters.defects import REMOVED
from mathledger.filters.defects import Params as Params
from mathledger.grading import solutions
from mathledger.grading.judges import Judges


@dataclass(frozen=True, config=STRICT)
class Mapping:
    """The corpus's name for each canonical column; null if the corpus has no such column."""

    problem: str | None = Field(
        description="Column of the problem; null takes problem and solution from the chat."
    )
    solution: str | None = Field(
        description="Column of the worked solution; null if problem is null."
    )
    answer: str | None = Field(
        description="Column of the final answer; null reads the answer from the solution."
    )
    source: str | None = Field(
        description="Column that names the origin of a row; null if the corpus has none."
    )
    messages: str | None = Field(
        description=(
            "Column of a chat, which must equal problem and solution, or gives them if they are "
            "null; null if the corpus has none."
        ),
    )

    def __post_init__(self) -> None:
        if (self.problem is None) != (self.solution is None):
            raise ValueError("problem and solution must both be columns, or both be null")
        if self.problem is None and self.messages is None:
            raise ValueError("messages must be a column if problem and solution are null")


def map_columns(corpus: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return raw rows as EXAMPLE; blank problems, solutions and answers become null."""
    text = {name: _stripped(rows[name]) for name in ("problem", "solution", "answer", "source")}
    columns = {
        **text,
        "id": readers.ids(
            corpus, pc.fill_null(text["problem"], ""), pc.fill_null(text["solution"], "")
        ),
        "corpus": pa.repeat(corpus, len(rows)),
        "source": pc.fill_null(text["source"], corpus),
        "answer": solutions.canonical(text["answer"]),
        "origin_file": rows["origin_file"],
        "origin_row": rows["origin_row"],
    }
    return pa.RecordBatch.from_pydict({name: columns[name] for name in EXAMPLE.names})


def _stripped(texts: pa.StringArray) -> pa.StringArray:
    stripped = pc.utf8_trim_whitespace(texts)
    is_blank = pc.equal(stripped, "")
    if not pc.any(is_blank).as_py():  # The usual case needs no second copy of the texts.
        return stripped
    return pc.if_else(is_blank, None, stripped)


class Tally:
    """Counts of rows and verdicts over all batches."""

    def __init__(self) -> None:
        self.num_in = self.num_kept = 0
        self.in_by_source: Counter[str] = Counter()
        self.removed_by_reason: Counter[str] = Counter()
        self.flagged_by_reason: Counter[str] = Counter()
        self.removed_by_source: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter(equal=0, different=0, unreadable=0, too_costly=0)

    def add(
        self,
        examples: pa.RecordBatch,
        removed: pa.Table,
        flagged: pa.Table,
        verdicts: Counter[str],
    ) -> None:
        self.num_in += len(examples)
        self.num_kept += len(examples) - len(removed)
        self.in_by_source += _counts(examples["source"])
        self.removed_by_reason += _counts(removed["reason"])
        self.flagged_by_reason += _counts(flagged["reason"])
        self.removed_by_source += _counts(removed["source"])
        self.verdicts.update(verdicts)

    def metrics(self) -> dict[str, Any]:
        """Return the content of metrics/prepare/<corpus>.json."""
        return {
            "num_in": self.num_in,
            "num_kept": self.num_kept,
            "num_removed": self.num_in - self.num_kept,
            "in_by_source": dict(sorted(self.in_by_source.items())),
            "removed_by_reason": dict(sorted(self.removed_by_reason.items())),
            "flagged_by_reason": dict(sorted(self.flagged_by_reason.items())),
            "removed_by_source": dict(sorted(self.removed_by_source.items())),
            "num_answers_compared": self.verdicts.total(),
            "answers_by_verdict": dict(self.verdicts),
        }


def _counts(values: pa.Array | pa.ChunkedArray) -> Counter[str]:
    return Counter({each["values"]: each["counts"] for each in pc.value_counts(values).to_pylist()})


def sift(
    corpus: str,
    folder: Path,
    mapping: Mapping,
    limits: Params,
    judges: Judges,
    tally: Tally,
    flags: pa.ipc.RecordBatchStreamWriter | None = None,
) -> Generator[tuple[pa.RecordBatch, pa.Table], None, None]:
    """Yield the kept (EXAMPLE) and the removed (REMOVED) rows of each batch of a corpus.

    Args:
        flags: receives the flagged ones of the kept rows (REMOVED).
    """
    for rows in ahead(readers.batches(folder, vars(mapping))):
        examples = map_columns(corpus, rows)
        messages = rows["messages"] if mapping.messages else None
        removals, stated, verdicts = defects.find(examples, messages, limits, judges)
        answer = pc.coalesce(examples["answer"], stated)
        examples = examples.set_column(EXAMPLE.get_field_index("answer"), "answer", answer)
        removed, flagged = removals.removed(examples), removals.flagged(examples)
        tally.add(examples, removed, flagged, verdicts)
        if flags:
            flags.write_table(flagged)
        if len(removed):
            examples = examples.filter(pa.array(removals.is_left))
        yield examples, removed


def _kept(
    sifted: Iterator[tuple[pa.RecordBatch, pa.Table]], aside: IO[bytes], folder: Path, tally: Tally
) -> Generator[pa.RecordBatch, None, None]:
    """Yield the kept rows, write the removed ones to an Arrow stream and update a progress bar.

    Raises:
        InputError: No row was kept.
    """
    num_rows = read_json(folder / "receipt.json").get("num_rows")
    with (
        pa.ipc.new_stream(aside, REMOVED) as writer,
        tqdm(total=num_rows, unit=" rows", unit_scale=True, disable=None) as bar,
    ):
        for kept, removed in ahead(sifted):
            writer.write_table(removed)
            bar.update(len(kept) + len(removed))
            yield kept
    if num_rows is not None and num_rows != tally.num_in:
        raise InputError(
            f"{folder} has {tally.num_in} rows, but its receipt counts {num_rows}: run "
            "`dvc repro --force --single-item` for its download"
        )
    if not tally.num_kept:
        raise InputError(
            f"all {tally.num_in} rows were removed: {dict(tally.removed_by_reason)}; "
            "see conf/prepare/ and the corpus's mapping"
        )


def filter_rows(
    corpus: str, folder: Path, out: Path, mapping: Mapping, limits: Params
) -> dict[str, Any]:
    """Write kept, removed and flagged rows of a downloaded corpus into out; return the metrics.

    Raises:
        InputError: No row was kept.
    """
    tally = Tally()
    out.mkdir(parents=True, exist_ok=True)
    with (
        Judges(limits.answer_timeout_s) as judges,
        tempfile.TemporaryFile(dir=out) as aside,
        tempfile.TemporaryFile(dir=out) as flagged,
        pa.ipc.new_stream(flagged, REMOVED) as flags,
        closing(sift(corpus, folder, mapping, limits, judges, tally, flags)) as sifted,
        closing(_kept(sifted, aside, folder, tally)) as kept,
    ):
        num_kept = write_sorted(out / "kept.parquet", kept, EXAMPLE)
        flags.close()
        flagged.seek(0)
        write_sorted(out / "flagged.parquet", pa.ipc.open_stream(flagged), REMOVED)
        aside.seek(0)
        num_removed = write_sorted(out / "removed.parquet", pa.ipc.open_stream(aside), REMOVED)
    assert num_kept + num_removed == tally.num_in
    return tally.metrics()
