"""Check the links of the probe for memorised problems: its texts, its verdicts and its metrics."""

import random
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mathledger.chain.facts import is_private
from mathledger.verify import comparing
from mathledger.verify.project import Check, Project
from mathledger.verify.sources import scratch

PARTS = "parts.parquet"
VERDICTS = ("is_verbatim", "prefix_rate", "rouge_l")


def completions(project: Project) -> Check:
    """Check that the probe's texts, verdicts and metrics follow from items and completions.

    The completions of a private benchmark's items are not stored, so their verdicts are computed
    again only by `--deep`.
    """
    from mathledger.core.files import write_json
    from mathledger.core.tables import read_rows, write_rows
    from mathledger.evaluation import probe
    from mathledger.evaluation.questions import silence_libraries

    silence_libraries()
    num_rows = 0
    for model in project.settings["evaluated_models"]:
        path = project.outputs.completions(model)
        stored = read_rows(path)
        num_rows += len(stored)
        texts = chosen_texts(project, model)
        # A model behind a server that only chats completes nothing.
        metrics: dict[str, Any] = {name: {} for name in project.settings["benchmark"]}
        again = []
        for benchmark, own in sorted(texts.items()):
            rows = [row for row in stored if row["benchmark"] == benchmark]
            again += rows_again(project, benchmark, own, rows)
            metrics[benchmark] = asdict(probe.summarise(rows, own.left_out))
        with scratch() as name:
            folder = Path(name)
            write_rows(folder / path.name, again, probe.COMPLETION)
            left_out = {key: list(map(vars, own.left_out)) for key, own in texts.items()}
            write_json(folder / "left_out.json", left_out)
            # The link `parts` compares the third file, and no message quotes a private text.
            (folder / PARTS).write_bytes(path.with_name(PARTS).read_bytes())
            yield from comparing.folders(path.parent, folder, shows_text=False)
        file = project.outputs.metrics_file("probe", model)
        stated = {
            # The answers to parts of problems are checked by another link.
            name: {key: own[key] for key in own if key != "parts"} if isinstance(own, dict) else own
            for name, own in project.outputs.metrics("probe", model).items()
        }
        if stated != metrics:
            yield from comparing.values(file, stated, metrics)
    return f"{num_rows:,} completions compared again with the rest of their problems"


def chosen_texts(project: Project, model: str) -> dict[str, Any]:
    """Return the texts that the stage gives a model, by benchmark."""
    from mathledger.core.files import read_json
    from mathledger.evaluation import probe, probe_server
    from mathledger.evaluation.served import server_of
    from mathledger.model import prompts
    from mathledger.run import params

    folder = project.outputs.model(model)
    if server_of(folder) and not probe_server.completes_text(folder):
        return {}  # only its server's chat is known, so it is not probed
    settings = params.load("probe", probe.Params)
    prompt = params.load("prompt", prompts.Params)
    if server_of(folder):
        tokenizer, context = probe_server.Words(), sys.maxsize
    else:
        tokenizer = prompts.load_tokenizer(folder, padding_side="left")
        context = read_json(folder / "config.json")["max_position_embeddings"]
    held_out = probe.held_out_problems(project.outputs.mix("validation"), prompt)
    pool, _ = probe.usable(tokenizer, held_out, settings.min_tokens, context)
    return {
        name: probe.choose(tokenizer, project.outputs.items(name), pool, settings, context)
        for name in sorted(project.settings["benchmark"])
    }


def rows_again(project: Project, benchmark: str, texts: Any, stored: list[Any]) -> list[Any]:
    """Return the rows that the stage writes if the model gives the stored completions."""
    from mathledger.evaluation import probe

    by_key = {(row["is_control"], row["id"]): row for row in stored}
    again = []
    for is_control, group in ((False, texts.items), (True, texts.controls)):
        is_hidden = not is_control and is_private(project.settings, benchmark)
        known = {
            each.problem: (by_key.get((is_control, each.id)) or {}).get("completion") or ""
            for each in group
        }
        rows = probe.completion_rows(benchmark, group, known, is_control)
        if is_hidden:
            rows = [
                row | {key: by_key.get((False, row["id"]), {}).get(key) for key in VERDICTS}
                for row in probe.without_text(rows)
            ]
        again += rows
    return again


def again(project: Project) -> Check:
    """Check that completions drawn at random come out the same, also those that are not stored."""
    import torch

    from mathledger.core.tables import read_rows
    from mathledger.evaluation import probe
    from mathledger.evaluation.completers import open_completer
    from mathledger.run import params

    settings = params.load("probe", probe.Params)
    num = same = 0
    for name in project.settings["evaluated_models"]:
        path = project.outputs.completions(name)
        stored = {(row["benchmark"], row["is_control"], row["id"]): row for row in read_rows(path)}
        drawn = [
            (benchmark, is_control, each)
            for benchmark, own in chosen_texts(project, name).items()
            for is_control, group in ((False, own.items), (True, own.controls))
            for each in group
        ]
        if not drawn:
            continue
        drawn = random.sample(drawn, min(project.options.num_regenerated, len(drawn)))
        completer = open_completer(project.outputs.model(name), settings)
        assert completer  # a model without one has no texts
        given = completer.complete([each for *_, each in drawn])
        del completer
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for benchmark, is_control, each in drawn:
            (new,) = probe.completion_rows(benchmark, [each], given, is_control)
            old = stored.get((benchmark, is_control, each.id), {})
            columns = [key for key in ("completion", *VERDICTS) if old.get(key) is not None]
            changed = [key for key in columns if old[key] != new[key]]
            num += 1
            same += not changed
            if changed or not columns:
                what = changed[0] if changed else "row"
                yield f"{path}: {benchmark}, {each.id}: {what} differs if it is generated again"
    return f"{same} of {num} completions, drawn at random, came out the same"
