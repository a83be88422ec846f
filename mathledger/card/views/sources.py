"""Prepare the sections on claims of other cards, use, inputs and citation."""

import re
from functools import cache
from importlib import resources
from typing import Any

from mathledger.card.ledger import (
    BaseModelInput,
    BenchmarkSource,
    Corpus,
    Ledger,
    OtherModel,
)
from mathledger.card.markdown import claim_range, link, table
from mathledger.card.views.scores import final_model
from mathledger.core.escaping import Markdown, code


def claim_table(ledger: Ledger) -> str:
    """Tabulate the claims of other cards."""
    rows = [
        [
            claim.model,
            claim.benchmark,
            claim_range(claim.low, claim.high),
            "yes" if claim.is_evaluated else "no",
            link(claim.source),
        ]
        for claim in ledger.claims
    ]
    head = ["model", "benchmark", "claimed", "benchmark evaluated here", "where it is stated"]
    return table(head, rows, len(head))


def base_name(model: BaseModelInput) -> str:
    """Return the base model's name on the hub, or its source if it has none."""
    return model.base_model or f"{model.name} ({model.revision})"


def longest_limit(ledger: Ledger) -> int:
    """Return the largest token limit of any benchmark."""
    name = final_model(ledger)
    return max(entry.models[name].response_lengths.limit for entry in ledger.benchmarks)


def sampling(ledger: Ledger) -> dict[str, Any]:
    """Return the sampling settings that are not neutral, by name."""
    evaluate = ledger.params["evaluate"]
    neutral = {"top_k": None, "min_p": 0, "presence_penalty": 0, "repetition_penalty": 1}
    names = ["temperature", "top_p"] if evaluate["temperature"] else []
    names += [name for name in neutral if evaluate.get(name, neutral[name]) != neutral[name]]
    return {name: evaluate[name] for name in names}


def settings_text(ledger: Ledger, before: str = "") -> str:
    """Name the sampling settings that are not neutral, and put a text before them, if any."""
    parts = [f"{name} {value:g}" for name, value in sampling(ledger).items()]
    text = " and ".join(", ".join(parts).rsplit(", ", 1))
    return before + text if parts else ""


def template_variables(ledger: Ledger) -> Markdown:
    """Name the variables that the evaluation set in the chat template, as `enable_thinking=False`.

    Whether the model thinks may depend on them.
    """
    variables = ledger.params["evaluate"]["chat_template_kwargs"]
    return Markdown(", ".join(f"`{code(f'{name}={own!r}')}`" for name, own in variables.items()))


def call(ledger: Ledger) -> str:
    """Return the arguments with which transformers generates as the evaluation did."""
    evaluate = ledger.params["evaluate"]
    options = {"max_new_tokens": longest_limit(ledger), "do_sample": bool(evaluate["temperature"])}
    options |= {name: own for name, own in sampling(ledger).items() if name != "presence_penalty"}
    options["return_full_text"] = False
    if variables := evaluate.get("chat_template_kwargs"):
        options["tokenizer_encode_kwargs"] = variables
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def asked_otherwise(ledger: Ledger) -> list[str]:
    """Return the benchmarks whose prompt differs from the one in the usage snippet."""
    prompt = ledger.params["prompt"]["template"]
    tasks = {name: each["task"] for name, each in ledger.params["benchmark"].items()}
    return [
        name for name, task in tasks.items() if task["num_fewshot"] or task["doc_to_text"] != prompt
    ]


def input_table(ledger: Ledger) -> str:
    """Tabulate the sources of the models, the corpora and the benchmarks."""
    sources: dict[str, BaseModelInput | OtherModel | Corpus | BenchmarkSource] = {
        "base model": ledger.base_model,
        **ledger.others,
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
    """List the known works behind the base model, the corpora and the benchmarks, each once."""
    names = [ledger.base_model.base_model, ledger.base_model.name]
    names += [corpus.name for corpus in ledger.corpora.values()]
    names += [entry.source.name for entry in ledger.benchmarks]
    return [works()[name] for name in dict.fromkeys(names) if name in works()]


@cache
def works() -> dict[str | None, dict[str, Any]]:
    """Read the works to cite, by the name of their source."""
    import yaml

    path = resources.files("mathledger.card").joinpath("citations.yaml")
    content: dict[str | None, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def bibtex_fields(work: dict[str, Any]) -> dict[str, Any]:
    """Return the BibTeX fields of a work; braces protect the capitals of its title."""
    fields = {
        "author": work["author"],
        "title": f"{{{work['title']}}}",
        "year": work["year"],
        "eprint": work.get("arxiv"),
        "archivePrefix": "arXiv" if "arxiv" in work else None,
        "url": work.get("url"),
    }
    return {key: value for key, value in fields.items() if value}
