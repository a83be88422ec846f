"""Fine-tune the base model on the mix with TRL's SFTTrainer; a killed run goes on where it was.

Reads   data/mix/, data/model/base/; conf: train
Writes  data/model/tuned/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/train/samples.csv: what the model answers a held-out problem, as training goes on
        lineage/train.csv: tokens a second and memory by step
Metrics metrics/train.json, plots/train/loss.csv

    python -m stages.train          what DVC runs, through train.launch.command
    python -m stages.train --plan   what a run will need, before a GPU is rented: mathledger/plan/

How it launches, resumes, stops and saves is in mathledger/training/training.py.
"""

from mathledger.training import sft

if __name__ == "__main__":
    sft.main()
