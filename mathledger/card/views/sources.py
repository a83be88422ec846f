"""Other cards' claims, how to use the model, what it was made of and what to cite."""

import re
from functools import cache
from importlib import resources
from typing import Any

from mathledger.card.ledger import (
    BaseModelInput,
    BenchmarkSource,
    Corpus,
    Ledger,
)
from mathledger.card.markdown import claim_range, table
from mathledger.card.views.scores import final_model


def claim_table(ledger: Ledger) -> str:
    """Tabulate what other cards state."""
    rows = [
        [
            claim.model,
            claim.benchmark,
            claim_range(claim.low, claim.high),
            "yes" if claim.is_evaluated else "no",
            claim.source,
        ]
        for claim in ledger.claims
    ]
    head = ["model", "benchmark", "claimed", "benchmark evaluated here", "where it is stated"]
    return table(head, rows, len(head))


def base_name(model: BaseModelInput) -> str:
    """Return the base model's name on the hub; its source if it has none."""
    return model.base_model or f"{model.name} ({model.revision})"


def longest_limit(ledger: Ledger) -> int:
    """Return the most tokens that a benchmark allowed for a response."""
    name = final_model(ledger)
    return max(entry.models[name].response_lengths.limit for entry in ledger.benchmarks)


def asked_otherwise(ledger: Ledger) -> list[str]:
    """Return the benchmarks that were asked with another prompt than the usage snippet's."""
    prompt = ledger.params["prompt"]["template"]
    tasks = {name: each["task"] for name, each in ledger.params["benchmark"].items()}
    return [
        name for name, task in tasks.items() if task["num_fewshot"] or task["doc_to_text"] != prompt
    ]


def input_table(ledger: Ledger) -> str:
    """Tabulate where the base model, the corpora and the benchmarks come from."""
    sources: dict[str, BaseModelInput | Corpus | BenchmarkSource] = {
        "base model": ledger.base_model,
        **ledger.corpora,
        **{entry.benchmark: entry.source for entry in ledger.benchmarks},
    }
    rows = [
        [name, source.name, source.revision, source.licence] for name, source in sources.items()
    ]
    return table(["input", "source", "revision", "licence"], rows, 4)


def citation_key(ledger: Ledger) -> str:
    return re.sub(r"[^a-z0-9]+", "-", ledger.name.lower())


def works_cited(ledger: Ledger) -> list[dict[str, Any]]:
    """List once each known work that the base model, the corpora or the benchmarks come from."""
    names = [ledger.base_model.base_model, ledger.base_model.name]
    names += [corpus.name for corpus in ledger.corpora.values()]
    names += [entry.source.name for entry in ledger.benchmarks]
    return [works()[name] for name in dict.fromkeys(names) if name in works()]


@cache
def works() -> dict[str | None, dict[str, Any]]:
    """Read what to cite, by the name of a source."""
    import yaml

    path = resources.files("mathledger.card").joinpath("citations.yaml")
    content: dict[str | None, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def bibtex_fields(work: dict[str, Any]) -> dict[str, Any]:
    """Format the fields of an entry; its title keeps its capitals."""
    fields = {
        "author": work["author"],
        "title": f"{{{work['title']}}}",
        "year": work["year"],
        "eprint": work.get("arxiv"),
        "archivePrefix": "arXiv" if "arxiv" in work else None,
        "url": work.get("url"),
    }
    return {key: value for key, value in fields.items() if value}
