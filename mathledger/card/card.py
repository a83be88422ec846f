"""Render the model card as Markdown, from the ledger alone.

templates/card.md.jinja defines the order of the sections, and each section has its own template.
views/ computes the tables and cells. Every number is in the ledger. A share of n items is rounded
to the precision that one item justifies, and every score has its 95% interval.
"""

import html
import json
import re
from functools import cache
from typing import Any

from mathledger.card import statement
from mathledger.card.ledger import Ledger
from mathledger.card.markdown import link, wrapped
from mathledger.card.templating import environment
from mathledger.card.views import (
    contamination,
    data,
    memorisation,
    responses,
    scores,
    sources,
    spread,
)
from mathledger.core.escaping import Markdown, code, one_line, quoted
from mathledger.evaluation import statistics

# Matches the spaces in `29 of 64` and `[34, 57]`, where a narrow screen must not break the line.
UNBREAKABLE = re.compile(r"(?<=[\d%]) (?=of \d)|(?<=[\d%] of) (?=\d)|(?<=\d,) (?=-?[\d.]+\])")


def text(ledger: Ledger) -> str:
    """Return the text of README.md.

    Links to files of the repository are absolute if params.yaml gives its public address, because
    the card is usually read elsewhere.
    """
    whole = render("card", ledger=ledger)
    whole = re.sub(r"^\| .*", lambda row: UNBREAKABLE.sub("\u00a0", row[0]), whole, flags=re.M)
    address = place(ledger, "")
    return whole.replace("](../", f"]({address}") if address else whole


def render(template: str, **context: Any) -> str:
    """Render a template from templates/: the whole card or one section."""
    return str(_templates().get_template(f"{template}.md.jinja").render(context))


@cache
def _templates() -> Any:
    templates = environment("mathledger.card", "templates", writes="markdown")
    templates.filters |= {
        "braced": lambda value: Markdown(f"{{{code(value)}}}"),
        "code": code,
        "comma": "{:,}".format,
        "link": link,
        "literal": lambda value: Markdown(json.dumps(value, ensure_ascii=False)),
        "quoted": quoted,
        "summary": lambda value: Markdown(html.escape(one_line(value), quote=False)),
        "wrapped": wrapped,
    }
    templates.globals |= {
        "contamination": contamination,
        "data": data,
        "memorisation": memorisation,
        "responses": responses,
        "scores": scores,
        "sources": sources,
        "spread": spread,
        "digest": lambda ledger: statement.digest(ledger.content()),
        "front_matter": front_matter,
        "level": statistics.LEVEL,
    }
    return templates


def place(ledger: Ledger, path: str) -> str:
    """Return a file's public address, or its path if params.yaml gives no address."""
    url = ledger.params["model_card"]["url"]
    return f"{url.rstrip('/')}/blob/main/{path}" if url else path


def front_matter(ledger: Ledger) -> Markdown:
    """Return the card's YAML front matter, written and checked by huggingface_hub."""
    from huggingface_hub import EvalResult, ModelCardData

    licence = ledger.licence
    assert licence, "a ledger of an older version has no licence and cannot be rendered"
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
    return Markdown(f"---\n{head.to_yaml()}\n---")
