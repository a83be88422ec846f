"""The chain of a number as one page: a graph, and what is known of each of its nodes.

A node is a link to its details, and CSS shows the details that the address names, so that the page
needs no script, works with the keyboard, and an address leads to a node.
"""

from collections import defaultdict
from importlib import resources
from typing import Any

from mathledger.trace import tree
from mathledger.trace.number import Found

WIDTH, HEIGHT, GAP, ROW = 156, 62, 22, 78  # of a node, and from one to the next, in pixels
LETTERS = 22  # that fit a node's width
NUMBER = "number"


def page(found: Found) -> str:
    """The HTML page."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"share": tree.share, "spelled": tree.spelled, "cut": cut}
    template = resources.files("mathledger.trace").joinpath("page.html.jinja")
    nodes = layout(found)
    place = {node["name"]: node for node in nodes}
    edges = [
        {"path": curve(place[other], node), "ends": f"{other} to {node['name']}"}
        for node in nodes
        for other in node["reads"]
    ]
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        found=found,
        nodes=nodes,
        edges=edges,
        width=max(node["x"] for node in nodes) + WIDTH + 2,
        height=max(node["y"] for node in nodes) + HEIGHT + 2,
        box=(WIDTH, HEIGHT),
    )


def layout(found: Found) -> list[dict[str, Any]]:
    """The nodes, what is read left of what reads it; in a layer near to what they read."""
    reads = {each["stage"]: each["reads"] for each in found["steps"]}
    reads |= {NUMBER: [found["steps"][0]["stage"]]}
    steps = {each["stage"]: each for each in found["steps"]}
    layers: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in layers:
            layers[name] = 1 + max((layer(each) for each in reads[name]), default=-1)
        return layers[name]

    for name in reads:
        layer(name)
    # What nothing leads to stands next to its first reader, not at the far left.
    for name in [each for each in reads if not reads[each]]:
        layers[name] = min(layers[each] for each in reads if name in reads[each]) - 1
    columns: dict[int, list[str]] = defaultdict(list)
    for name in reversed(reads):
        columns[layers[name]].append(name)
    rows: dict[str, float] = {}
    highest = max(len(names) for names in columns.values())
    for _, names in sorted(columns.items()):
        wanted = {
            name: sum(rows[each] for each in reads[name]) / len(reads[name])
            for name in names
            if reads[name]
        }
        middle = (highest - len(names)) / 2
        # Those that a later layer reads, too, stand last: their lines pass below the others.
        skips = {
            name: any(name in reads[each] and layers[each] > layers[name] + 1 for each in reads)
            for name in names
        }
        names.sort(key=lambda name: (skips[name], wanted.get(name, highest), name))
        for number, name in enumerate(names):
            rows[name] = middle + number
    number = found["number"]
    return [
        {
            "name": name,
            "id": name.replace("@", "."),
            "kind": name.partition("@")[0] if name != NUMBER else number["benchmark"],
            "item": name.partition("@")[2] if name != NUMBER else number["model"],
            "said": short(steps[name]) if name != NUMBER else f"{100 * number['accuracy']:.1f}%",
            "summary": tree.summary(steps[name]) if name != NUMBER else tree.share(number),
            "reads": reads[name],
            "read_by": [each for each in reads if name in reads[each]],
            "step": steps.get(name),
            "x": 1 + layers[name] * (WIDTH + GAP),
            "y": 1 + round(rows[name] * ROW),
        }
        for name in reversed(reads)
    ]


def short(step: Found) -> str:
    """A few words for a node."""
    found, kind = step["found"], step["stage"].partition("@")[0]
    if kind.startswith("download_"):
        return str(found["revision"])
    if kind == "mix":
        return f"{found['num_in']:,} → {found['num_train']:,} rows"
    if "num_removed" in found:
        return f"{found['num_in']:,} → {found['num_kept']:,} rows"
    if kind in ("train", "reinforce"):
        return f"{found['num_steps']:,} steps"
    if kind == "evaluate":
        return f"{found['num_samples']:,} responses"
    return ""


def curve(left: dict[str, Any], right: dict[str, Any]) -> str:
    """From the right edge of a node to the left edge of another: level, and in the last gap over
    to the other's height."""
    x, y = left["x"] + WIDTH, left["y"] + HEIGHT / 2
    to_x, to_y = right["x"], right["y"] + HEIGHT / 2
    return f"M{x} {y:g}H{to_x - GAP}C{to_x} {y:g} {to_x - GAP} {to_y:g} {to_x} {to_y:g}"


def cut(text: str) -> str:
    """What fits a node's width."""
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
