"""Locate and read the output files of a finished pipeline in a checkout."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core import escaping
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.tables import Row, read_rows
from mathledger.run.lineage import Lineage

KEPT, REMOVED = "kept.parquet", "removed.parquet"  # outputs of each data stage
EVIDENCE = "data/decontaminate/evidence.parquet"  # overlaps of training rows with items


def responses_path(model: str, benchmark: str) -> str:
    """Return the path of a model's graded responses to a benchmark."""
    return f"data/evaluate/{model}-{benchmark}/samples.parquet"


@dataclass(frozen=True)
class Outputs:
    """The stages' outputs; every reader raises InputError if its file is missing or damaged."""

    root: Path  # folder of dvc.yaml

    @property
    def data(self) -> Path:
        return self.root / "data"

    def loss_curve(self) -> list[dict[str, str]]:
        """Read the training and validation losses by step."""
        return read_csv(self.root / "plots" / "train" / "loss.csv")

    @property
    def card(self) -> Path:
        return self.root / "model_card" / "README.md"

    def metrics(self, stage: str, item: str | None = None) -> dict[str, Any]:
        """Read the metrics of a stage, or those of one item of a matrix stage."""
        return dict(read_json(self.metrics_file(stage, item)))

    def metrics_file(self, stage: str, item: str | None = None) -> Path:
        folder = self.root / "metrics"
        return folder / stage / f"{item}.json" if item else folder / f"{stage}.json"

    def prepared(self, corpora: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Read the metrics of `prepare` for each corpus."""
        return {corpus: self.metrics("prepare", corpus) for corpus in corpora}

    def receipt(self, *folders: str) -> dict[str, Any]:
        """Read the receipt of a download in a folder of data/."""
        return dict(read_json(self.data.joinpath(*folders) / "receipt.json"))

    def samples(self, model: str, benchmark: str) -> Path:
        return self.root / responses_path(model, benchmark)

    def completions(self, model: str) -> Path:
        return self.data / "probe" / model / "completions.parquet"

    def parts(self, model: str) -> Path:
        return self.data / "probe" / model / "parts.parquet"

    @property
    def benchmarks(self) -> Path:
        """Return the folder with a subfolder for each benchmark."""
        return self.data / "download_benchmark"

    def items(self, benchmark: str) -> list[Row]:
        return read_rows(self.benchmarks / benchmark / "items.parquet")

    @property
    def evidence(self) -> Path:
        """Return the file that lists overlaps of training rows with benchmark items."""
        return self.root / EVIDENCE

    @property
    def kept(self) -> Path:
        """Return the file of the rows that `decontaminate` kept."""
        return self.data / "decontaminate" / KEPT

    @property
    def removed(self) -> Path:
        """Return the file of the rows that `decontaminate` removed."""
        return self.data / "decontaminate" / REMOVED

    @property
    def deduplicated(self) -> Path:
        """Return the file of the rows that `deduplicate` kept."""
        return self.data / "deduplicate" / KEPT

    @property
    def duplicates(self) -> Path:
        """Return the file of the rows that `deduplicate` removed."""
        return self.data / "deduplicate" / REMOVED

    def mix(self, split: str) -> Path:
        """Return the file of a split: train or validation."""
        return self.data / "mix" / f"{split}.parquet"

    def answers(self, stage: str) -> list[dict[str, str]]:
        """Read the model's answers to a held-out problem during a training stage."""
        return read_csv(self.data / stage / "samples.csv")

    def model(self, name: str) -> Path:
        """Return the folder of a model's weights and tokenizer."""
        return self.data / "model" / name

    def model_files(self, models: Iterable[str]) -> list[Path]:
        return [path for name in models for path in self.model(name).rglob("*") if path.is_file()]

    def lineage(self, stage: str) -> Lineage:
        """Read the lineage that a stage recorded of its run."""
        return Lineage.load(stage, self.root)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as one dict per row."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return escaping.read_csv(file.read())
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`") from None
