"""Read the inputs of the plan: the base model's configuration, and the lengths of mixed rows."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.data import receipts, sources
from mathledger.model import prompts
from mathledger.model.loading import load_config, reason
from mathledger.run.lineage import Lineage, lineage_file
from mathledger.training.sft import tokenise

MAX_MEASURED = 5_000  # most rows to tokenise


@dataclass(frozen=True)
class Rows:
    """The lengths in tokens of the training rows that fit max_length, with the chat template."""

    num: int
    num_too_long: int
    mean: float
    longest: int


def base_config(source: sources.ModelSource, base: Path) -> Any:
    """Load the base model's configuration from its folder, or from the hub if it is missing.

    Raises:
        InputError: the folder does not exist yet, and the hub has no config.json.
    """
    from transformers import AutoConfig

    receipt = base / "receipt.json"
    wanted = receipts.identity(source)
    if receipt.exists() and wanted.items() <= read_json(receipt).items():
        return load_config(base)
    if not isinstance(source, sources.Hub):
        raise InputError(f"{base} does not exist yet: run `dvc repro download_model`")
    try:
        with tempfile.TemporaryDirectory() as cache:
            return AutoConfig.from_pretrained(
                source.repo, revision=source.revision, cache_dir=cache, trust_remote_code=False
            )
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot load config.json of {source.repo} at {source.revision}: {reason(error)}"
        ) from None


def is_made_with(stage: str, params: dict[str, Any]) -> bool:
    """Return True if a stage's lineage file exists and records these params.

    Args:
        params: the content of params.yaml, flattened.

    Raises:
        InputError: the file has no params, or is damaged.
    """
    if not lineage_file(stage).exists():
        return False
    ran_with = Lineage.load(stage).params
    return all(params.get(key) == value for key, value in ran_with.items())


def measure_rows(path: Path, base: Path, max_length: int) -> Rows:
    """Measure the lengths of up to MAX_MEASURED evenly spaced rows of the training set.

    Raises:
        InputError: no row fits max_length.
    """
    table = pq.read_table(path)
    num = len(table)
    chosen = np.linspace(0, num - 1, min(num, MAX_MEASURED)).astype(int)
    rows = table.take(chosen).to_pydict()
    lengths = np.array(tokenise(rows, prompts.load_tokenizer(base))["length"])
    fits = lengths[lengths <= max_length]
    if not len(fits):
        raise InputError(f"no row of {path} fits train.max_length={max_length}: raise it")
    num_fitting = round(num * len(fits) / len(lengths))
    return Rows(num_fitting, num - num_fitting, float(fits.mean()), int(fits.max()))
