"""Where the files of a finished pipeline are, in a checkout, and how each is read."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.tables import Row, read_rows
from mathledger.run.lineage import Lineage

KEPT, REMOVED = "kept.parquet", "removed.parquet"  # of each data stage
EVIDENCE = "data/decontaminate/evidence.parquet"  # the overlaps of training rows with items


def responses_path(model: str, benchmark: str) -> str:
    """Return the file of a model's graded responses to a benchmark."""
    return f"data/evaluate/{model}-{benchmark}/samples.parquet"


@dataclass(frozen=True)
class Outputs:
    """What the stages wrote. Every reader raises InputError if its file is missing or damaged."""

    root: Path  # the folder of dvc.yaml

    @property
    def data(self) -> Path:
        return self.root / "data"

    def loss_curve(self) -> list[dict[str, str]]:
        """Read training and validation loss by step."""
        return read_csv(self.root / "plots" / "train" / "loss.csv")

    @property
    def card(self) -> Path:
        return self.root / "model_card" / "README.md"

    def metrics(self, stage: str, item: str | None = None) -> dict[str, Any]:
        """Read the metrics of a stage, or of one item of it."""
        return dict(read_json(self.metrics_file(stage, item)))

    def metrics_file(self, stage: str, item: str | None = None) -> Path:
        folder = self.root / "metrics"
        return folder / stage / f"{item}.json" if item else folder / f"{stage}.json"

    def prepared(self, corpora: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Read the metrics of `prepare` by corpus."""
        return {corpus: self.metrics("prepare", corpus) for corpus in corpora}

    def receipt(self, *folders: str) -> dict[str, Any]:
        """Read the receipt of a download in data/."""
        return dict(read_json(self.data.joinpath(*folders) / "receipt.json"))

    def samples(self, model: str, benchmark: str) -> Path:
        return self.root / responses_path(model, benchmark)

    def completions(self, model: str) -> Path:
        return self.data / "probe" / model / "completions.parquet"

    @property
    def benchmarks(self) -> Path:
        """The folder that holds one of each benchmark."""
        return self.data / "download_benchmark"

    def items(self, benchmark: str) -> list[Row]:
        return read_rows(self.benchmarks / benchmark / "items.parquet")

    @property
    def evidence(self) -> Path:
        """The overlaps of training rows with benchmark items."""
        return self.root / EVIDENCE

    @property
    def kept(self) -> Path:
        """The rows that `decontaminate` left."""
        return self.data / "decontaminate" / KEPT

    @property
    def removed(self) -> Path:
        """The rows that `decontaminate` removed."""
        return self.data / "decontaminate" / REMOVED

    @property
    def deduplicated(self) -> Path:
        """The rows that `deduplicate` left."""
        return self.data / "deduplicate" / KEPT

    @property
    def duplicates(self) -> Path:
        """The rows that `deduplicate` removed."""
        return self.data / "deduplicate" / REMOVED

    def mix(self, split: str) -> Path:
        """The training set, or what was set aside for validation."""
        return self.data / "mix" / f"{split}.parquet"

    def answers(self, stage: str) -> list[dict[str, str]]:
        """Read what the model answered to a held-out problem while it trained."""
        return read_csv(self.data / stage / "samples.csv")

    def model(self, name: str) -> Path:
        """The folder of a model's weights and tokenizer."""
        return self.data / "model" / name

    def model_files(self, models: Iterable[str]) -> list[Path]:
        return [path for name in models for path in self.model(name).rglob("*") if path.is_file()]

    def lineage(self, stage: str) -> Lineage:
        """Read what a stage recorded of its own run."""
        return Lineage.load(stage, self.root)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read the rows of a table by column."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`") from None
