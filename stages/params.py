"""Compile conf/ to params.yaml and check every section against its type.

    python -m stages.params                          write params.yaml from the defaults
    python -m stages.params experiment=smoke         the same with Hydra overrides
    python -m stages.params --check                  exit 1 if params.yaml is out of date

`dvc exp run` composes exactly the same bytes. `dvc repro` never composes, so the compiled snapshot
is committed, and a test fails if it differs from conf/.
"""

import difflib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mathledger.core.configuration import CONF, PARAMS, check, check_name
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.run.compose import choices, compose
from mathledger.run.params import OWN_MODELS


def sections() -> dict[str, Any]:
    """Return the type of every section of params.yaml except those in `members`."""
    from mathledger.card import settings as model_card
    from mathledger.data import engine
    from mathledger.evaluation import probe
    from mathledger.evaluation import settings as evaluate
    from mathledger.filters import decontaminate, deduplicate, mix, prepare
    from mathledger.model import download as download_model
    from mathledger.model import prompts
    from mathledger.training import grpo, sft

    return {
        "prompt": prompts.Params,
        "engine": engine.Params,
        "prepare": prepare.Params,
        "deduplicate": deduplicate.Params,
        "decontaminate": decontaminate.Params,
        "mix": mix.Params,
        "train": sft.Params,
        "evaluated_models": list[str],
        "reinforce": dict[Literal["grpo"], grpo.Params],
        "evaluate": evaluate.Params,
        "probe": probe.Params,
        "model_card": model_card.Params,
        "model": download_model.Params,
        "models": dict[str, download_model.Other],
    }


def members() -> dict[str, dict[str, Any]]:
    """Return, for each group with several chosen options, the types of an option's parts."""
    from mathledger.data import benchmarks as download_benchmark
    from mathledger.data import sources
    from mathledger.evaluation import harness
    from mathledger.filters import mix, prepare

    return {
        "corpus": {"source": sources.CorpusSource, "mapping": prepare.Mapping, "mix": mix.Corpus},
        "benchmark": {
            "source": sources.BenchmarkSource,
            "mapping": download_benchmark.Mapping,
            "task": harness.Task,
            "about": str,
        },
    }


def check_all(content: dict[str, Any]) -> None:
    """Check every section of a compiled file, so that a mistake shows before any stage runs.

    Raises:
        InputError: A key is unknown, missing or of the wrong type, or two settings contradict.
    """
    from mathledger.card import licences
    from mathledger.card import settings as model_card
    from mathledger.data import practice

    single, each = sections(), members()
    for name in content.keys() - single.keys() - each.keys():
        raise InputError(f"{CONF}/: {name}: unknown section")
    for name, into in single.items():
        check(name, content.get(name), into)
    claims = check("model_card", content["model_card"], model_card.Params).claims
    model_card.check_claims(claims, choices("benchmark"))
    for group, parts in each.items():
        if not content.get(group):
            raise InputError(f"{CONF}/: no {group} is chosen; choose one with {group}=[NAME]")
        for member, node in content[group].items():
            check_name(group, member)
            for name in node.keys() - parts.keys():
                raise InputError(f"{CONF}/{group}/{member}.yaml: {name}: unknown key")
            for part, into in parts.items():
                check(f"{group}.{member}.{part}", node.get(part), into)
    expect_models(content["evaluated_models"], content["models"])
    practice.expect_twins(content["benchmark"])
    # A card cannot be written if licences conflict; the user should learn that before training.
    of_corpora = {name: corpus["source"]["licence"] for name, corpus in content["corpus"].items()}
    licences.derived(content["model"]["source"]["licence"], of_corpora)


def expect_models(evaluated: Sequence[str], others: Mapping[str, Any]) -> None:
    """Check the names of other people's models, and that the evaluated models are known.

    Raises:
        InputError: a name is taken by the pipeline's own models, or no model has it.
    """
    for name in others:
        check_name("models", name)
        if name in OWN_MODELS:
            raise InputError(
                f"{CONF}/models/: {name} is one of the pipeline's own models: rename it"
            )
    for name in evaluated:
        if name not in OWN_MODELS and name not in others:
            raise InputError(
                f"evaluated_models: there is no model {name!r}; models=[NAME] chooses others"
            )


def main() -> None:
    arguments = sys.argv[1:]
    only_check = "--check" in arguments
    try:
        text = compose([argument for argument in arguments if argument != "--check"])
        from omegaconf import OmegaConf

        content = OmegaConf.to_container(OmegaConf.create(text))
        assert isinstance(content, dict)
        check_all({str(key): value for key, value in content.items()})
    except InputError as error:
        sys.exit(f"error: {error}")
    if not only_check:
        write_text(PARAMS, text)
        return
    current = PARAMS.read_text(encoding="utf-8") if PARAMS.exists() else ""
    if current != text:
        lines = difflib.unified_diff(
            current.splitlines(), text.splitlines(), str(PARAMS), f"{CONF}/", lineterm=""
        )
        print("\n".join(lines))
        sys.exit(f"error: {PARAMS} differs from what {CONF}/ compiles to; run `make params`")


if __name__ == "__main__":
    main()
