"""Check the links from the answers to parts of problems to the probe's metrics."""

from dataclasses import asdict
from pathlib import Path

from mathledger.verify import comparing
from mathledger.verify.project import Check, Project
from mathledger.verify.results import given_response
from mathledger.verify.sources import scratch

JUDGED = ("verdict", "correct", "is_sure")  # stored alone where the answers are private


def parts(project: Project) -> Check:
    """Check that the parts asked, the grades and the counts follow from items and responses.

    The responses to a private benchmark are not stored, so only its counts are recomputed.
    """
    from mathledger.core import receipts
    from mathledger.core.files import read_json
    from mathledger.core.tables import read_rows, write_rows
    from mathledger.evaluation import part_probe, probe
    from mathledger.evaluation.harness import Task
    from mathledger.evaluation.questions import silence_libraries
    from mathledger.evaluation.served import server_of, settings_for
    from mathledger.evaluation.settings import Params
    from mathledger.model import prompts
    from mathledger.run import params

    silence_libraries()
    settings = params.load("probe", probe.Params)
    num_answers = 0
    for model in project.settings["evaluated_models"]:
        folder, path = project.outputs.model(model), project.outputs.parts(model)
        file = project.outputs.metrics_file("probe", model)
        stated, stored = read_json(file), read_rows(path)
        evaluation = settings_for(folder, params.load("evaluate", Params))
        tokenizer = None if server_of(folder) else prompts.load_tokenizer(folder)
        again, computed = [], {}
        for benchmark in sorted(project.settings["benchmark"]):
            own = {
                f"{row['part']}/{row['id']}": row for row in stored if row["benchmark"] == benchmark
            }
            items = project.outputs.items(benchmark)
            task = params.load(f"benchmark.{benchmark}.task", Task)
            asked = part_probe.ask(folder, benchmark, items, task, evaluation, settings, tokenizer)
            given = {(key, 0): given_response(row) for key, row in own.items()}
            rows = part_probe.part_rows(benchmark, asked, given)
            if receipts.is_private(project.outputs.benchmarks / benchmark):
                judged = (own.get(f"{row['part']}/{row['id']}", {}) for row in rows)
                rows = [
                    row | {key: old.get(key) for key in JUDGED}
                    for row, old in zip(part_probe.without_text(rows), judged, strict=True)
                ]
            again += rows
            summary = part_probe.summarise(rows, asked.left_out)
            computed[benchmark] = stated.get(benchmark, {}) | {"parts": asdict(summary)}
        with scratch() as name:
            write_rows(Path(name) / path.name, again, part_probe.PART)
            yield from comparing.files(path, Path(name) / path.name, shows_text=False)
        yield from comparing.json_file(file, stated, computed)
        num_answers += len(again)
    return f"{num_answers:,} answers to parts of problems regraded"
