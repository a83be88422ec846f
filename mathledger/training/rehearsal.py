"""Rehearse a training: take a few real steps on the longest rows, and leave nothing behind.

The trainer is the stage's own, with the settings in params.yaml. The steps are timed, the peak
memory is measured, and both are compared with what `mathledger plan` estimates. The whole run is
extrapolated from the tokens per second; evaluations and checkpoints come on top of it.

With a `shape`, a config.json, neither weights nor rows are needed: the weights are random, and each
row has max_length tokens, which is the most that a run can need.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mathledger.core.errors import InputError
from mathledger.model import prompts
from mathledger.model.byte_tokenizer import byte_tokenizer
from mathledger.model.launch import Launch, barrier, broadcast, initialise_ranks
from mathledger.model.loading import load_config, reason
from mathledger.run.tracking import is_main_process
from mathledger.training import estimate, hardware, lengths, models, sft
from mathledger.training.rehearsed import Rehearsal, compare, planned_memory
from mathledger.training.size import size_of


def rehearse(
    settings: sft.Params, num_steps: int, base: Path, mix: Path, shape: Path | None
) -> Rehearsal | None:
    """Take `num_steps` steps, and return what they took; only rank 0 returns it.

    Args:
        base: the base model's folder; not read if a shape is given.
        mix: the folder of the mix; not read if a shape is given.
        shape: a config.json, or a folder with one.

    Raises:
        InputError: model or rows are missing, do not fit the settings, or do not fit the GPU.
    """
    with ranks_and_folder(settings.launch) as scratch:
        if shape:
            base = scratch / "base"
            write_random_model(shape, base)
        elif missing := [path for path in (base, mix / "train.parquet") if not path.exists()]:
            raise InputError(
                f"{missing[0]} does not exist yet: run `dvc repro mix download_model`, or pass "
                "--shape CONFIG.JSON to rehearse with random weights and the longest rows possible"
            )
        tokenizer = prompts.load_tokenizer(base)
        models.check_context(load_config(base), settings.max_length)
        rows, batch = None, estimate.effective_batch(settings)
        if shape:
            tokens = made_up_rows(load_config(base), settings.max_length, num_steps * batch)
        else:
            path = mix / "train.parquet"
            rows = lengths.measure_rows(path, tokenizer, settings.max_length)
            tokens = rows_to_use(settings, path, tokenizer, num_steps * batch)
        return _take_steps(settings, num_steps, base, scratch, tokenizer, tokens, rows)


@contextlib.contextmanager
def ranks_and_folder(launch: Launch) -> Iterator[Path]:
    """Start the ranks and yield a temporary folder that all of them see, on several nodes too."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    initialise_ranks(launch)
    own = None
    if is_main_process():
        Path(".scratch").mkdir(exist_ok=True)
        own = tempfile.mkdtemp(prefix="rehearsal-", dir=".scratch")
    folder = Path(broadcast(own))
    try:
        yield folder
    finally:
        if is_main_process():
            shutil.rmtree(folder, ignore_errors=True)


