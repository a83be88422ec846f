"""Fine-tune the base model on the mix with TRL's SFTTrainer; a killed run resumes.

Reads   data/mix/, data/model/base/; conf: train
Writes  data/model/tuned/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/train/samples.csv: answers to one held-out problem during training
        lineage/train.csv: tokens per second and memory at each step
Metrics metrics/train.json, plots/train/loss.csv

DVC starts this stage through train.launch.command, as one or several processes. `mathledger plan`
estimates what a run needs before you rent a GPU.
"""

from pathlib import Path

from mathledger.model import prompts
from mathledger.model.loading import load_config
from mathledger.run import arguments, params
from mathledger.run.tracking import is_main_process, stage_run
from mathledger.training import loop, models, sft

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
    arguments.expect_none("train", __doc__)
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
    main()
