"""Format the chain of a number as JSON or as a tree."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mathledger.card.ledger import Score
from mathledger.chain.chain import LEDGER
from mathledger.core.paths import is_data
from mathledger.trace.number import NumberTrace
from mathledger.trace.steps import Digest, Step
from mathledger.trace.tree import REMARK, SHOWN, Branch

LINKED = ("train", "reinforce", "evaluate")  # the tree links to the runs of these stages
NOT_OF_THE_RUN = ("stage", "item", "deps", "code", "params", "packages", "hardware")


def content(trace: NumberTrace) -> dict[str, Any]:
    """Return the chain as `--json` prints it."""
    score, benchmark = trace.score, trace.benchmark
    return {
        "revision": trace.revision,
        "commit": trace.commit,
        "number": {
            "benchmark": benchmark.benchmark,
            "model": trace.model,
            "accuracy": score.accuracy,
            "low": score.low,
            "high": score.high,
            "num_correct": score.num_correct,
            "num_samples": score.num_samples,
            "num_items": score.num_items,
            "num_items_overlapping": benchmark.num_items_overlapping_training_candidates,
            "without_overlap": score.items_without_overlap.content(),
            "about": benchmark.about,
            "ledger": {"path": LEDGER, "sha256": trace.ledger_sha256},
        },
        "predictions": vars(trace.predictions),
        "grader": {"versions": score.graders, "code": trace.grading_code},
        "items_digest": benchmark.source.items_digest,
        "mlflow": {"store": trace.store.name, "how": trace.store.how},
        "steps": [_step(step) for step in trace.steps],
        "remarks": trace.remarks,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "stage": step.stage,
        "reads": step.reads,
        "reported": step.reported,
        "params": step.params,
        "deps": {path: _digest(dep) for path, dep in step.deps.items()},
        "outs": {path: _digest(out) for path, out in step.outs.items()},
        "command": step.command,
        "run": run_record(step),
        "code": step.lineage.code_files,
        "packages": step.lineage.packages,
        "hardware": step.lineage.hardware.content(),
    }


def _digest(digest: Digest) -> dict[str, Any]:
    files = {} if digest.files is None else {"files": digest.files}
    return {"md5": digest.md5, "bytes": digest.bytes, **files}


def run_record(step: Step) -> dict[str, Any]:
    """Return the record of a run itself: ids, times, and the facts that the stage added."""
    recorded = step.lineage.content()
    own = {key: value for key, value in recorded.items() if key not in NOT_OF_THE_RUN}
    return {**own, "link": step.link, "has_commit": step.has_commit}


def tree(trace: NumberTrace) -> Branch:
    """Return the tree: predictions, grader, items, then the model with everything behind it."""
    steps = {step.stage: step for step in trace.steps}
    evaluate = trace.steps[0]
    owners: dict[str, str] = {}  # a stage with several readers hangs on the one nearest the number
    for step in trace.steps:
        for name in step.reads:
            owners.setdefault(name, step.stage)
    benchmark = f"download_benchmark@{trace.benchmark.benchmark}"

    def branch(name: str) -> Branch:
        step = steps[name]
        own = [each for each in step.reads if owners[each] == name]
        above = [each for each in step.reads if owners[each] != name]
        made = Branch(name, summary(step), [*details(step), *_also(above)])
        made.branches = [branch(each) for each in own]
        if name.startswith("download_benchmark@") and name != benchmark:
            made.lines = made.lines[:1]  # only the filter reads it
        return made

    items = branch(benchmark)
    items.lines.insert(1, f"items {trace.benchmark.source.items_digest[:SHOWN]}")
    return Branch(
        f"{trace.benchmark.benchmark} @ {trace.model}",
        share(trace.score),
        _about(trace),
        [
            _predictions(trace),
            _grader(trace),
            items,
            *(branch(name) for name in evaluate.reads if name != benchmark),
            *_in_common(trace),
            Branch("more", "--json shows full digests, digests of every file, and unset params"),
            *(Branch(REMARK, remark) for remark in trace.remarks),
        ],
    )


def _about(trace: NumberTrace) -> list[str]:
    """Return lines on the ledger that has the number, and on the overlap with the corpora."""
    clean = trace.score.items_without_overlap
    on_others = 0 < clean.num_items < trace.score.num_items
    return [
        f"{trace.revision}: {LEDGER}, sha256 {trace.ledger_sha256[:SHOWN]}",
        found_in_corpora(trace) + (f"; on the others {share(clean)}" if on_others else ""),
        *([trace.benchmark.about] if trace.benchmark.about else []),
    ]


def found_in_corpora(trace: NumberTrace) -> str:
    """Say how many items the filter found, also among those that are not evaluated."""
    found = trace.score.items_with_overlap.num_items
    others = trace.benchmark.num_items_overlapping_training_candidates - found
    return f"{found} of {trace.score.num_items} items were found in the corpora" + (
        f", and {others} that are not evaluated" if others else ""
    )


def _predictions(trace: NumberTrace) -> Branch:
    own = trace.predictions
    counts = [f"{count} {name.replace('_', ' ')}" for name, count in own.by_verdict.items()]
    cut = {"truncated": own.num_truncated, "too long to send": own.num_too_long}
    counts += [f"{count} {how}" for how, count in cut.items() if count]
    return Branch(
        "predictions",
        f"{own.num_samples:,} responses: {', '.join(counts)}",
        [f"{own.path} sha256 {own.sha256[:SHOWN]}", *details(trace.steps[0])[1:]],
    )


def _grader(trace: NumberTrace) -> Branch:
    code = ", ".join(f"{path} {md5[:SHOWN]}" for path, md5 in trace.grading_code.items())
    return Branch("grader", ", ".join(trace.score.graders), [f"code {code}"])


def share(score: Score) -> str:
    """Format a score as `45.3% [33.7, 57.4], 29 of 64 responses`."""
    accuracy, low, high = (100 * (part or 0) for part in (score.accuracy, score.low, score.high))
    return (
        f"{accuracy:.1f}% [{low:.1f}, {high:.1f}], {score.num_correct:,} of "
        f"{score.num_samples:,} responses"
    )


def summary(step: Step) -> str:
    """Summarise a stage in a line: its rows, its download, or its training."""
    told, kind = step.reported, step.kind
    if kind.startswith("download_"):
        rows = f", {told['num_rows']:,} rows" if told.get("num_rows") else ""
        return f"{told['name']} {told['revision']}, {told['licence']}{rows}"
    if kind == "mix":
        return (
            f"{told['num_in']:,} rows in, {told['num_sampled']:,} sampled: "
            f"{told['num_train']:,} for training, {told['num_validation']:,} for validation"
        )
    if "num_removed" in told:
        reasons = ", ".join(f"{num:,} {reason}" for reason, num in _by_reason(told).items())
        return (
            f"{told['num_in']:,} rows in, {told['num_kept']:,} kept, "
            f"{told['num_removed']:,} removed" + (f" ({reasons})" if reasons else "")
        )
    if kind == "train":
        return (
            f"{told['num_examples']:,} examples, {told['num_steps']:,} steps of "
            f"{told['effective_batch_size']}, loss {told['first_loss']} to {told['last_loss']}"
        )
    if kind == "reinforce":
        return (
            f"{told['num_problems']:,} problems, {told['num_steps']:,} steps, reward "
            f"{told['first_reward']} to {told['last_reward']}"
        )
    return ""


def _by_reason(told: Mapping[str, Any]) -> dict[str, int]:
    return dict(told["removed_by_reason"])


def details(step: Step) -> list[str]:
    """Return lines on a stage's outputs (the first line), canaries, params and run."""
    written = [f"{path} md5 {out.md5[:SHOWN]}" for path, out in step.outs.items() if is_data(path)]
    lines = [", ".join(written)]
    files = step.reported.get("files", {})
    if step.kind == "download_corpus":
        lines += [f"{name} sha256 {file['sha256'][:SHOWN]}" for name, file in files.items()][:4]
        lines += [f"and {len(files) - 4} more files"] if len(files) > 4 else []
    if "canaries" in step.reported:
        tested = step.reported["canaries"].items()
        lines.append("canaries " + ", ".join(f"{k} {v['num_found']}/{v['num']}" for k, v in tested))
    return [*lines, f"params {params(step)}", f"run {run(step)}"]


