"""Render the chain of a number as an HTML page: a graph, and the details of each node.

A node links to its details, and CSS shows the details that the address names. So the page needs no
script, works with the keyboard, and every node has an address.
"""

from collections import defaultdict
from dataclasses import dataclass

from mathledger.card.templating import environment
from mathledger.chain.chain import LEDGER
from mathledger.trace import render_number
from mathledger.trace.number import NumberTrace
from mathledger.trace.steps import Step

WIDTH, HEIGHT, GAP, ROW = 156, 62, 22, 78  # size and spacing of the nodes, in pixels
LETTERS = 22  # characters that fit in a node
NUMBER = "number"


@dataclass(frozen=True)
class Node:
    """A box of the graph: a stage, or the number itself."""

    name: str
    kind: str
    item: str
    brief: str
    summary: str
    reads: list[str]
    read_by: list[str]
    step: Step | None  # null for the number
    x: int
    y: int

    @property
    def id(self) -> str:
        return self.name.replace("@", ".")


def page(trace: NumberTrace) -> str:
    """Return the HTML page of a trace."""
    templates = environment("mathledger.trace", writes="html")
    templates.filters |= {
        "found_in_corpora": render_number.found_in_corpora,
        "share": render_number.share,
        "spelled": render_number.spelled,
        "run_record": render_number.run_record,
        "cut": cut,
    }
    nodes = layout(trace)
    place = {node.name: node for node in nodes}
    edges = [
        {"path": curve(place[other], node), "ends": f"{other} to {node.name}"}
        for node in nodes
        for other in node.reads
    ]
    text = templates.get_template("page.html.jinja").render(
        trace=trace,
        ledger_path=LEDGER,
        nodes=nodes,
        edges=edges,
        width=max(node.x for node in nodes) + WIDTH + 2,
        height=max(node.y for node in nodes) + HEIGHT + 2,
        box=(WIDTH, HEIGHT),
    )
    return str(text)


def layout(trace: NumberTrace) -> list[Node]:
    """Place each node left of its readers, and near the nodes that it reads."""
    steps = {step.stage: step for step in trace.steps}
    reads = {name: step.reads for name, step in steps.items()}
    reads |= {NUMBER: [trace.steps[0].stage]}
    places = _places(reads)
    return [_node(trace, name, steps.get(name), reads, places[name]) for name in reversed(reads)]


def _node(
    trace: NumberTrace,
    name: str,
    step: Step | None,
    reads: dict[str, list[str]],
    place: tuple[int, float],
) -> Node:
    kind, _, item = name.partition("@")
    return Node(
        name,
        kind if step else trace.benchmark.benchmark,
        item if step else trace.model,
        short(step) if step else f"{100 * (trace.score.accuracy or 0):.1f}%",
        render_number.summary(step) if step else render_number.share(trace.score),
        reads[name],
        [each for each in reads if name in reads[each]],
        step,
        1 + place[0] * (WIDTH + GAP),
        1 + round(place[1] * ROW),
    )


def _places(reads: dict[str, list[str]]) -> dict[str, tuple[int, float]]:
    """Return the layer and the row of each node, computed from the nodes that it reads."""
    layers: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in layers:
            layers[name] = 1 + max((layer(each) for each in reads[name]), default=-1)
        return layers[name]

    for name in reads:
        layer(name)
    # Put a node without inputs next to its first reader, not at the far left.
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
        # Put nodes that a later layer also reads last, so that their lines pass below the others.
        skips = {
            name: any(name in reads[each] and layers[each] > layers[name] + 1 for each in reads)
            for name in names
        }
        names.sort(key=lambda name: (skips[name], wanted.get(name, highest), name))
        for number, name in enumerate(names):
            rows[name] = middle + number
    return {name: (layers[name], rows[name]) for name in reads}


def short(step: Step) -> str:
    """Describe a node in a few words."""
    told, kind = step.reported, step.kind
    if kind.startswith("download_"):
        return str(told["revision"])
    if kind == "mix":
        return f"{told['num_in']:,} → {told['num_train']:,} rows"
    if "num_removed" in told:
        return f"{told['num_in']:,} → {told['num_kept']:,} rows"
    if kind in ("train", "reinforce"):
        return f"{told['num_steps']:,} steps"
    if kind == "evaluate":
        return f"{told['num_samples']:,} responses"
    return ""


def curve(left: Node, right: Node) -> str:
    """Return the SVG path of an edge, which is level and bends in the last gap."""
    x, y = left.x + WIDTH, left.y + HEIGHT / 2
    to_x, to_y = right.x, right.y + HEIGHT / 2
    return f"M{x} {y:g}H{to_x - GAP}C{to_x} {y:g} {to_x - GAP} {to_y:g} {to_x} {to_y:g}"


def cut(text: str) -> str:
    """Shorten a text to a node's width."""
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
