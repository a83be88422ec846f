"""Format the trace of a benchmark item as JSON or as a tree."""

from typing import Any

from mathledger.core.tables import Row
from mathledger.trace.item import ItemTrace
from mathledger.trace.tree import SHOWN, Branch, lines_of, text_lines

DIFFERENCES = ("missing_numbers", "extra_numbers", "missing_operators", "extra_operators")


def content(trace: ItemTrace) -> dict[str, Any]:
    """Return the trace as `--json` prints it."""
    return vars(trace)


def tree(trace: ItemTrace) -> Branch:
    """Return a tree with a branch for each response and each matched row."""
    item = trace.item
    counted = "overlapping the corpora" if trace.is_overlapping else "without overlap"
    how = f"not evaluated ({trace.left_out})," if trace.left_out else "counts as"
    top = Branch(f"{trace.benchmark}/{item['id']}", f"{how} {counted}")
    top.lines = text_lines(item, "problem", "solution")
    kind = f" ({item['answer_type']})" if item["answer_type"] else ""
    top.lines += [f"reference: {item['answer']}{kind}"]
    top.lines += [f"{key}: {value}" for key, value in item["subsets"].items()]
    is_repeated = any(response["repeat"] for response in trace.responses)
    top.branches = [_response(response, is_repeated) for response in trace.responses]
    top.branches += [_hit(hit) for hit in trace.hits]
    if not trace.hits:
        top.branches.append(Branch("rows", "the filter matched no row to it"))
    return top


def _response(response: Row, is_repeated: bool) -> Branch:
    harness, seed = response["harness_correct"], response["seed"]
    # Samples of older commits have no such columns.
    thinking, num_thought = response.get("thinking"), response.get("num_thinking_tokens")
    of_thinking = "" if num_thought is None else f", {num_thought} of them thinking"
    return Branch(
        f"{response['model']}, {response['repeat']}" if is_repeated else response["model"],
        f"{response['verdict'].replace('_', ' ')}; extracted {response['extracted_answer']}, "
        f"reference {response['reference']}",
        [
            *([] if thinking is None else lines_of("thinking", thinking)),
            *lines_of("response", response["response"]),
            f"{response['num_tokens']} tokens{of_thinking}, ended by {response['finish_reason']}, "
            f"grader {response['grader']}, prompt sha256 {response['prompt_sha256'][:SHOWN]}"
            + ("" if harness is None else f", by lm-eval {'right' if harness else 'wrong'}")
            + ("" if seed is None else f", seed {seed}"),
        ],
    )


def decided(hit: Row) -> list[str]:
    """Say who decided about a pair instead of the rule, if anybody did.

    >>> decided({"note": "Ada: other area", "decided_by": "person", "rule_class": "contained"})
    ['decided by a person (Ada: other area); the rule says contained']
    """
    if not hit.get("note"):  # Evidence of older commits has no such column.
        return []
    rule = f"the rule says {hit['rule_class']}" if hit["rule_class"] else "the rule finds nothing"
    return [f"decided by a {hit['decided_by']} ({hit['note']}); {rule}"]


def _hit(hit: Row) -> Branch:
    differences = [
        f"{key.replace('_', ' ')}: {', '.join(hit[key])}" for key in DIFFERENCES if hit[key]
    ]
    return Branch(
        f"row {hit['id']}",
        f"{hit['class']}, {hit['action']}; {hit['corpus']}, {hit['source']}",
        [
            f"in the {hit['place']}; containment {hit['containment']:.2f}, stems of the "
            f"item in it {hit['item_in_text']:.2f}, its own in the item "
            f"{hit['text_in_item']:.2f}",
            *decided(hit),
            *differences,
            *lines_of(hit["place"], hit["row"][hit["place"]]),
        ],
    )