def write_random_model(shape: Path, folder: Path) -> None:
    """Write a model of this shape with random bfloat16 weights, and a byte-level tokenizer.

    It is made on the GPU if there is one, where 7 billion weights take seconds.

    Raises:
        InputError: the shape is no config.json of a causal language model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if not shape.exists():  # transformers would look for it on the hub
        raise InputError(f"--shape {shape} does not exist")
    if is_main_process():
        tokenizer = byte_tokenizer()
        try:
            config = load_config(shape)
            if config.vocab_size < len(tokenizer):
                raise InputError(f"--shape {shape}: vocab_size must be at least {len(tokenizer)}")
            config.eos_token_id, config.bos_token_id = tokenizer.eos_token_id, None
            config.pad_token_id = tokenizer.pad_token_id
            torch.manual_seed(0)
            with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
                model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(f"--shape {shape}: {reason(error)}") from None
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        del model
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    barrier()


def made_up_rows(config: Any, length: int, count: int) -> dict[str, list[Any]]:
    """Return rows of `length` random tokens, a quarter of them prompt, that end a turn."""
    tokenizer = byte_tokenizer()
    draw = np.random.default_rng(0)
    ids = draw.integers(len(tokenizer.all_special_ids), config.vocab_size, (count, length))
    ids[:, -1] = tokenizer.eos_token_id
    asked = max(1, length // 4)
    return {
        "id": [str(number) for number in range(count)],
        "input_ids": ids.tolist(),
        "completion_mask": [[0] * asked + [1] * (length - asked)] * count,
        "length": [length] * count,
    }


def rows_to_use(
    settings: sft.Params, path: Path, tokenizer: Any, count: int
) -> dict[str, list[Any]]:
    """Return enough tokenised rows for `count` rows or packed sequences, or all rows if too few.

    Packed sequences are filled by short rows as well, so evenly spaced rows are added to the
    longest.
    """
    tokens = lengths.longest_rows(path, tokenizer, settings.max_length, count)
    if settings.packing:
        known = set(tokens["id"])
        spaced = lengths.take(path, lengths.evenly_spaced(lengths.num_rows(path)))
        more = sft.tokenise(spaced, tokenizer)
        for index, length in enumerate(more["length"]):
            if length <= settings.max_length and more["id"][index] not in known:
                for key, values in tokens.items():
                    values.append(more[key][index])
    return tokens


def _take_steps(
    settings: sft.Params,
    num_steps: int,
    base: Path,
    scratch: Path,
    tokenizer: Any,
    tokens: dict[str, list[Any]],
    rows: lengths.Rows | None,
) -> Rehearsal | None:
    import datasets
    import torch
    from transformers import IntervalStrategy, PrinterCallback, ProgressCallback

    from mathledger.training.callbacks import StepClock
    from mathledger.training.loop import check_sharding
    from mathledger.training.trainers import NonFiniteError

    batch = estimate.effective_batch(settings)
    data = datasets.Dataset.from_dict(tokens)
    size = size_of(load_config(base), settings.lora)
    before = hardware.start_measuring_memory()
    try:
        trainer = sft.make_trainer(
            replace(settings, max_steps=num_steps), base, scratch, tokenizer, data, data
        )
        check_sharding(trainer, settings.launch, "train")
        sft.check_loss_mask(trainer, tokenizer.eos_token_id)
        longest = [len(ids) for ids in trainer.train_dataset["input_ids"]]
        order = np.argsort(-np.array(longest), kind="stable")
        # Too few rows are used again, so that each step has a whole batch of the longest.
        trainer.train_dataset = trainer.train_dataset.select(np.resize(order, num_steps * batch))
        micro = settings.per_device_train_batch_size * settings.launch.num_processes
        trainer.eval_dataset = trainer.eval_dataset.select(order[:micro])
        trainer.args.eval_strategy = IntervalStrategy.NO  # not among the timed steps
        for callback in (ProgressCallback, PrinterCallback):
            trainer.remove_callback(callback)
        clock = StepClock()
        trainer.add_callback(clock)
        trainer.train()
        trainer.evaluate()  # also needs memory
    except torch.OutOfMemoryError as error:
        parts = planned_memory(settings, size, max(tokens["length"]))
        raise InputError(
            f"the GPU's memory is too small ({reason(error)}); the plan counts "
            f"{sum(parts.values()):.1f} GiB: lower train.per_device_train_batch_size, set "
            "train.activation_checkpointing=true, or choose train=lora, train=qlora or "
            "train/launch=fsdp2"
        ) from None
    except NonFiniteError as error:
        raise InputError(f"step {error.step}: the loss or its gradient is not finite") from None
    used = hardware.memory_since(before)
    if not is_main_process():
        return None
    facts = hardware.hardware_facts(trainer)
    return compare(settings, size, rows, clock, used, longest[order[0]], facts)
