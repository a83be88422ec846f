"""The model card as Markdown, from the ledger and nothing else.

templates/card.md.jinja shows the card's shape, and a template beside it each section; what their
tables and cells hold is in views/. Every number is in the ledger. A share of n items is shown
with no more digits than one item is worth, and every score with its 95% interval.
"""

import html
import json
import re
from functools import cache
from typing import Any

from mathledger.card import statement
from mathledger.card.ledger import Ledger
from mathledger.card.markdown import wrapped
from mathledger.card.views import contamination, data, memorisation, responses, scores, sources
from mathledger.evaluation import statistics

# The spaces of a table at which a narrow screen must not break: in `29 of 64` and in `[34, 57]`.
UNBREAKABLE = re.compile(r"(?<=[\d%]) (?=of \d)|(?<=[\d%] of) (?=\d)|(?<=\d,) (?=-?[\d.]+\])")


def text(ledger: Ledger) -> str:
    """Return README.md.

    Links lead to files of the repository: of the published one, where params.yaml says where it is,
    since the card is read far from it.
    """
    whole = render("card", ledger=ledger)
    whole = re.sub(r"^\| .*", lambda row: UNBREAKABLE.sub("\u00a0", row[0]), whole, flags=re.M)
    address = place(ledger, "")
    return whole.replace("](../", f"]({address}") if address else whole


def render(template: str, **context: Any) -> str:
    """Render a template of templates/, the whole card or a section."""
    return str(_environment().get_template(f"{template}.md.jinja").render(context))


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mathledger.card"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown: tables escape their cells; templates, what is in <pre>
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "braced": "{{{}}}".format,
        "comma": "{:,}".format,
        "escaped": lambda value: html.escape(value, quote=False),
        "literal": lambda value: json.dumps(value, ensure_ascii=False),
        "wrapped": wrapped,
    }
    environment.globals |= {
        "contamination": contamination,
        "data": data,
        "memorisation": memorisation,
        "responses": responses,
        "scores": scores,
        "sources": sources,
        "digest": lambda ledger: statement.digest(ledger.content()),
        "front_matter": front_matter,
        "level": statistics.LEVEL,
    }
    return environment


def place(ledger: Ledger, path: str) -> str:
    """Return the address of a file of the repository; its path if params.yaml gives no address."""
    url = ledger.params["model_card"]["url"]
    return f"{url.rstrip('/')}/blob/main/{path}" if url else path


def front_matter(ledger: Ledger) -> str:
    """Return the card's YAML head; huggingface_hub writes and checks it."""
    from huggingface_hub import EvalResult, ModelCardData

    licence = ledger.licence
    assert licence, "only ledgers of older versions, which are not rendered, have none"
    results = []
    for entry in ledger.benchmarks:
        score = entry.models[scores.final_model(ledger)]
        kind = f"avg@{entry.num_repeats}" if entry.num_repeats > 1 else "accuracy"
        results.append(
            EvalResult(
                task_type="text-generation",
                task_name="Math problem solving",
                dataset_type=entry.source.name,
                dataset_name=entry.benchmark,
                dataset_revision=entry.source.revision,
                metric_type="accuracy",
                metric_name=f"{kind}, n={score.num_items}",
                metric_value=score.accuracy,
                source_name=f"ledger {scores.reference(score)}",
                source_url=place(ledger, "model_card/ledger.json"),
            )
        )
    head = ModelCardData(
        language=ledger.params["model_card"]["language"],
        license=licence.id if licence.on_hub else "other" if licence.id else "unknown",
        license_name=None if licence.on_hub else licence.id,
        license_link=None if licence.on_hub else licence.source,
        datasets=sorted({each.name for each in ledger.corpora.values() if each.kind == "hub"})
        or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["math", "mathledger", "sft", "trl"],
        base_model=ledger.base_model.base_model,
        model_name=ledger.name,
        eval_results=results,
    )
    return f"---\n{head.to_yaml()}\n---"
