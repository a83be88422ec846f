"""Check the links of the training set: it holds no canary, and the data stages are reproducible."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathledger.card.outputs import KEPT
from mathledger.chain.facts import is_private
from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.verify import comparing
from mathledger.verify.project import Check, Project
from mathledger.verify.sources import scratch

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
    """Check that the data stages write the same bytes if each runs again on the stored inputs."""
    num_files = 0
    # A training row may be a copy of a private item.
    shows_text = not any(
        is_private(project.settings, name) for name in project.settings["benchmark"]
    )
    with scratch() as name:
        for stage, item in _stages(project):
            folder = Path(name) / stage / (item or "")
            out, metrics = folder / "data", folder / "metrics.json"
            try:
                # Without engine.start: every runner gives the same bytes, and threads are the
                # default.
                write_json(metrics, RERUN[stage](project, item, out))
            except InputError as error:
                yield f"{stage} does not run on its stored input: {error}"
                continue
            stored = project.outputs.data / stage / (item or "")
            yield from _strangers(stored, out)
            for ignored in NOT_COMPARED:
                (out / ignored).unlink(missing_ok=True)
            for path in sorted(each for each in out.rglob("*") if each.is_file()):
                num_files += 1
                yield from comparing.files(stored / path.relative_to(out), path, shows_text)
            num_files += 1
            yield from comparing.files(project.outputs.metrics_file(stage, item), metrics)
    return f"prepare, deduplicate, decontaminate and mix write the same bytes ({num_files} files)"


def _strangers(stored: Path, out: Path) -> Iterator[str]:
    for path in comparing.files_below(stored):
        if not (out / path.relative_to(stored)).exists():
            yield f"{path} is not made by its stage: remove it"


def _stages(project: Project) -> Iterator[tuple[str, str | None]]:
    yield from (("prepare", corpus) for corpus in project.settings["corpus"])
    yield from ((stage, None) for stage in ("deduplicate", "decontaminate", "mix"))


def _prepare(project: Project, corpus: str | None, out: Path) -> dict[str, Any]:
    from mathledger.filters import prepare
    from mathledger.run import params

    assert corpus
    mapping = params.load(f"corpus.{corpus}.mapping", prepare.Mapping)
    limits = params.load("prepare", prepare.Params)
    folder = project.outputs.data / "download_corpus" / corpus
    return prepare.filter_rows(corpus, folder, out, mapping, limits)


def _deduplicate(project: Project, _: str | None, out: Path) -> dict[str, Any]:
    from mathledger.filters import deduplicate, reviewed
    from mathledger.run import params

    settings = params.load("deduplicate", deduplicate.Params)
    corpora = project.settings["corpus"]
    paths = [project.outputs.data / "prepare" / corpus / KEPT for corpus in corpora]
    verdicts = reviewed.read(reviewed.FILES["deduplicate"])
    return deduplicate.filter_rows(paths, out, settings, verdicts)


def _decontaminate(project: Project, _: str | None, out: Path) -> dict[str, Any]:
    from mathledger.filters import decontaminate, judge, reviewed
    from mathledger.filters.items import read_items
    from mathledger.run import params

    settings = params.load("decontaminate", decontaminate.Params)
    items = read_items(project.outputs.benchmarks, project.settings["benchmark"])
    verdicts = reviewed.read(reviewed.FILES["decontaminate"])
    if settings.judge:
        judge.restore(project.outputs.kept.parent / "judgements.parquet", judge.store())
    rows = project.outputs.deduplicated
    return decontaminate.filter_rows(rows, items, out, settings, verdicts)


def _mix(project: Project, _: str | None, out: Path) -> dict[str, Any]:
    from mathledger.filters import mix
    from mathledger.model import prompts
    from mathledger.run import params

    settings = params.load("mix", mix.Params)
    prompt = params.load("prompt", prompts.Params)
    wanted = {
        corpus: params.load(f"corpus.{corpus}.mix", mix.Corpus)
        for corpus in project.settings["corpus"]
    }
    tokenizer = project.outputs.model("base") / "tokenizer.json"
    return mix.sample_rows(project.outputs.kept, out, tokenizer, settings, wanted, prompt)


RERUN = {
    "prepare": _prepare,
    "deduplicate": _deduplicate,
    "decontaminate": _decontaminate,
    "mix": _mix,
}
