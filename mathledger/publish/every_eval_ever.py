"""Write the results in the schema of Every Eval Ever 0.3.0, https://github.com/evaleval.

The folders are those of its datastore: data/BENCHMARK/DEVELOPER/MODEL/UUID.json. The UUID comes
from the digest of the responses, so that the same results get the same name.
"""

import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import mathledger
from mathledger.card.ledger import Interval, Ledger
from mathledger.core.files import write_json
from mathledger.evaluation.settings import token_limit
from mathledger.release.measured import Measured

FOLDER = "every_eval_ever"
VERSION = "0.3.0"
NOT_STATED = "not stated"
MORE_SETTINGS = ["min_p", "presence_penalty", "repetition_penalty"]
MORE_SETTINGS += ["system_prompt", "chat_template_kwargs"]


def write(folder: Path, ledger: Ledger, scores: Sequence[Measured]) -> None:
    """Write one record for each model and benchmark.

    Args:
        folder: the published folder of results.
    """
    for one in scores:
        content = record(ledger, one)
        developer, _, name = content["model_info"]["id"].rpartition("/")
        parts = (one.benchmark, developer or NOT_STATED, name)
        file = uuid.UUID(hex=one.score.samples_sha256[:32], version=4)
        path = folder.joinpath(FOLDER, "data", *map(_slug, parts), f"{file}.json")
        write_json(path, content)


def _slug(text: str) -> str:
    """Return a text as the name of a folder.

    >>> _slug("SmolLM2-135M (x)"), _slug("..")
    ('SmolLM2-135M__x_', '_.')
    """
    return re.sub(r"^\.|[^\w.-]", "_", text)


def record(ledger: Ledger, one: Measured) -> dict[str, Any]:
    """Return the record of one model on one benchmark."""
    if one.is_final:
        model = ledger.name
    elif one.model in ledger.others:
        model = ledger.others[one.model].name
    elif one.model == ledger.models[0]:
        model = ledger.base_model.base_model or ledger.base_model.name
    else:
        model = f"{ledger.name}-{one.model}"  # between the base and the final model
    engine = {"hf": "transformers"}.get(one.score.backend, one.score.backend)
    epoch = str(int(datetime.fromisoformat(one.run.started).timestamp()))
    return {
        "schema_version": VERSION,
        "evaluation_id": f"{one.benchmark}/{model}/{epoch}",
        "evaluation_timestamp": one.run.started,
        "retrieved_timestamp": epoch,
        "source_metadata": {
            "source_name": f"ledger of {ledger.name}",
            "source_type": "evaluation_run",
            "source_organization_name": NOT_STATED,
            "evaluator_relationship": (
                "third_party" if one.model in (ledger.models[0], *ledger.others) else "first_party"
            ),
            "additional_details": {
                "responses": one.responses,
                "responses_sha256": one.score.samples_sha256,
            },
        },
        "eval_library": {
            "name": "mathledger",
            "version": mathledger.__version__,
            "additional_details": {
                "git_revision": one.run.git_revision,
                "code_is_dirty": str(one.run.code_is_dirty).lower(),
                "graders": ", ".join(one.score.graders),
                "task_version": str(one.score.task_version),
            },
        },
        "model_info": {
            "name": model,
            "id": model,
            "inference_engine": {
                "name": engine,
                "version": one.run.packages.get(engine, "unknown"),
            },
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "open_weights",
                "dtype": one.score.dtype or "unknown",
            },
        },
        "evaluation_results": results(one),
    }


def results(one: Measured) -> list[dict[str, Any]]:
    """Return the accuracy, and pass@k and the majority's accuracy where items were repeated."""
    score = one.score
    counts = {
        "num_items": str(score.num_items),
        "num_repeats": str(one.entry.num_repeats),
        "num_samples": str(score.num_samples),
        "num_correct": str(score.num_correct),
        "num_truncated": str(score.num_truncated),
        "num_too_long": str(score.num_too_long),
        "num_no_answer": str(score.num_no_answer),
    }
    whole = Interval(value=score.accuracy, low=score.low, high=score.high)
    found = [_result(one, "accuracy", {}, whole, counts)]
    for k, interval in score.pass_at.items():
        found.append(_result(one, f"pass@{k}", {"k": int(k)}, interval, {}))
    if score.majority:
        found.append(_result(one, "majority", {}, score.majority, {}))
    return found


def _result(
    one: Measured,
    metric: str,
    parameters: dict[str, int],
    interval: Interval,
    details: dict[str, str],
) -> dict[str, Any]:
    own, task = one.params["evaluate"], one.params["benchmark"][one.benchmark]["task"]
    kind = "pass_rate" if parameters else "accuracy"
    return {
        "evaluation_result_id": f"{one.benchmark}/{one.model}/{metric}",
        "evaluation_name": one.benchmark,
        "evaluation_timestamp": one.run.started,
        "source_data": source_data(one),
        "metric_config": {
            "evaluation_description": one.entry.about,
            "metric_id": metric.replace("@", "_at_"),
            "metric_name": metric,
            "metric_kind": kind,
            "metric_unit": "proportion",
            **({"metric_parameters": parameters} if parameters else {}),
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 1,
        },
        "score_details": {
            "score": interval.value,
            "details": details,
            "uncertainty": {
                "confidence_interval": {
                    "lower": interval.low,
                    "upper": interval.high,
                    "confidence_level": 0.95,
                    "method": "mathledger's docs/statistics.md; the items are the sample",
                },
                "num_samples": one.score.num_items,
            },
        },
        "generation_config": {
            "generation_args": {
                "temperature": own["temperature"],
                "top_p": own["top_p"],
                **({"top_k": own["top_k"]} if own.get("top_k") else {}),
                "max_tokens": token_limit(own, task),
                "prompt_template": task["doc_to_text"],
            },
            "additional_details": {
                "num_fewshot": str(task["num_fewshot"]),
                "until": json.dumps(task["until"]),
                "seed": str(own["seed"]),
                **{name: json.dumps(own[name]) for name in MORE_SETTINGS if name in own},
            },
        },
    }


def source_data(one: Measured) -> dict[str, Any]:
    """Return the benchmark's source: a dataset of the hub, or another one."""
    source = one.entry.source
    details = {
        "source": source.name,
        "revision": source.revision,
        "licence": source.licence,
        "items_digest": source.items_digest,
        "num_items": str(one.entry.num_items),
    }
    if one.hub_dataset is None:
        return {
            "dataset_name": one.benchmark,
            "source_type": "other",
            "additional_details": details,
        }
    split = one.source.get("split")
    return {
        "dataset_name": one.benchmark,
        "source_type": "hf_dataset",
        "hf_repo": one.hub_dataset,
        **({"hf_split": split} if split else {}),
        "samples_number": one.entry.num_items,
        "additional_details": details,
    }
