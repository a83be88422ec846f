"""Read a stage's dependencies, params and outputs from DVC."""

import logging
from collections.abc import Iterable
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.keys import flatten
from mathledger.core.paths import is_code


def declared(
    name: str,
) -> tuple[dict[str, str], dict[str, str], dict[str, Any], list[Any]]:
    """Read a stage's dependencies, params and outputs from DVC.

    Returns:
        The digests of its dependencies by path, as dvc.lock will hold them; the md5 of every file
        in its code dependencies; its params, flattened; its outputs as DVC objects.
    """
    from dvc.dependency import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.parsing import ResolveError
    from dvc.repo import Repo
    from dvc.stage.exceptions import StageNotFound

    logging.getLogger("dvc").setLevel(logging.WARNING)
    deps: dict[str, str] = {}
    code: dict[str, str] = {}
    params: dict[str, Any] = {}
    try:
        repo = Repo()
    except DvcException as error:
        raise InputError(f"DVC cannot open the project: {_line(error)}") from None
    with repo:
        try:
            stages = repo.stage.collect(name)
        except StageNotFound:
            stages = []
        except ResolveError as error:
            raise InputError(
                f"dvc.yaml does not fit params.yaml ({error}): run `python -m stages.params`"
            ) from None
        except DvcException as error:  # for one, a dvc.lock that a kill left torn
            raise InputError(
                f"DVC cannot read the project: {_line(error)}; `python -m mathledger.run.repair` "
                "restores a torn dvc.lock"
            ) from None
        if len(stages) != 1:  # several stages match a matrix name without an item
            raise InputError(
                "params.yaml names no such stage: `dvc stage list` lists the stages; "
                "`python -m stages.params` with overrides chooses corpora and benchmarks"
            )
        (stage,) = stages
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                params.update(flatten(dep.read_params()))
                continue
            if not dep.exists:
                raise InputError(f"{dep.def_path} is missing: run `dvc repro`, or `dvc pull`")
            dep.save()
            deps[dep.def_path] = dep.hash_info.value
            if is_code(dep.def_path):
                code |= _files_of(dep)
    return deps, dict(sorted(code.items())), params, list(stage.outs)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _files_of(dep: Any) -> dict[str, str]:
    """Return the md5 of every file of a dependency that DVC has hashed, by path."""
    if not dep.hash_info.isdir:
        return {dep.def_path: dep.hash_info.value}
    return {"/".join((dep.def_path, *key)): digest.value for key, _, digest in dep.obj}


def digests(outs: Iterable[Any]) -> dict[str, str]:
    """Return the digests of the existing outputs by path, as dvc.lock will hold them."""
    return {out.def_path: out.get_hash().value for out in outs if out.exists}
