#!/usr/bin/env bash
# What every job of this folder does, on the one node that runs DVC: run what is missing, and share
# each part as soon as it is done.
#
#   bash jobs/run.sh BRANCH OVERRIDE...
#
# In a clone that may push BRANCH to origin, with a DVC remote (docs/team.md) and the environment on
# PATH. It ends with 0 once the card is on BRANCH and all data in the remote. 75 means that it was
# asked to stop (SIGTERM) and that training has saved: started again, it goes on from .scratch/.
set -euo pipefail
branch=$1
shift

# A SIGTERM is for the stage. DVC and its shells are started deaf to it, and stages set a handler of
# their own: so the stage saves and fails, and DVC lives to see it. torchrun kills its processes
# after this many seconds, by default 30: too few for the checkpoint of a large model.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-900}
asked=
running=
stop() {
  if [ -n "$asked" ] || [ -z "$running" ]; then
    :
  elif [ "${SLURM_NNODES:-1}" -gt 1 ]; then  # Slurm tells the nodes; srun would kill them
    scancel --signal=TERM "$SLURM_JOB_ID"
  else
    kill -TERM -- "-$running" 2> /dev/null || true
  fi
  asked=75
}
trap stop TERM INT
set -m  # each command in a process group of its own

run() {
  local status=0
  [ -z "$asked" ] || exit "$asked"
  (trap '' TERM && exec "$@") &
  running=$!
  wait "$running" || status=$?
  while kill -0 "$running" 2> /dev/null; do  # a signal has ended the wait, not the command
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

# First, what would else fail after hours.
[ -n "$(dvc config core.remote)" ] || fail "there is no default DVC remote: docs/team.md"
git diff --quiet HEAD -- conf mathledger stages dvc.yaml || fail "conf/ or code differ from the commit: commit"
git switch --quiet "$branch" 2> /dev/null || git switch --quiet --create "$branch"
python -m stages.params "$@"
git diff --quiet -- params.yaml || git commit --quiet --message "Configure $*" -- params.yaml
git push --quiet origin "$branch"

# What others have run comes from the remote. A node that is lost costs the part it was at, no more.
for part in mix train model_card; do
  run dvc repro --pull "$part"
  run dvc push --run-cache --with-deps "$part"
done
git add dvc.lock lineage metrics model_card plots
git diff --cached --quiet || git commit --quiet --message "Results of $*"
git push --quiet origin "$branch"
