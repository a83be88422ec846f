"""Sample rows by coins, split off the validation set, and write prompts and completions.

A row's coin is a number in [0, 1) that depends only on the seed and the row's id; the rows with the
smallest coins are taken.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.tables import Writer, read_batches
from mathledger.data.streams import ahead
from mathledger.filters.problem_keys import by_spelling
from mathledger.model import prompts
from mathledger.text import canonical, groups

_TURNS = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))
TRAINING_ROW = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("corpus", pa.string()),
        pa.field("source", pa.string()),
        pa.field("repeat", pa.int32()),  # Number of the copy, from 0 to epochs - 1.
        pa.field("answer", pa.string()),  # Null if the answer is unknown.
        pa.field("prompt", _TURNS),
        pa.field("completion", _TURNS),
        pa.field("is_withheld", pa.bool_()),  # True if no result may show the row's text.
    ]
)
# A family that would make up a larger share of the validation set is split by problem. Otherwise
# a single large family would fill the validation set or be missing from it.
MAX_FAMILY_SHARE = 0.25
MAX_MEASURED = 10_000  # Rows per corpus whose tokens are counted.

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, config=STRICT)
class Corpus:
    weight: float = Field(ge=0, le=1, description="Share of the corpus's rows to take.")
    max_examples: int | None = Field(
        description="Largest number of rows to take from this corpus; null sets no limit."
    )
    epochs: int = Field(default=1, ge=1, description="Copies of each row in the training set.")


@dataclass(frozen=True, config=STRICT)
class Params:
    seed: int = Field(description="Seed for the choice of sampled and held-out rows.")
    max_examples: int | None = Field(
        description="Rows to take from all corpora together, not counting repeats; null takes all."
    )
    validation_rate: float = Field(description="Share of problem families to hold out.")


def sample(corpus: I64, coins: F64, wanted: list[Corpus], max_examples: int | None) -> Flags:
    """Choose the rows to take, given each row's corpus number and coin.

    >>> coins = np.array([0.1, 0.7, 0.3, 0.2])
    >>> half = Corpus(weight=0.5, max_examples=2)
    >>> sample(np.zeros(4, np.int64), coins, [half], None)
    array([ True, False, False,  True])
    """
    is_taken = np.zeros(len(corpus), np.bool_)
    for number, each in enumerate(wanted):
        is_taken |= smallest((corpus == number) & (coins < each.weight), coins, each.max_examples)
    return smallest(is_taken, coins, max_examples)


def smallest(is_taken: Flags, coins: F64, limit: int | None) -> Flags:
    """Limit the taken rows to the `limit` rows with the smallest coins."""
    rows = np.flatnonzero(is_taken)
    chosen = np.zeros(len(is_taken), np.bool_)
    chosen[rows[np.argsort(coins[rows], kind="stable")[:limit]]] = True
    return chosen


def split(problems: U64, templates: U64, settings: Params) -> tuple[Flags, int]:
    """Choose the validation rows, given hashes (rows, 2) of each row's problem and family.

    Returns:
        A flag for each row, and the number of families that were too large to keep together.
    """
    family = groups.first_of(templates)
    sizes = np.bincount(family, minlength=len(family))
    limit = max(1.0, MAX_FAMILY_SHARE * settings.validation_rate * len(family))
    coins = np.where(
        sizes[family] > limit,
        groups.coins(problems, settings.seed),
        groups.coins(templates, settings.seed),
    )
    return coins < settings.validation_rate, int((sizes > limit).sum())


def read_keys(path: Path, seed: int, corpora: list[str]) -> tuple[I64, F64, U64, U64]:
    """Return each row's corpus number, its coin, and hashes (rows, 2) of problem and template.

    Raises:
        InputError: No row of a corpus has passed the filters.
    """

    def kernel(problems: pa.Array) -> npt.NDArray[np.uint8]:
        return np.hstack([canonical.keys(problems), groups.templates(problems)]).view(np.uint8)

    each = by_spelling([path], kernel, 32)
    keys = each.found.view(np.uint64)[each.number]
    corpus, coins = np.empty(len(keys), np.int64), np.empty(len(keys))
    at = 0
    for batch in read_batches(path, ["id", "corpus"]):
        part = slice(at, at + len(batch))
        corpus[part] = pc.index_in(batch["corpus"], pa.array(corpora)).to_numpy()
        coins[part] = groups.coins(batch["id"], seed)
        at += len(batch)
    for number in np.flatnonzero(np.bincount(corpus, minlength=len(corpora)) == 0):
        raise InputError(
            f"no row of {corpora[number]} has passed the filters; drop this corpus, or see metrics/"
        )
    return corpus, coins, keys[:, :2], keys[:, 2:]


def training_rows(rows: pa.Table, prompt: prompts.Params) -> pa.Table:
    """Add the columns `prompt` and `completion`, as prompts.training_row would for each row."""
    mark = "\0"
    first, *rest = prompts.user_text(prompt, mark).split(mark)
    pieces = [first, *(part for piece in rest for part in (rows["problem"], piece))]

    def turn(role: str, said: pa.ChunkedArray) -> pa.ListArray:
        fields = [pa.repeat(role, len(rows)), said.combine_chunks()]
        offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(
            offsets, pa.StructArray.from_arrays(fields, ["role", "content"])
        )

    asked = turn("user", pc.binary_join_element_wise(*pieces, ""))
    answered = turn("assistant", rows["solution"])
    return rows.append_column("prompt", asked).append_column("completion", answered)


def repeated(rows: pa.Table, copies: I64) -> pa.Table:
    """Repeat each row as often as `copies` says, and number the copies in the column `repeat`."""
    number = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
    taken = rows.take(pa.array(np.repeat(np.arange(len(rows)), copies)))
    return taken.append_column("repeat", pa.array(number))


def write_parts(
    path: Path, out: Path, train: I64, validation: I64, measured: Flags, prompt: prompts.Params
) -> tuple[Counter[tuple[str, str]], dict[str, list[str]]]:
    """Write both parts; `train` and `validation` say how often each row occurs in them.

    Returns:
        The number of training rows by corpus and source, and the texts to measure by corpus.
    """
    counts: Counter[tuple[str, str]] = Counter()
    texts: dict[str, list[str]] = {}
    at = 0
    with (
        Writer(out / "train.parquet", TRAINING_ROW) as train_file,
        Writer(out / "validation.parquet", TRAINING_ROW) as validation_file,
    ):
        for batch in ahead(read_batches(path)):
            rows, part = pa.Table.from_batches([batch]), slice(at, at + len(batch))
            taken = repeated(rows, train[part])
            train_file.write(training_rows(taken, prompt))
            validation_file.write(training_rows(repeated(rows, validation[part]), prompt))
            sizes = taken.group_by(["corpus", "source"]).aggregate([([], "count_all")])
            for corpus, source, count in zip(*sizes.to_pydict().values(), strict=True):
                counts[corpus, source] += count
            for row in rows.filter(pa.array(measured[part])).to_pylist():
                whole = prompts.user_text(prompt, row["problem"]) + "\n" + row["solution"]
                texts.setdefault(row["corpus"], []).append(whole)
            at += len(batch)
    return counts, texts


def token_lengths(file: Path, texts: dict[str, list[str]]) -> dict[str, dict[str, int]]:
    """Return quantiles of the row lengths in tokens by corpus, without the chat template's tokens.

    Raises:
        InputError: The model has no fast tokenizer.
    """
    from tokenizers import Tokenizer

    if not file.exists():
        raise InputError(f"{file} is missing; choose a base model with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(file))
    measured = {}
    for corpus, own in sorted(texts.items()):
        lengths = [len(each) for each in tokenizer.encode_batch_fast(own, add_special_tokens=False)]
        p50, p90, p99, longest = np.percentile(lengths, [50, 90, 99, 100], method="higher").tolist()
        measured[corpus] = {
            "num_rows": len(own),
            "p50": p50,
            "p90": p90,
            "p99": p99,
            "max": longest,
        }
    return measured


def sample_rows(
    path: Path,
    out: Path,
    tokenizer: Path,
    settings: Params,
    wanted: dict[str, Corpus],
    prompt: prompts.Params,
) -> dict[str, Any]:
    """Write train.parquet and validation.parquet into out; return the metrics.

    Args:
        path: File of the rows that passed the filters.
        wanted: How much to take from each corpus.

    Raises:
        InputError: A corpus or one of the two parts is empty.
    """
    corpus, coins, problems, templates = read_keys(path, settings.seed, [*wanted])
    taken = sample(corpus, coins, [*wanted.values()], settings.max_examples)
    in_validation = np.zeros(len(taken), np.bool_)
    in_validation[taken], num_split = split(problems[taken], templates[taken], settings)
    in_train = taken & ~in_validation
    for name, part in (("train", in_train), ("validation", in_validation)):
        if not part.any():
            raise InputError(
                f"the {name} set is empty: {taken.sum()} rows were sampled and "
                f"mix.validation_rate is {settings.validation_rate}; change it or take more rows"
            )
    measured = np.zeros(len(taken), np.bool_)
    for number in range(len(wanted)):
        measured |= smallest(in_train & (corpus == number), coins, MAX_MEASURED)
    copies = in_train * np.array([each.epochs for each in wanted.values()])[corpus]
    counts, texts = write_parts(path, out, copies, in_validation.astype(np.int64), measured, prompt)
    by_corpus, by_source = Counter[str](), Counter[str]()
    for (name, source), count in sorted(counts.items()):
        by_corpus[name] += count
        by_source[source] += count
    return {
        "num_in": len(taken),
        "num_sampled": int(taken.sum()),
        "num_train": int(copies.sum()),
        "num_validation": int(in_validation.sum()),
        "num_families_split": num_split,
        "train_by_corpus": dict(by_corpus),
        "train_by_source": dict(sorted(by_source.items())),
        "token_lengths": token_lengths(tokenizer, texts),
    }
