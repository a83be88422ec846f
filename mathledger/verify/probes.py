"""Check the links from the answers to parts of problems to the probe's metrics."""

from dataclasses import asdict

from mathledger.verify.project import Check, Project


def parts(project: Project) -> Check:
    """Check that the parts asked, the grades and the counts follow from items and responses.

    The responses to a private benchmark are not stored, so only its counts are recomputed.
    """
    from mathledger.core import receipts
    from mathledger.core.files import read_json
    from mathledger.core.tables import read_rows
    from mathledger.evaluation import part_probe, probe
    from mathledger.evaluation.engines.engine import Response
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
        for benchmark in project.settings["benchmark"]:
            own = [row for row in stored if row["benchmark"] == benchmark]
            items = project.outputs.items(benchmark)
            task = params.load(f"benchmark.{benchmark}.task", Task)
            asked = part_probe.ask(folder, benchmark, items, task, evaluation, settings, tokenizer)
            given = {
                (f"{row['part']}/{row['id']}", 0): Response(
                    row["response"] or "",
                    row["num_tokens"],
                    row["finish_reason"],
                    0.0,
                    row.get("thinking"),
                    row.get("num_thinking_tokens"),
                )
                for row in own
            }
            again = part_probe.part_rows(benchmark, asked, given)
            ignored: set[str] = set()
            if receipts.is_private(project.outputs.benchmarks / benchmark):
                ignored = {*part_probe.TEXTS, "verdict", "correct", "is_sure"}
            if [(row["part"], row["id"]) for row in own] != [
                (row["part"], row["id"]) for row in again
            ]:
                yield f"{path}: {benchmark}: the rows are not those of the parts that were asked"
                continue
            for old, new in zip(own, again, strict=True):
                for column in sorted(old.keys() - ignored):
                    if old[column] != new[column]:
                        where = f"{path}: {benchmark}, item {old['id']}, {old['part']}: {column}"
                        yield f"{where} differs from the recomputed value"
            computed = asdict(part_probe.summarise(own, asked.left_out))
            if stated.get(benchmark, {}).get("parts") != computed:
                yield f"{file}: {benchmark}.parts differs from what the answers give"
            num_answers += len(own)
    return f"{num_answers:,} answers to parts of problems regraded"
