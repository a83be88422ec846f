"""Check the link `sources`: the downloads are the pinned ones, and were not changed since.

A generated corpus or benchmark is generated again. Files of the hub, of a package and of the user
are compared with the sha256 in conf/, and a benchmark's items are made from them again.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathledger.chain.facts import is_private
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json, write_text
from mathledger.core.hashing import sha256
from mathledger.data import benchmarks, formats, practice, receipts, sources
from mathledger.run import params
from mathledger.run.params import other_models
from mathledger.verify import comparing
from mathledger.verify.project import Check, Project

if TYPE_CHECKING:
    from mathledger.model import download

SCRATCH = Path(".scratch")
FACTS = ("num_parameters", "dtype", "chat_template", "server")  # what a receipt says of a model
WEIGHTS = ".safetensors"  # the other files of a model may be repaired when it is downloaded


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder inside the project, on the same disk as data/."""
    SCRATCH.mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(dir=SCRATCH, prefix="verify-")


def pinned(project: Project) -> Check:
    """Check that the downloads are what conf/ pins, and that their receipts describe them."""
    corpora, names = list(project.settings["corpus"]), list(project.settings["benchmark"])
    with scratch() as folder:
        for corpus in corpora:
            yield from _corpus(project.outputs.data / "download_corpus" / corpus, Path(folder))
        for name in names:
            yield from _benchmark(project, name, Path(folder) / name)
    found = models(project)
    for model, section in found.items():
        yield from _model(project.outputs.model(model), section)
    counts = f"corpora: {len(corpora)}; benchmarks: {len(names)}; models: {len(found)}"
    return f"{counts}: as conf/ pins them"


def _corpus(folder: Path, scratch: Path) -> Iterator[str]:
    source = params.load(f"corpus.{folder.name}.source", sources.CorpusSource)
    paths: list[Path]
    if isinstance(source, practice.PracticeCorpus):
        rows = practice.corpus_rows(source)
        again = scratch / "train.jsonl"
        write_text(again, practice.as_lines(rows))
        yield from comparing.files(folder / "train.jsonl", again)
        paths, num_rows = [folder / "train.jsonl"], len(rows)
    else:
        pins = _pins(source)
        yield from _files(folder, pins)
        paths = [folder / name for name in pins]
        if not all(path.is_file() for path in paths):
            return
        num_rows = sum(map(formats.count_rows, paths))
        if isinstance(source, sources.HubDataset) and num_rows != source.num_rows:
            yield f"{folder} has {num_rows} rows, but conf/ pins {source.num_rows}"
    yield from _strangers(folder, {*paths, folder / "receipt.json"})
    yield from _receipt(folder, receipts.content(folder, receipts.identity(source), num_rows))


def _pins(source: sources.Hub | sources.Local | sources.HarnessTask) -> dict[str, str | None]:
    """Return the sha256 of each file of a source by its path in the download's folder."""
    if isinstance(source, sources.HarnessTask):
        return {**source.files, **source.examples}
    if isinstance(source, sources.Local):
        return {Path(path).name: digest for path, digest in source.files.items()}
    return dict(source.files)


def _files(folder: Path, pins: Mapping[str, str | None]) -> Iterator[str]:
    """Compare files with their pins; where conf/ has none, only the hub knows the digest."""
    for name, digest in pins.items():
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing: run `dvc repro` or `dvc pull`"
        elif digest and (found := sha256(path)) != digest:
            yield f"{path} is not the pinned file: its sha256 is {found}, but conf/ pins {digest}"


def _strangers(folder: Path, known: set[Path]) -> Iterator[str]:
    for path in comparing.files_below(folder):
        if path not in known:
            yield f"{path} is not a file of this source: remove it"


def _receipt(folder: Path, content: dict[str, Any]) -> Iterator[str]:
    path = folder / "receipt.json"
    yield from comparing.json_file(path, read_json(path), content)


def _benchmark(project: Project, name: str, scratch: Path) -> Iterator[str]:
    source = params.load(f"benchmark.{name}.source", sources.BenchmarkSource)
    mapping = params.load(f"benchmark.{name}.mapping", benchmarks.Mapping)
    folder = project.outputs.benchmarks / name
    own = folder / "source"
    stored: list[Path] = []
    match source:
        case practice.PracticeBenchmark():
            pass
        case sources.Wheel():
            stored = sorted(own.glob("*.whl"))
            yield from _files(own, {path.name: source.sha256 for path in stored})
            if len(stored) != 1:
                yield f"{own} must hold one wheel, and has {len(stored)}: run `dvc repro`"
                return
        case _:
            pins = _pins(source)
            yield from _files(own, pins)
            stored = [own / each for each in pins]
            if not all(path.is_file() for path in stored):
                return
    if own.is_dir():
        shutil.copytree(own, scratch / "source")
    rows = benchmarks.read(source, mapping, stored)
    metrics = benchmarks.write(source, mapping, rows, scratch)
    if own.is_dir():
        yield from _strangers(own, set(stored))
    shows_text = not is_private(project.settings, name)
    yield from comparing.folders(folder, scratch, shows_text)
    again = scratch.parent / f"{name}.json"
    write_json(again, metrics)
    yield from comparing.files(project.outputs.metrics_file("download_benchmark", name), again)


def models(project: Project) -> dict[str, str]:
    """Return the downloaded models, with the section of params.yaml that pins each."""
    others = other_models(project.settings)
    return {"base": "model"} | {name: f"models.{name}" for name in others}


def model_settings(section: str) -> "download.Params | download.Other":
    """Return the section of params.yaml that pins a downloaded model."""
    from mathledger.model import download

    if section == "model":
        return params.load(section, download.Params)
    return params.load(section, download.Other)


def _model(folder: Path, section: str) -> Iterator[str]:
    """Compare a model's receipt with its files, and unconverted files with their pins."""
    settings = model_settings(section)
    stated = read_json(folder / "receipt.json")
    if not isinstance(stated, dict):
        raise InputError(f"{folder / 'receipt.json'} is not a receipt: run `dvc repro`")
    # `--deep` computes these again, because that loads the weights or asks the server.
    facts = {key: stated[key] for key in FACTS if key in stated}
    identity = receipts.identity(settings.source) | facts
    yield from _receipt(folder, receipts.content(folder, identity, None))
    if isinstance(settings.source, sources.Hub | sources.Local):
        pins = _pins(settings.source)
        yield from _files(folder, {key: pins[key] for key in pins if key.endswith(WEIGHTS)})
