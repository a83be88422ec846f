"""Attach a file to the run of a result in MLflow."""

import os
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.run.mlflow_store import open_experiments, patient, quiet, refusal, store_uri
from mathledger.run.recorder import REPEATS, RUN_ID


def attach(file: Path, run_id: str, root: Path) -> str:
    """Log a file as an artifact of a result's run, and return the run's name.

    Args:
        run_id: the run's id in lineage/; a rebuilt run has it as a tag, and so has one that
            repeated the result.

    Raises:
        InputError: the store does not answer or refuses the file, or has no such run.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's 7 take minutes
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    quiet()
    uri = store_uri(root)
    try:
        experiments = open_experiments(uri, root)
        client = MlflowClient(patient(uri))
        for where in (
            f"attributes.run_id = '{run_id}'",
            *(f"tags.`{tag}` = '{run_id}'" for tag in (RUN_ID, REPEATS)),
        ):
            if runs := client.search_runs([experiments.results], where, max_results=1):
                client.log_artifact(runs[0].info.run_id, str(file))
                return str(runs[0].info.run_name)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(refusal(uri, error)) from None
    raise InputError(
        "MLflow has no run of this result; run `mathledger sync-mlflow`, then this command again"
    )
