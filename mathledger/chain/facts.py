"""What several commands ask of a state: do its records belong together, what is private?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathledger.card.outputs import responses_path
from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.lock import LOCK, Stage
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.keys import differences, flatten
from mathledger.core.paths import is_data
from mathledger.run.lineage import Lineage


def is_private(params: Mapping[str, Any], benchmark: str) -> bool:
    """Return True if the text of a benchmark's items must not be shown.

    Args:
        params: the content of params.yaml, which the receipts in data/ follow.
    """
    source = params.get("benchmark", {}).get(benchmark, {}).get("source", {})
    return bool(source.get("private"))


def expect_ledger_of_lock(chain: Chain, mend: str = "run `dvc repro model_card`") -> None:
    """Check that the ledger is of the runs that dvc.lock records.

    Args:
        mend: what to do, for the error.

    Raises:
        InputError: names a stage that has been run with other data since the ledger was written.
    """
    for name, inputs in chain.ledger.stages.items():
        if chain.stage(name).data_read != inputs:
            raise InputError(
                f"{LEDGER} of {chain.label} speaks of another run of {name} than {LOCK}: {mend}"
            )


def expect_ledger_of_run(chain: Chain, name: str) -> None:
    """Check that the ledger is of the run that a stage's lineage records.

    Raises:
        InputError: the run read other data, or ran with code that the ledger does not name.
    """
    lineage, ledger = chain.lineage(chain.stage(name)), chain.ledger
    inputs = {path: md5 for path, md5 in lineage.deps.items() if is_data(path)}
    # The first ledgers named no code apart from their stages.
    has_other_code = bool(ledger.code) and not lineage.code_files.items() <= ledger.code.items()
    if inputs != ledger.stages[name] or has_other_code:
        raise InputError(
            f"{LEDGER} of {chain.label} speaks of another run of {name} than {LOCK}: "
            "run `dvc repro model_card`"
        )


def changed_deps(stage: Stage, lineage: Lineage) -> list[str]:
    """Return the dependencies that a run read as other files than the lock records, sorted."""
    recorded = {path: dep.md5 for path, dep in stage.deps.items()}
    return sorted(path for path, *_ in differences(lineage.deps, recorded))


def changed_params(stage: Stage, lineage: Lineage) -> list[str]:
    """Return the params, by dotted key, whose values in a run are not the lock's, sorted."""
    return sorted(key for key, *_ in differences(lineage.params, flatten(stage.params)))


def responses(chain: Chain, model: str, benchmark: str) -> Path:
    """Return the cache's file of the responses that a number was computed from.

    Raises:
        InputError: it is not in the cache, or the ledger speaks of other responses.
    """
    name = responses_path(model, benchmark)
    path = chain.cached(name)
    if sha256(path) != chain.score(model, benchmark).samples_sha256:
        raise InputError(
            f"{LEDGER} of {chain.label} speaks of other responses than {name}: "
            "run `dvc repro model_card`"
        )
    return path
