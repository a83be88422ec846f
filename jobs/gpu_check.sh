#!/usr/bin/env bash
# Check the project on one GPU, in less than 8 minutes and without network. It has not been run on a
# GPU yet; the tests run it on a CPU, where the models are tiny.
#
#   jobs/gpu_check.sh [--results DIR]
#
# First run `make extras`, and `make vllm` to check vLLM too. The check works in a throw-away clone
# of the last commit, .scratch/gpu_check. It writes gpu_check.json to bench/results/, or DIR; commit
# it, and `python -m docs.measured` puts its table into docs/benchmarks.md. The status is 1 if a
# part failed. bench/gpu_check.py holds the parts.
set -euo pipefail
cd "$(dirname "$0")/.."
test ! -d .venv/bin || export PATH="$PWD/.venv/bin:$PATH"
export HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 MLFLOW_DISABLE_TELEMETRY=true DVC_NO_ANALYTICS=1 TQDM_DISABLE=1
exec python -m bench.gpu_check .scratch/gpu_check "$@"
