"""Summarise the responses behind a number."""

import shlex
from collections import Counter
from dataclasses import dataclass

import pyarrow.parquet as pq

from mathledger.chain.chain import Chain
from mathledger.chain.lock import LOCK, Stage
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.paths import is_data


@dataclass(frozen=True)
class Predictions:
    """A file of graded responses, with its digests and counts."""

    path: str
    sha256: str
    md5: str
    bytes: int
    num_samples: int
    by_verdict: dict[str, int]
    num_truncated: int
    num_too_long: int


def predictions(chain: Chain, stage: Stage) -> Predictions:
    """Count the responses of an evaluation by verdict.

    Raises:
        InputError: dvc.lock lists no data output of the stage.
    """
    folder = next((path for path in stage.outs if is_data(path)), None)
    if folder is None:
        raise InputError(
            f"{LOCK} of {chain.label} lists no data output of {stage.name}: run "
            f"`dvc repro {shlex.quote(stage.name)}`"
        )
    path = f"{folder}/samples.parquet"
    file = chain.cached(path)
    table = pq.read_table(file, columns=["verdict", "finish_reason"])
    verdicts = Counter(table.column("verdict").to_pylist())
    ends = Counter(table.column("finish_reason").to_pylist())
    return Predictions(
        path,
        sha256(file),
        chain.md5(path),
        file.stat().st_size,
        len(table),
        {name: verdicts[name] for name in ("correct", "wrong", "no_answer")},
        ends["length"],
        ends["too_long"],
    )
