"""Build a task of lm-evaluation-harness from its file, over documents that we downloaded."""

import functools
import logging
import random
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.tables import Row

SEEDS = (0, 1234)  # The harness's own seeds of Python's and NumPy's global generators.
FEWSHOT_SEED = 1234


def config_of(file: str) -> dict[str, Any]:
    """Return the configuration of a task, with what its file includes.

    Args:
        file: The path in lm_eval/tasks/.

    Raises:
        InputError: The installed harness has no such file, or the file needs what is not installed.
    """
    import lm_eval.tasks
    from lm_eval.tasks._yaml_loader import load_yaml

    path = Path(lm_eval.tasks.__file__).parent / file
    if not path.is_file():
        raise InputError(f"lm-evaluation-harness has no file {file} in lm_eval/tasks/")
    try:
        config: dict[str, Any] = load_yaml(path)
    except (ImportError, AssertionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{file} of lm-evaluation-harness cannot be loaded: {said}") from None
    return config


def build(file: str, docs: list[Row], examples: list[Row] | None = None, **changes: Any) -> Any:
    """Return the harness's task with these documents as its test split.

    Args:
        examples: Documents of the split from which the task takes its examples.
        changes: Changes of the task's configuration.
    """
    import datasets
    import numpy as np
    from lm_eval.api.task import ConfigurableTask

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    unwanted = {"tag", "group", "dataset_path", "dataset_name", "dataset_kwargs", "metadata"}
    config = {key: value for key, value in config_of(file).items() if key not in unwanted}
    splits = {"test": datasets.Dataset.from_list(docs)}
    if examples:
        splits["examples"] = datasets.Dataset.from_list(examples)
    fewshot = {
        key: each for key, each in (config.get("fewshot_config") or {}).items() if key != "split"
    }
    config |= {
        "custom_dataset": functools.partial(lambda data, **_: data, splits),
        "test_split": "test",
        "validation_split": None,
        "training_split": None,
        "fewshot_split": "examples" if examples else None,
        "fewshot_config": fewshot or None,
    }
    random.seed(SEEDS[0])
    np.random.seed(SEEDS[1])
    datasets.disable_progress_bars()
    task = ConfigurableTask(config=config | changes)
    task.set_fewshot_seed(FEWSHOT_SEED)
    return task
