"""Train the tuned model on its own answers with TRL's GRPOTrainer.

The reward of an answer is 1 if the evaluation would grade it correct, else 0.

Reads   data/mix/, data/model/tuned/; conf: reinforce.grpo
Writes  data/model/reinforced/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/reinforce/samples.csv: answers to one held-out problem during training
        lineage/reinforce.csv: tokens per second and memory at each step
Metrics metrics/reinforce.json, plots/reinforce/reward.csv

DVC starts this stage through reinforce.grpo.launch.command, as one or several processes.
"""

from pathlib import Path

from mathledger.model import prompts
from mathledger.run import arguments, params
from mathledger.run.leaving import run_and_leave
from mathledger.run.tracking import is_main_process, stage_run
from mathledger.training import grpo, loop, models
from mathledger.training.held_out import problem_to_show

MIX = Path("data/mix")
START = Path("data/model/tuned")
OUTPUTS = loop.Outputs(
    model=Path("data/model/reinforced"),
    metrics=Path("metrics/reinforce.json"),
    curves=Path("plots/reinforce/reward.csv"),
    samples=Path("data/reinforce/samples.csv"),
    speed=Path("lineage/reinforce.csv"),
)


def main() -> None:
    arguments.expect_none("reinforce", __doc__)
    with stage_run("reinforce") as run:
        settings = params.load("reinforce.grpo", grpo.Params)
        with loop.training_run("reinforce", settings.launch, run) as scratch:
            tokenizer = prompts.load_tokenizer(START)
            train, num_left_out = grpo.load_problems(MIX / "train.parquet", scratch / "parquet")
            validation, _ = grpo.load_problems(MIX / "validation.parquet", scratch / "parquet")
            trainer = grpo.make_trainer(settings, START, scratch, tokenizer, train, validation)
            training = loop.run_trainer(
                trainer,
                settings,
                run,
                section="reinforce.grpo",
                held_out=problem_to_show(MIX / "validation.parquet", needs_answer=True),
                curves=grpo.CURVES,
                ids_of=grpo.ids_of,
            )
            models.save_model(trainer, tokenizer, START, settings.lora, OUTPUTS.model)
            if is_main_process():
                metrics = grpo.metrics(len(train), num_left_out, trainer, training)
                loop.write_results(trainer, training, metrics, grpo.CURVES, OUTPUTS, run)
                print(
                    f"{metrics['num_steps']} steps in {training.seconds:.0f} s, validation reward "
                    f"{metrics['first_validation_reward']} -> {metrics['last_validation_reward']}"
                )


if __name__ == "__main__":
    run_and_leave(main)
