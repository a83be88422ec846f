"""Keep the committed record of a result when a run repeats that result byte for byte.

A lineage file holds times and a run id, and dvc.lock holds its digest, so each rerun would change
both although every result is the same. A result therefore keeps the record of the run that made it
first. Git holds these records in the lineage file of `model_card`, and from them a stage writes its
own lineage file again, in a fresh clone too. The repeated run itself is in MLflow: the tag
`mathledger.repeats` names the first run, and the artifact `lineage.json` holds its own record.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.core.hashing import content_id
from mathledger.core.paths import is_lineage
from mathledger.run.git import find_object, git, read_object
from mathledger.run.lineage import FROM_INPUTS, Lineage, lineage_file

CARD = "model_card"


def result_id(
    deps: Mapping[str, str], code: Mapping[str, str], params: Any, outs: Mapping[str, str]
) -> str:
    """Return a digest of all that a run read, and of all that it made except its own record.

    Args:
        deps: DVC's digest of each dependency by path.
        code: the md5 of each code file by path.
        outs: DVC's digest of each output by path.
    """
    made = {path: md5 for path, md5 in outs.items() if not is_lineage(path)}
    return content_id(json.dumps([deps, code, params, made], sort_keys=True))


def first_record(ran: Lineage) -> Lineage | None:
    """Return the committed lineage of the run that made the same result first; None if none did.

    A record whose commit is gone from a complete clone does not count, because it cannot be
    verified any more. Nor does one with uncommitted changes if this run has none: its commit names
    the code that ran.
    """
    committed = _committed_card()
    if committed is None:
        return None
    own = committed.own_facts() if ran.stage == CARD else (committed.runs or {}).get(ran.name)
    if not own or own.get("result") != ran.result or not ran.result:
        return None
    from_inputs = {key: value for key, value in ran.content().items() if key in FROM_INPUTS}
    try:
        first = Lineage.read({**from_inputs, **own}, f"the committed record of {ran.name}")
    except InputError:
        return None
    if first.code_is_dirty and not ran.code_is_dirty:
        return None
    is_known = find_object(f"{first.git_revision}^{{commit}}") is not None
    is_shallow = git("rev-parse", "--is-shallow-repository") == "true"
    return first if is_known or is_shallow else None


def restore_records(paths: list[str]) -> None:
    """Write the files in lineage/ that git holds, such as speeds by step, as they are in HEAD."""
    for path in paths:
        content = read_object(f"HEAD:./{path}")
        if content is not None and is_lineage(path):
            write_text(Path(path), content.decode("utf-8"))


def _committed_card() -> Lineage | None:
    """Return the committed lineage of the model card; None if there is none that can be read."""
    file = lineage_file(CARD).as_posix()
    content = read_object(f"HEAD:./{file}")
    try:
        return None if content is None else Lineage.read(json.loads(content), file)
    except (ValueError, InputError):
        return None
