#!/usr/bin/env bash
# Run what is missing, and push each part as soon as it is done. Every job in this folder calls this
# script, on the one node that runs DVC.
#
#   bash jobs/run.sh BRANCH OVERRIDE...
#
# Start it in a clone that may push BRANCH to origin, with a DVC remote (docs/team.md) and the
# environment on PATH. Exit status 0 means that the card is on BRANCH and all data in the remote.
# 75 means that training has saved after a SIGTERM; the next start resumes from .scratch/.
set -euo pipefail
branch=$1
shift

# SIGTERM is meant for the stage. DVC and its shells ignore it, and the stage has its own handler:
# it saves and fails, and DVC survives to record that. torchrun kills its processes after this many
# seconds; its default of 30 is too short for the checkpoint of a large model.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-900}
asked=
running=
stop() {
  if [ -n "$asked" ] || [ -z "$running" ]; then
    :
  elif [ "${SLURM_NNODES:-1}" -gt 1 ]; then  # Slurm signals the nodes; srun would kill them.
    scancel --signal=TERM "$SLURM_JOB_ID"
  else
    kill -TERM -- "-$running" 2> /dev/null || true
  fi
  asked=75
}
trap stop TERM INT
set -m  # Give each command its own process group.

run() {
  local status=0
  [ -z "$asked" ] || exit "$asked"
  (trap '' TERM && exec "$@") &
  running=$!
  wait "$running" || status=$?
  while kill -0 "$running" 2> /dev/null; do  # A signal ends `wait`, but not the command.
    status=0
    wait "$running" || status=$?
  done
  running=
  [ "$status" = 0 ] || exit "${asked:-$status}"
}

fail() {
  echo "error: $1" >&2
  exit 1
}

# Check first what would otherwise fail after hours.
[ -n "$(dvc config core.remote)" ] || fail "there is no default DVC remote: docs/team.md"
git diff --quiet HEAD -- conf mathledger stages dvc.yaml || fail "conf/ or code differ from the commit: commit"
git switch --quiet "$branch" 2> /dev/null || git switch --quiet --create "$branch"
python -m stages.params "$@"
git diff --quiet -- params.yaml || git commit --quiet --message "Configure $*" -- params.yaml
git push --quiet origin "$branch"

# Results that others have made come from the remote. A lost node loses only its current part.
for part in mix train model_card; do
  run dvc repro --pull "$part"
  run dvc push --run-cache --with-deps "$part"
done
git add dvc.lock lineage metrics model_card plots
git diff --cached --quiet || git commit --quiet --message "Results of $*"
git push --quiet origin "$branch"