def params(step: Step) -> str:
    """Format the params that the stage read and that are set.

    A stage that reads all corpora or benchmarks uses only their names, and the section with the
    stage's name.
    """
    shown = {}
    others: dict[str, list[str]] = {}
    for key, value in step.params.items():
        section, *rest = key.split(".")
        is_of_all = section in ("corpus", "benchmark") and "@" not in step.stage
        if is_of_all and rest[1:2] != [step.kind]:
            if rest[0] not in others.setdefault(section, []):
                others[section].append(rest[0])
        elif value is None:
            continue
        elif section in ("corpus", "benchmark") and not is_of_all:
            shown[".".join(rest[1:])] = value  # the stage's name already says which one
        else:
            shown[key.removeprefix(f"{step.kind}.")] = value
    texts = [f"{key}={spelled(value)}" for key, value in shown.items()]
    texts += [f"{section}={','.join(names)}" for section, names in others.items()]
    return ", ".join(texts)


def spelled(value: Any) -> str:
    """Format a param's value on a line; a digest is shortened."""
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{40,}", value):
        return value[:SHOWN]
    if isinstance(value, str) and value and not set(value) & set(' \n,="'):
        return value
    return json.dumps(value, ensure_ascii=False)


def run(step: Step) -> str:
    own = step.lineage
    day, _, time = own.started.partition("T")
    dirty = " + changes" if own.code_is_dirty else ""
    experiment = f", experiment {own.experiment}" if own.experiment else ""
    return (
        f"{own.mlflow_run_id}, {day} {time[:5]}, {own.seconds:,} s, code "
        f"{own.git_revision[:10]}{dirty}{experiment}"
    )


