"""Let the tuned model learn from its own answers with TRL's GRPOTrainer.

The reward of an answer is 1 where evaluation would call it correct, else 0.

Reads   data/mix/, data/model/tuned/; conf: reinforce.grpo
Writes  data/model/reinforced/: a plain `from_pretrained` folder (LoRA: merged, and adapter/)
        data/reinforce/samples.csv: what the model answers a held-out problem, as training goes on
        lineage/reinforce.csv: tokens a second and memory by step
Metrics metrics/reinforce.json, plots/reinforce/reward.csv

    python -m stages.reinforce      what DVC runs, through reinforce.grpo.launch.command

How it launches, resumes, stops and saves is in mathledger/training/training.py.
"""

from mathledger.training import grpo

if __name__ == "__main__":
    grpo.main()
