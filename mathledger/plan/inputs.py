"""Read the inputs of the plan: the base model's configuration, and whether rows are mixed."""

import tempfile
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.data import receipts, sources
from mathledger.model.loading import load_config, reason
from mathledger.run.lineage import Lineage, lineage_file


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
