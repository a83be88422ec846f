"""Shorten the tree of a number to a screen: a line for each stage, and one for all code."""

from mathledger.trace.tree import Branch

MAX_ALIKE = 4  # branches of one kind next to each other, such as corpora
IN_COMMON = ("code", "packages", "hardware")


def brief(whole: Branch) -> Branch:
    """Return the tree without digests, params and runs, which `--all` shows.

    Args:
        whole: the tree of render_number.tree.
    """
    shown = [_without_lines(each) for each in whole.branches if each.name not in IN_COMMON]
    at = next(at for at, each in enumerate(shown) if each.name == "mlflow")
    common = {each.name: each for each in whole.branches if each.name in IN_COMMON}
    for name in common:
        titles = [each.title for each in whole.branches if each.name == name]
        shown.insert(at, Branch(name, "; ".join(titles)))
        at += 1
    return Branch(whole.name, whole.title, whole.lines[:2], shown)


def _without_lines(branch: Branch) -> Branch:
    title = branch.title
    if branch.name == "mlflow" and branch.lines:
        title = branch.lines[0].split()[-1]  # the run behind the number
    elif branch.name == "more":
        title = "--all shows digests, params and runs, and --json everything"
    kept: list[Branch] = []
    by_kind: dict[str, list[Branch]] = {}
    for each in branch.branches:
        by_kind.setdefault(each.name.partition("@")[0], []).append(each)
    for kind, alike in by_kind.items():
        num = len(alike) if len(alike) <= MAX_ALIKE else MAX_ALIKE - 1
        kept += [_without_lines(each) for each in alike[:num]]
        if left := len(alike) - num:
            kept.append(Branch(kind, f"and {left:,} more"))
    return Branch(branch.name, title, [], kept)
