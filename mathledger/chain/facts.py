"""Answer questions about a state for several commands: is it consistent, and what is private?"""

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
        params: the content of params.yaml, with which the receipts in data/ agree.
    """
    source = params.get("benchmark", {}).get(benchmark, {}).get("source", {})
    return bool(source.get("private"))


def expect_ledger_of_lock(chain: Chain, advice: str = "run `dvc repro model_card`") -> None:
    """Check that the ledger belongs to the runs in dvc.lock.

    Args:
        advice: the advice in the error message.

    Raises:
        InputError: a stage has run with other data since the ledger was written.
    """
    for name, inputs in chain.ledger.stages.items():
        if chain.stage(name).data_read != inputs:
            raise InputError(
                f"{LEDGER} of {chain.label} belongs to another run of {name} than {LOCK}: {advice}"
            )


def expect_ledger_of_run(chain: Chain, name: str) -> None:
    """Check that the ledger belongs to the run in a stage's lineage.

    Raises:
        InputError: the run read other data, or ran with other code than the ledger lists.
    """
    lineage, ledger = chain.lineage(chain.stage(name)), chain.ledger
    inputs = {path: md5 for path, md5 in lineage.deps.items() if is_data(path)}
    # The first ledgers listed code only under their stages.
    has_other_code = bool(ledger.code) and not lineage.code_files.items() <= ledger.code.items()
    if inputs != ledger.stages[name] or has_other_code:
        raise InputError(
            f"{LEDGER} of {chain.label} belongs to another run of {name} than {LOCK}: "
            "run `dvc repro model_card`"
        )


def changed_deps(stage: Stage, lineage: Lineage) -> list[str]:
    """Return the sorted dependencies with different digests in a run and in dvc.lock."""
    recorded = {path: dep.md5 for path, dep in stage.deps.items()}
    return sorted(path for path, *_ in differences(lineage.deps, recorded))


def changed_params(stage: Stage, lineage: Lineage) -> list[str]:
    """Return the sorted keys of the params with different values in a run and in dvc.lock."""
    return sorted(key for key, *_ in differences(lineage.params, flatten(stage.params)))


def responses(chain: Chain, model: str, benchmark: str) -> Path:
    """Return the cached file of the responses from which a number was computed.

    Raises:
        InputError: the file is not in the cache, or the ledger belongs to other responses.
    """
    name = responses_path(model, benchmark)
    path = chain.cached(name)
    if sha256(path) != chain.score(model, benchmark).samples_sha256:
        raise InputError(
            f"{LEDGER} of {chain.label} belongs to other responses than {name}: "
            "run `dvc repro model_card`"
        )
    return path
