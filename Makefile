# Mathledger: `make repro` and `make test` need Python 3.11 to 3.14, git and make, nothing else.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
EXTRAS := $(VENV)/.ready-extras
# Python compiles a module when it is first imported; compiling all of them takes a quarter of the time.
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
# Wheels with a known digest. What exists as source alone is pure Python and needs no compiler.
LOCKED := $(PIP) --require-hashes --no-deps --no-build-isolation --only-binary :all: \
  --no-binary antlr4-python3-runtime,jsonpath-rw,rouge-score,sqlitedict,word2number
FAILED := { echo "error: installing packages failed (see above); fix the cause and run make again"; exit 1; }
# DVC runs the stages and the stages call `python`: both must find the environment's own programs.
# macOS has make 3.81, which looks for a program in this PATH only if a shell starts it; `exec` asks
# for a shell.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
# By default DVC keeps pickled records in /var/tmp/dvc, which all users share (docs/security.md).
SITE := .dvc/tmp/site
export DVC_SITE_CACHE_DIR := $(CURDIR)/$(SITE)
export HF_HUB_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
# Images often forbid Python to store bytecode. Then every process of the tests and of the pipeline
# compiles all modules that it imports: importing TRL takes 12 s of CPU time instead of 5 s.
export PYTHONDONTWRITEBYTECODE :=
# Libraries draw progress bars in log files too, unless this is set before they are imported.
NO_BARS := test -t 2 || export TQDM_DISABLE=1
.DEFAULT_GOAL := help
.PHONY: help setup extras vllm repro smoke params check lock test quick locks ui clean

help:  ## show this help
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is written last. Without it the environment may be incomplete and is rebuilt.
# torch is pinned by version alone, so that an index of builds for CPUs can take the place of CUDA's.
$(SITE):
	@mkdir -p $(dir $@) && mkdir -m 700 $@

