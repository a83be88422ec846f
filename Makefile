# Mathledger: `make repro` and `make test` need Python 3.11+, git and make, nothing else.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Stages call `python`, DVC calls stages: both must find the environment's own.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
.DEFAULT_GOAL := help
.PHONY: help setup repro smoke params check lock test ui clean

help:  ## show this help
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is written last. Without it the environment is of unknown state and is made anew.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	@test -e $@ || { echo "Setting up $(VENV) (about 4 minutes, once)"; $(PYTHON) -m venv --clear $(VENV); }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]' || \
	  { echo "error: installing packages failed (see above); mend the cause and run make again"; exit 1; }
	@touch $@

setup: $(READY)  ## create .venv and install the pinned packages

# DVC's table of locks is empty where a DVC was killed as it wrote it, and DVC then refuses to start.
repro: $(READY)  ## run the pipeline: data, training, evaluation, model card
	@test -s .dvc/tmp/rwlock || rm -f .dvc/tmp/rwlock
	@python -m stages.params
	@dvc repro
	@echo && echo "The card: model_card/README.md. Compare runs: make ui"

smoke: $(READY)  ## run the last commit's pipeline on a tiny random model, in a throw-away clone
	@rm -rf .scratch/smoke && git clone --quiet . .scratch/smoke
	@cd .scratch/smoke && python -m stages.params experiment=smoke && dvc repro

params: $(READY)  ## compile conf/ to params.yaml; write its reference and the schemas
	@python -m stages.params && python -m docs.configuration && python -m docs.params_schema && python -m docs.ledger_schema

check: $(READY)  ## ruff, mypy, arrows between rooms, and: is params.yaml current?
	@ruff check . && ruff format --check . && mypy mathledger stages bench docs && lint-imports && python -m stages.params --check

# Without data, DVC compares what dvc.lock says with code, params and dvc.yaml alone. Of lineage/ git
# holds one file, which would make DVC take the folder for changed and not for missing.
lock: $(READY)  ## does the last commit's dvc.lock belong to its code and params? (needs no data)
	@rm -rf .scratch/lock && git clone --quiet . .scratch/lock && rm -r .scratch/lock/lineage
	@cd .scratch/lock && dvc repro --allow-missing --dry > dry.txt; status=$$?; cat dry.txt; \
	  test $$status = 0 && ! grep -q '^Running' dry.txt || \
	  { echo "error: dvc.lock is not of this commit: run make repro and commit what changes"; exit 1; }

test: $(READY)  ## the whole test suite, by two processes
	@python -m pytest --numprocesses 2 --dist worksteal

ui: $(READY)  ## open the MLflow UI on http://127.0.0.1:5000
	@test -e mlflow.db || { echo "error: there is no MLflow store, mlflow.db: run 'make repro', or rebuild it" \
	  "from git: mathledger sync-mlflow"; exit 1; }
	@mlflow server --backend-store-uri sqlite:///$(CURDIR)/mlflow.db --workers 1 --host 127.0.0.1 --port 5000

clean:  ## remove data, models and scratch files (the DVC cache, the environment and mlflow.db stay)
	@rm -rf data/*/ lineage/*/ lineage/*.json .scratch && echo "removed data/, lineage/, .scratch/"
