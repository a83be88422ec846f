"""The chain of a number as a tree for a terminal."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mathledger.core import terminal
from mathledger.core.paths import is_data
from mathledger.trace.number import Found

SHOWN = 12  # digits of a digest
BOLD, DIM, YELLOW, CYAN = "1", "2", "33", "36"


@dataclass
class Branch:
    """A line of the tree, those below it, and what hangs on it."""

    name: str
    title: str
    lines: list[str] = field(default_factory=list)
    branches: list["Branch"] = field(default_factory=list)


def text(found: Found) -> str:
    """The chain of a number."""
    return printed(root(found))


def printed(branch: Branch) -> str:
    """A tree in the terminal's width, coloured where it is one."""
    return "\n".join(draw(branch, terminal.width(), terminal.has_colour()))


def draw(branch: Branch, width: int, has_colour: bool) -> Iterator[str]:
    """The lines of a tree, none longer than the width unless a word is."""

    def paint(code: str, words: str) -> str:
        return terminal.paint(code, words) if has_colour else words

    def lines(branch: Branch, first: str, rest: str) -> Iterator[str]:
        below = rest + ("│  " if branch.branches else "   ")
        name = terminal.printable(branch.name)
        title = f"{name}  {terminal.printable(branch.title)}".rstrip()
        start, *more = wrap(title, width - len(below))
        named = start.removeprefix(name)
        code = YELLOW if name == "remark" else CYAN if first else BOLD
        yield paint(DIM, first) + (paint(code, name) + named if named != start else start)
        for line in more:
            yield paint(DIM, below) + line
        for words in branch.lines:
            for line in wrap(terminal.printable(words), width - len(below), "  "):
                yield paint(DIM, below + line)
        for each in branch.branches:
            is_last = each is branch.branches[-1]
            yield from lines(
                each, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  ")
            )

    return lines(branch, "", "")


