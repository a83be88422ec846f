"""Check the links of the training set: it holds no canary, and the filter is reproducible."""

import tempfile
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.verify.project import Check, Project

# The candidates for review need an embedding model, and the filter's decisions ignore them.
NOT_COMPARED = ("candidates.parquet", "judgements.parquet")


def canaries(project: Project) -> Check:
    """Check that the training set holds no canary, and no benchmark item if they are removed.

    An item's text may be there if somebody judged that it is another problem.
    """
    from mathledger.core.tables import read_batches
    from mathledger.filters import decontaminate, reviewed
    from mathledger.filters.canaries import choose
    from mathledger.filters.items import read_items
    from mathledger.run import params

    settings = params.load("decontaminate", decontaminate.Params)
    items = read_items(project.outputs.benchmarks, project.settings["benchmark"])
    hidden = choose(items, settings.canaries_per_benchmark, settings.seed)
    forbidden = {canary.id for canary in hidden}
    verdicts = reviewed.read(reviewed.FILES["decontaminate"])
    cleared = {verdict.pair for verdict in verdicts if verdict.verdict == "different"}
    texts = {item.problem: f"item {item.id} of {item.benchmark}" for item in items}
    filtered = project.outputs.kept
    kept = set()
    for batch in read_batches(filtered, ["id", "problem"]):
        ids, problems = (column.to_pylist() for column in batch.columns)
        kept.update(ids)
        for row, problem in zip(ids, problems, strict=True):
            if row in forbidden:
                yield f"{filtered}: row {row} is a canary"
            is_item = problem in texts and reviewed.pair(problem, problem) not in cleared
            if is_item and settings.action == "remove":
                yield f"{filtered}: row {row} is {texts[problem]}"
    num_rows = 0
    for path in (project.outputs.mix("train"), project.outputs.mix("validation")):
        for batch in read_batches(path, ["id"]):
            num_rows += len(batch)
            for row in batch.column(0).to_pylist():
                if row not in kept:
                    yield f"{path}: row {row} did not pass the filter"
    return f"{num_rows:,} training rows passed the filter, and none of {len(hidden):,} canaries did"


def again(project: Project) -> Check:
    """Check that the filter writes the same bytes if it runs again on the same rows."""
    from mathledger.core.files import write_json
    from mathledger.filters import decontaminate, judge, reviewed
    from mathledger.filters.items import read_items
    from mathledger.run import params

    settings = params.load("decontaminate", decontaminate.Params)
    scratch = Path(".scratch")
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="verify-") as name:
        filtered = project.outputs.kept.parent
        again, metrics = Path(name) / "data", Path(name) / "metrics.json"
        try:
            # Without engine.start: every runner gives the same bytes, and threads are the default.
            items = read_items(project.outputs.benchmarks, project.settings["benchmark"])
            rows = project.outputs.deduplicated
            verdicts = reviewed.read(reviewed.FILES["decontaminate"])
            if settings.judge:
                judge.restore(filtered / "judgements.parquet", judge.store())
            found = decontaminate.filter_rows(rows, items, again, settings, verdicts)
            write_json(metrics, found)
        except InputError as error:
            raise InputError(f"the filter does not run: {error}") from None
        files = {path: filtered / path.name for path in sorted(again.iterdir())} | {
            metrics: project.outputs.metrics_file("decontaminate")
        }
        compared = {path: own for path, own in files.items() if path.name not in NOT_COMPARED}
        for path, own in compared.items():
            if not own.is_file():
                yield f"{own} is missing: run `dvc pull`"
            elif own.read_bytes() != path.read_bytes():
                yield f"{own} differs from what the filter writes"
    return f"the filter writes the same bytes again ({len(compared)} files)"
