"""Fine-tune the base model on the mix with TRL's SFTTrainer; a killed run resumes.

Reads   data/mix/, data/model/base/; conf: train
Writes  data/model/tuned/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/train/samples.csv: answers to one held-out problem during training
        lineage/train.csv: tokens per second and memory at each step
Metrics metrics/train.json, plots/train/loss.csv

DVC starts this stage through train.launch.command, as one or several processes. `mathledger plan`
estimates what a run needs before you rent a GPU, and `--rehearse 5` measures it on one: it takes
five real steps on the longest rows, and writes nothing but a report.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from mathledger.core.files import json_text
from mathledger.model import prompts
from mathledger.model.loading import load_config
from mathledger.run import arguments, params
from mathledger.run.gpus import assign_gpus, visible_gpus
from mathledger.run.heap import keep_freed_memory
from mathledger.run.leaving import run_and_leave
from mathledger.run.tracking import errors_in_one_line, is_main_process, stage_run
from mathledger.training import loop, models, rehearsal, rehearsed, sft

MIX = Path("data/mix")
BASE = Path("data/model/base")
OUTPUTS = loop.Outputs(
    model=Path("data/model/tuned"),
    metrics=Path("metrics/train.json"),
    curves=Path("plots/train/loss.csv"),
    samples=Path("data/train/samples.csv"),
    speed=Path("lineage/train.csv"),
)


def main() -> None:
    parser = arguments.Parser("train", __doc__)
    parser.add_argument(
        "--rehearse",
        type=num_steps,
        metavar="STEPS",
        help="take so many steps on the longest rows, and report memory, tokens per second, hours",
    )
    parser.add_argument(
        "--shape",
        type=Path,
        metavar="CONFIG",
        help="rehearse with random weights of the shape in this config.json, without data/",
    )
    parser.add_argument("--json", action="store_true", help="report the rehearsal as JSON")
    chosen = parser.parse_args()
    if not visible_gpus():
        keep_freed_memory()
    if chosen.rehearse:
        rehearse(chosen)
    elif chosen.shape or chosen.json:
        parser.error("--shape and --json need --rehearse STEPS")
    else:
        train()


def num_steps(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(
            f"{text} is not a number of steps; take at least 2, because the first warms up"
        )
    return int(text)


def rehearse(chosen: argparse.Namespace) -> None:
    with errors_in_one_line("train"):
        assign_gpus()
        settings = params.load("train", sft.Params)
        done = rehearsal.rehearse(settings, chosen.rehearse, BASE, MIX, chosen.shape)
        if done and chosen.json:
            print(json_text(asdict(done)), end="")
        elif done:
            print("\n".join(f"{name:18} {value}" for name, value in rehearsed.render(done)))


def train() -> None:
    with stage_run("train") as run:
        settings = params.load("train", sft.Params)
        with loop.training_run("train", settings.launch, run) as scratch:
            tokenizer = prompts.load_tokenizer(BASE)
            models.check_context(load_config(BASE), settings.max_length)
            data = sft.load_data(settings, MIX, scratch, tokenizer)
            trainer = sft.make_trainer(
                settings, BASE, scratch, tokenizer, data.train, data.validation
            )
            sft.check_loss_mask(trainer, tokenizer.eos_token_id)
            training = loop.run_trainer(
                trainer,
                settings,
                run,
                section="train",
                held_out=data.held_out,
                curves=sft.CURVES,
                ids_of=lambda batches: sft.ids_of(batches, data.train),
            )
            models.save_model(trainer, tokenizer, BASE, settings.lora, OUTPUTS.model)
            if is_main_process():
                metrics = sft.metrics(data, trainer, training)
                loop.write_results(trainer, training, metrics, sft.CURVES, OUTPUTS, run)
                print(
                    f"{metrics['num_steps']} steps in {training.seconds:.0f} s, validation loss "
                    f"{metrics['first_validation_loss']:.3f} -> "
                    f"{metrics['last_validation_loss']:.3f}"
                )


if __name__ == "__main__":
    run_and_leave(main)