def wrap(words: str, width: int, indent: str = "") -> list[str]:
    """The text in lines of the width; links and digests are never broken."""
    return textwrap.wrap(
        words,
        max(width, 24),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def root(found: Found) -> Branch:
    """The whole tree."""
    number, steps = found["number"], {each["stage"]: each for each in found["steps"]}
    first = found["steps"][0]
    owners: dict[str, str] = {}  # a stage that several read hangs on the one nearest to the number
    for each in found["steps"]:
        for name in each["reads"]:
            owners.setdefault(name, each["stage"])
    benchmark = f"download_benchmark@{number['benchmark']}"

    def branch(name: str) -> Branch:
        step = steps[name]
        own = [each for each in step["reads"] if owners[each] == name]
        above = [each for each in step["reads"] if owners[each] != name]
        made = Branch(name, summary(step), [*details(step), *also(above)])
        made.branches = [branch(each) for each in own]
        if name.startswith("download_benchmark@") and name != benchmark:
            made.lines = made.lines[:1]  # read by the filter alone
        return made

    said = found["predictions"]
    verdicts = ", ".join(
        f"{count} {verdict.replace('_', ' ')}" for verdict, count in said["by_verdict"].items()
    )
    cut = {"truncated": said["num_truncated"], "too long to be asked": said["num_too_long"]}
    cuts = [f"{count} {how}" for how, count in cut.items() if count]
    predictions = Branch(
        "predictions",
        f"{said['num_samples']:,} responses: {', '.join([verdicts, *cuts])}",
        [
            f"{said['path']} sha256 {said['sha256'][:SHOWN]}",
            *details(first)[1:],
        ],
    )
    code = ", ".join(f"{path} {md5[:SHOWN]}" for path, md5 in found["grader"]["code"].items())
    grader = Branch("grader", ", ".join(found["grader"]["versions"]), [f"code {code}"])
    of_model = [branch(name) for name in first["reads"] if name != benchmark]
    clean = number["without_overlap"]
    lines = [
        f"{found['revision']}: {number['ledger']['path']}, sha256 "
        f"{number['ledger']['sha256'][:SHOWN]}",
        f"{number['num_items_overlapping']} of {number['num_items']} items stood in the corpora"
        + (f"; on the others {share(clean)}" if clean and number["num_items_overlapping"] else ""),
        *([number["about"]] if number["about"] else []),
    ]
    items = branch(benchmark)
    items.lines.insert(1, f"items {found['items_digest'][:SHOWN]}")
    return Branch(
        f"{number['benchmark']} @ {number['model']}",
        share(number),
        lines,
        [
            predictions,
            grader,
            items,
            *of_model,
            *machines(found),
            Branch("more", "with --json: digests whole and of every file, params that are not set"),
            *(Branch("remark", each) for each in found["remarks"]),
        ],
    )


def share(score: Found) -> str:
    """45.3% [33.7, 57.4], 29 of 64 responses."""
    low, high = 100 * score["low"], 100 * score["high"]
    return (
        f"{100 * score['accuracy']:.1f}% [{low:.1f}, {high:.1f}], {score['num_correct']:,} of "
        f"{score['num_samples']:,} responses"
    )


def summary(step: Found) -> str:
    """The rows of a data stage, or what was downloaded, or how long was trained."""
    found = step["found"]
    kind = step["stage"].partition("@")[0]
    if kind.startswith("download_"):
        rows = f", {found['num_rows']:,} rows" if found.get("num_rows") else ""
        return f"{found['name']} {found['revision']}, {found['licence']}{rows}"
    if kind == "mix":
        return (
            f"{found['num_in']:,} rows in, {found['num_sampled']:,} sampled: "
            f"{found['num_train']:,} for training, {found['num_validation']:,} for validation"
        )
    if "num_removed" in found:
        reasons = counts(found["removed_by_reason"])
        return (
            f"{found['num_in']:,} rows in, {found['num_kept']:,} kept, "
            f"{found['num_removed']:,} removed" + (f" ({reasons})" if reasons else "")
        )
    if kind == "train":
        return (
            f"{found['num_examples']:,} examples, {found['num_steps']:,} steps of "
            f"{found['effective_batch_size']}, loss {found['first_loss']} to {found['last_loss']}"
        )
    if kind == "reinforce":
        return (
            f"{found['num_problems']:,} problems, {found['num_steps']:,} steps, reward "
            f"{found['first_reward']} to {found['last_reward']}"
        )
    return ""


def counts(by: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in by.items())


def details(step: Found) -> list[str]:
    """What it wrote, its canaries, params and run: a line each. The first names what it wrote."""
    written = [
        f"{path} md5 {out['md5'][:SHOWN]}" for path, out in step["outs"].items() if is_data(path)
    ]
    lines = [", ".join(written)]
    files = step["found"].get("files", {})
    if step["stage"].startswith("download_corpus@"):
        lines += [f"{name} sha256 {file['sha256'][:SHOWN]}" for name, file in files.items()][:4]
        lines += [f"and {len(files) - 4} more files"] if len(files) > 4 else []
    if "canaries" in step["found"]:
        tested = step["found"]["canaries"].items()
        lines.append("canaries " + ", ".join(f"{k} {v['num_found']}/{v['num']}" for k, v in tested))
    return [*lines, f"params {params(step)}", f"run {run(step)}"]


def params(step: Found) -> str:
    """Those that the stage read and that are set. Of all corpora or benchmarks a stage that reads
    them together uses what is named after it, and the names."""
    kind = step["stage"].partition("@")[0]
    shown = {}
    others: dict[str, list[str]] = {}
    for key, value in step["params"].items():
        section, *rest = key.split(".")
        is_of_all = section in ("corpus", "benchmark") and "@" not in step["stage"]
        if is_of_all and rest[1:2] != [kind]:
            if rest[0] not in others.setdefault(section, []):
                others[section].append(rest[0])
        elif value is None:
            continue
        elif section in ("corpus", "benchmark") and not is_of_all:
            shown[".".join(rest[1:])] = value  # of the one that the stage's name says
        else:
            shown[key.removeprefix(f"{kind}.")] = value
    texts = [f"{key}={spelled(value)}" for key, value in shown.items()]
    texts += [f"{section}={','.join(names)}" for section, names in others.items()]
    return ", ".join(texts)


def spelled(value: Any) -> str:
    """A param's value on a line; a digest is cut."""
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{40,}", value):
        return value[:SHOWN]
    if isinstance(value, str) and value and not set(value) & set(' \n,="'):
        return value
    return json.dumps(value, ensure_ascii=False)


def run(step: Found) -> str:
    of = step["run"]
    day, _, time = of["started"].partition("T")
    dirty = " + changes" if of["code_is_dirty"] else ""
    experiment = f", experiment {of['experiment']}" if of.get("experiment") else ""
    return (
        f"{of['mlflow_run_id']}, {day} {time[:5]}, {of['seconds']:,} s, code "
        f"{of['git_revision'][:10]}{dirty}{experiment}"
    )


def also(names: list[str]) -> list[str]:
    return [f"also reads {', '.join(names)} (above)"] if names else []


def machines(found: Found) -> list[Branch]:
    """Code, packages, hardware and links: once for all stages that have them in common."""
    steps = found["steps"]
    made = []
    for name, said in (
        ("code", {each["stage"]: code(each["run"]) for each in steps}),
        ("packages", {each["stage"]: pairs(each["packages"]) for each in steps}),
        ("hardware", {each["stage"]: pairs(each["hardware"]) for each in steps}),
    ):
        groups: dict[str, list[str]] = {}
        for stage, words in said.items():
            groups.setdefault(words, []).append(stage)
        for words, stages in sorted(groups.items(), key=lambda each: -len(each[1])):
            made.append(Branch(name, words, [of_stages(stages, len(steps))]))
    links = [
        f"{each['stage']} {each['run']['link']}"
        for each in steps
        if each["run"]["link"] and each["stage"].partition("@")[0] in LINKED
    ]
    return [*made, Branch("mlflow", found["mlflow"]["how"], links)]


LINKED = ("train", "reinforce", "evaluate")


def code(run: Found) -> str:
    return (
        f"{run['git_revision'][:10]}, "
        + ("with changes that were not committed" if run["code_is_dirty"] else "clean")
        + ("" if run["has_commit"] else "; not in this clone")
    )


def pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def of_stages(names: Iterable[str], num_stages: int) -> str:
    names = list(names)
    if len(names) == num_stages:
        return f"all {num_stages} stages"
    return f"{len(names)} of {num_stages} stages" + (
        f": {', '.join(names)}" if len(names) <= 6 else ""
    )
