"""Propose problems that are close in meaning to an item but share too little of its text.

Paraphrases and translations keep the meaning and change the words. An embedding model proposes them
as candidates for a person to review; similarity alone never removes a row.
"""

from collections.abc import Iterator
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm  # type: ignore[import-untyped]

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.extras import install
from mathledger.core.hashing import sha256
from mathledger.core.paths import given_path
from mathledger.core.tables import Writer, num_rows, read_batches
from mathledger.filters.decision import Match
from mathledger.filters.items import Item

WEIGHTS = "model.safetensors"
BATCH = 64  # Number of texts encoded at a time.
CANDIDATE = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("problem", pa.string()),
        pa.field("benchmark", pa.string()),
        pa.field("item_id", pa.string()),
        pa.field("item_problem", pa.string()),  # Null if the benchmark is private.
        pa.field("cosine", pa.float32()),
    ]
)

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, config=STRICT)
class Params:
    model: str = Field(description="Folder that sentence-transformers can load.")
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="Digest of the model.safetensors in that folder.",
    )
    min_cosine: float = Field(
        gt=0,
        le=1,
        description="Smallest cosine similarity of a proposed pair, such as 0.85.",
    )


@plain_dataclass(frozen=True)
class Proposed:
    row: int
    item: int
    cosine: float


class Embedder:
    """An embedding model, and the vectors of the items with which it compares texts."""

    def __init__(self, settings: Params, items: list[str]) -> None:
        self._model = load(settings)
        self._min_cosine = settings.min_cosine
        self._items = self._encode(items)

    def _encode(self, texts: list[str]) -> F32:
        vectors: F32 = self._model.encode(
            texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    def propose(self, texts: list[str]) -> Iterator[Proposed]:
        """Yield the pairs of a text and an item whose cosine is at least min_cosine, in order."""
        cosines = self._encode(texts) @ self._items.T
        for row, item in np.argwhere(cosines >= self._min_cosine).tolist():
            yield Proposed(row, item, round(float(cosines[row, item]), 4))


def load(settings: Params) -> Any:
    """Return the embedding model of a folder.

    Raises:
        InputError: sentence-transformers or the folder is missing, or the weights do not match.
    """
    weights = given_path(settings.model) / WEIGHTS
    if not weights.is_file():
        raise InputError(
            f"decontaminate.embeddings.model: there is no {weights}; name a folder that "
            "sentence-transformers can load"
        )
    digest = sha256(weights)
    if digest != settings.sha256:
        raise InputError(
            f"{weights} has sha256 {digest}, expected {settings.sha256}: this is not the model "
            "that decontaminate.embeddings pins. If it is intended, put the new digest into conf/"
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise InputError(
            f"decontaminate.embeddings needs sentence-transformers: run {install('embeddings')}"
        ) from None
    return SentenceTransformer(str(weights.parent), local_files_only=True, trust_remote_code=False)


def write_candidates(
    path: Path,
    problems: Path,
    items: list[Item],
    settings: Params,
    matches: dict[str, list[Match]],
    left_out: set[str],
) -> tuple[int, set[tuple[str, int]]]:
    """Write the proposed pairs that have no overlap class.

    Args:
        problems: A file with the columns `id` and `problem`.
        matches: The matches of each problem that has any, by id.
        left_out: Ids that are never proposed.

    Returns:
        The number of pairs written, and the proposed pairs of id and item that have a class.
    """
    classified = {(row, match.item) for row, own in matches.items() for match in own}
    known: set[tuple[str, int]] = set()
    embedder = Embedder(settings, [item.problem for item in items])
    with (
        Writer(path, CANDIDATE) as writer,
        tqdm(total=num_rows(problems), unit=" problems", unit_scale=True, disable=None) as bar,
    ):
        for batch in read_batches(problems, ["id", "problem"]):
            ids, texts = (column.to_pylist() for column in batch.columns)
            rows = []
            for pair in embedder.propose(texts):
                row, item = ids[pair.row], items[pair.item]
                if row in left_out:
                    continue
                if (row, pair.item) in classified:
                    known.add((row, pair.item))
                    continue
                rows.append(
                    {
                        "id": row,
                        "problem": texts[pair.row],
                        "benchmark": item.benchmark,
                        "item_id": item.id,
                        "item_problem": None if item.private else item.problem,
                        "cosine": pair.cosine,
                    }
                )
            writer.write(pa.Table.from_pylist(rows, schema=CANDIDATE))
            bar.update(len(batch))
    return writer.num_rows, known