def _also(names: Sequence[str]) -> list[str]:
    return [f"also reads {', '.join(names)} (above)"] if names else []


def _in_common(trace: NumberTrace) -> list[Branch]:
    """Return branches for code, packages, hardware and links, with the stages that share them."""
    steps = trace.steps
    made = []
    for name, texts in (
        ("code", {step.stage: _code(step) for step in steps}),
        ("packages", {step.stage: _pairs(step.lineage.packages) for step in steps}),
        ("hardware", {step.stage: _pairs(step.lineage.hardware.content()) for step in steps}),
    ):
        groups: dict[str, list[str]] = {}
        for stage, text in texts.items():
            groups.setdefault(text, []).append(stage)
        for text, stages in sorted(groups.items(), key=lambda group: -len(group[1])):
            made.append(Branch(name, text, [_of_stages(stages, len(steps))]))
    links = [f"{step.stage} {step.link}" for step in steps if step.link and step.kind in LINKED]
    return [*made, Branch("mlflow", trace.store.how, links)]


def _code(step: Step) -> str:
    return (
        f"{step.lineage.git_revision[:10]}, "
        + ("with uncommitted changes" if step.lineage.code_is_dirty else "clean")
        + ("" if step.has_commit else "; not in this clone")
    )


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _of_stages(names: Sequence[str], num_stages: int) -> str:
    if len(names) == num_stages:
        return f"all {num_stages} stages"
    return f"{len(names)} of {num_stages} stages" + (
        f": {', '.join(names)}" if len(names) <= 6 else ""
    )