$(READY): pyproject.toml locks/build.txt locks/pipeline.txt locks/torch.txt | $(SITE)
	@$(PYTHON) locks/supported.py
	@test -e $@ || { echo "Setting up $(VENV) (about 2 minutes, once)"; $(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) --require-hashes --only-binary :all: --requirement locks/build.txt || $(FAILED)
	@$(LOCKED) --requirement locks/pipeline.txt || $(FAILED)
	@$(PIP) --only-binary :all: --constraint locks/torch.txt torch || $(FAILED)
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable . || $(FAILED)
	@touch $@

$(EXTRAS): $(READY) locks/all.txt
	@$(LOCKED) --requirement locks/all.txt || $(FAILED)
	@touch $@

setup: $(READY)  ## create .venv and install what the pipeline needs, at its pinned versions

extras: $(EXTRAS)  ## add what the tests and the options need: S3, Ray, 4 bits, signatures, ...

# vLLM pins other versions of numba and numpy, so it gets an environment of its own.
VLLM := .venv-vllm
vllm:  ## create .venv-vllm for evaluate=vllm (Linux with NVIDIA GPUs, Python 3.11; several GB)
	@$(PYTHON) -m venv --clear $(VLLM)
	@$(PIP:$(VENV)/%=$(VLLM)/%) --require-hashes --only-binary :all: --requirement locks/build.txt || $(FAILED)
	@$(LOCKED:$(VENV)/%=$(VLLM)/%) --requirement locks/vllm.txt || $(FAILED)
	@$(PIP:$(VENV)/%=$(VLLM)/%) --no-deps --no-build-isolation --editable . || $(FAILED)

repro: $(READY)  ## run the pipeline: data, training, evaluation, model card
	@exec python -m mathledger.run.repair
	@exec python -m stages.params
	@$(NO_BARS); exec dvc repro
	@echo && echo "The card: model_card/README.md. Compare runs: make ui"

# For every stage DVC reads and writes all of dvc.lock, and the smoke run uses nothing of it.
smoke: $(READY)  ## run the last commit's pipeline on a tiny random model, in a throw-away clone
	@rm -rf .scratch/smoke && git clone --quiet . .scratch/smoke && rm -f .scratch/smoke/dvc.lock
	@$(NO_BARS); cd .scratch/smoke && python -m stages.params experiment=smoke && dvc repro

params: $(READY)  ## compile conf/ to params.yaml and write its reference and the schemas
	@python -m stages.params && python -m docs.configuration && python -m docs.params_schema && python -m docs.ledger_schema

check: $(EXTRAS)  ## ruff, mypy (for Linux and macOS), imports between rooms, workflows, whether params.yaml is current
	@ruff check . && ruff format --check . && mypy mathledger stages bench docs && \
	  mypy --platform darwin --cache-dir .mypy_cache/darwin mathledger stages && lint-imports && \
	  zizmor --offline --quiet .github && python -m stages.params --check

# Without data, DVC compares dvc.lock only with code, params and dvc.yaml. Git holds some files of
# lineage/; they are removed because DVC would call the folder changed instead of missing.
lock: $(READY)  ## check that the last commit's dvc.lock matches its code and params (needs no data)
	@rm -rf .scratch/lock && git clone --quiet . .scratch/lock && rm -r .scratch/lock/lineage
	@cd .scratch/lock && dvc repro --allow-missing --dry > dry.txt; status=$$?; cat dry.txt; \
	  test $$status = 0 && ! grep -q '^Running' dry.txt || \
	  { echo "error: dvc.lock does not match this commit: run make repro and commit the changes"; exit 1; }

test: $(EXTRAS)  ## the whole test suite, in two processes
	@exec python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder

quick: $(EXTRAS)  ## the tests to run after an edit: no torch and no stage, a minute
	@exec python -m pytest --quick --numprocesses 2 --dist worksteal -r fE

# uv keeps the versions that the files have; `uv pip compile --upgrade-package NAME` raises one.
# What decides a response is the same in the environment of vLLM.
SHARED := ^(torch|transformers|tokenizers|lm-eval|math-verify|latex2sympy2-extended|sympy|pyarrow|datasets|accelerate)==[^ ;]+
WHEELS := --only-binary :all: --no-binary antlr4-python3-runtime --no-binary jsonpath-rw --no-binary rouge-score \
  --no-binary sqlitedict --no-binary word2number
UV := uv pip compile --quiet --no-header --no-annotate --python-version 3.11
locks: $(EXTRAS)  ## rewrite locks/ from pyproject.toml; needs a network
	@echo torch | $(UV) --no-config --universal --constraint locks/all.txt - --output-file locks/torch.txt
	@$(UV) pyproject.toml --extra dev --group practice --constraint locks/torch.txt --output-file locks/all.txt
	@$(UV) pyproject.toml --extra pipeline --group practice --constraint locks/torch.txt --constraint locks/all.txt \
	  --output-file locks/pipeline.txt
	@$(UV) pyproject.toml --constraint locks/all.txt --output-file locks/base.txt
	@grep -hoE '$(SHARED)' locks/pipeline.txt locks/torch.txt | uv pip compile --quiet --no-header --no-annotate --no-config \
	  --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_34 $(WHEELS) --constraint - \
	  pyproject.toml --extra pipeline --extra vllm --output-file locks/vllm.txt
	@printf 'pip\nsetuptools\n' | $(UV) --constraint locks/all.txt - --output-file locks/build.txt

ui: $(READY)  ## open the MLflow UI on http://127.0.0.1:5000
	@test -e mlflow.db || { echo "error: there is no MLflow store, mlflow.db: run 'make repro', or rebuild it" \
	  "from git: mathledger sync-mlflow"; exit 1; }
	@echo "results: http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=scores (docs/mlflow.md)"
	@exec mlflow server --backend-store-uri sqlite:///mlflow.db --workers 1 --host 127.0.0.1 --port 5000

clean:  ## remove data, models and scratch files (the DVC cache, the environment and mlflow.db stay)
	@rm -rf data/*/ lineage/*/ lineage/*.json .scratch && echo "removed data/, lineage/, .scratch/"
