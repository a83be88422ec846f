#!/usr/bin/env bash
# Run the seed recipe as a job of Hugging Face on one machine of 8 GPUs; a lost machine is replaced.
#
#   REPOSITORY=https://... GIT_TOKEN=... bash jobs/hf.sh
#
# Set these first: `hf auth login`; the model's pin (conf/model/deepseek_math_7b_rl.yaml, pushed) and
# the DVC remote in .dvc/config (docs/team.md), with its keys as further --secrets. GIT_TOKEN must be
# able to push to REPOSITORY. Only the remote and the branch outlive the machine. Options of this
# script go to `hf jobs run`, such as --dry-run.
set -euo pipefail
exec hf jobs run "$@" \
  --name mathledger --flavor h200x8 --timeout 24h --attempts 3 --detach \
  --env REPOSITORY="$REPOSITORY" --secrets GIT_TOKEN \
  python:3.12 bash -euc '
    git clone --config user.name=mathledger --config user.email=mathledger@example.org \
      --config credential.helper="!echo username=token; echo \"password=\$GIT_TOKEN\"; :" "$REPOSITORY" mathledger
    cd mathledger
    make extras
    source .venv/bin/activate
    exec bash jobs/run.sh seed-recipe \
      experiment=deepseek_math_7b \
      train/launch=fsdp2 train.per_device_train_batch_size=4 train.gradient_accumulation_steps=1 \
      evaluate=sampled train/launch@evaluate.launch=ddp
  '
