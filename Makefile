# `make` or `make help` lists what there is. Assumes git, make, bash and Python 3.11 or newer; all else goes into .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
BUNDLE ?= dist/campaign.tar
PYTHON ?= $(shell command -v python3.11 || command -v python3 || true)
CODE := pipeline stages tests benchmarks
# Only torch is taken from here, before the rest: a second index for all packages would let it replace any of them.
TORCH_INDEX ?=
torch = $(if $(TORCH_INDEX),$(1)/bin/python -m pip install --no-compile --no-deps --progress-bar off \
  --index-url '$(TORCH_INDEX)' $$(sed -n 's/^\(torch==[^ ;]*\).*/\1/p' $(2)),true)
# A wheel of torch in PIP_FIND_LINKS comes before all others: of files with a locked hash pip would prefer the CUDA build.
local_torch = awk '/^[^ ]/ {on = /^torch==/} on' $(2) | $(1)/bin/python -m pip install --no-index --no-compile --no-deps \
  --require-hashes --quiet -r /dev/stdin 2>/dev/null || true
# On all cores, and where PYTHONDONTWRITEBYTECODE forbids it at run time, too: else every process compiles all that it
# imports. Some packages hold files that are no Python of today; nobody imports those, so they are passed over.
compile = $(1)/bin/python -m compileall -qq -j 0 $(1)/lib $(2) || true
# Commands name their interpreter in full, and pip leaves those of packages alone that it finds in place. The stamp says
# from which folder the environment was moved or copied.
repoint = old=$$(cat $(1)/.installed 2>/dev/null || true); if test -n "$$old" -a "$$old" != '$(CURDIR)'; then \
  { grep -lI "$$old/$(1)/" $(1)/bin/* || true; } | while read -r script; do \
  sed "s|$$old/$(1)/|$(CURDIR)/$(1)/|g" "$$script" > "$$script.new" && cat "$$script.new" > "$$script" && rm "$$script.new"; \
  done; fi

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DVC_NO_ANALYTICS := 1

.PHONY: help install shell discover test test-fast check retrain bench bench-peers reference reference-close gate fetch bundle ui docs format lock clean distclean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Create the environment .venv from requirements.lock

shell: $(VENV)/.installed ## Open a shell in which python, lodestone and dvc are those of the environment
	@exec env -u MAKELEVEL -u MAKEFLAGS -u MFLAGS bash --rcfile <(cat ~/.bashrc 2>/dev/null; cat $(BIN)/activate) -i

discover: $(VENV)/.installed ## Run the campaign of params.yaml to its report: reports/campaign.html
	@$(BIN)/python -m lodestone discover

retrain: $(VENV)/.installed ## Take what is new in the source, run the campaign, and open a pull request (OPTIONS=--no-request)
	@$(BIN)/python -m lodestone retrain $(OPTIONS)

test: $(VENV)/.installed ## Run all tests, on two cores; those that run small campaigns take the longest
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: $(VENV)/.installed ## Run the tests that take no campaign and no minutes: after every change
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not end_to_end and not slow'

check: $(VENV)/.installed ## Formatting, lint, types, and who may import whom
	@$(BIN)/python -m ruff format --check $(wildcard $(CODE))
	@$(BIN)/python -m ruff check $(wildcard $(CODE))
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.installed ## Run the benchmarks
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python benchmarks/startup.py

bench-peers: $(PEERS)/.installed ## Train ours beside CGCNN, MEGNet, Roost and a forest (an hour; OPTIONS='--sizes 20000')
	@$(PEERS)/bin/python benchmarks/peers/run.py $(OPTIONS)

reference: $(VENV)/.installed ## Build reference/crystals.parquet anew (hours; goes on where it was interrupted)
	@$(BIN)/python -m lodestone reference

reference-close: $(VENV)/.installed ## Let the reference set grow until its hull closes (many hours; OPTIONS='--hours 8')
	@$(BIN)/python -m lodestone reference --close $(OPTIONS)

gate: $(VENV)/.installed ## Hold the figures of the finished campaign against their bounds (docs/accuracy.json)
	@$(BIN)/python -m lodestone gate

fetch: $(VENV)/.installed ## Restore the results that dvc.lock names from LODESTONE_REMOTE: a folder, a tar, or its address
	@$(BIN)/python -m lodestone fetch $(LODESTONE_REMOTE)

bundle: $(VENV)/.installed ## Write the results of the campaign to BUNDLE (a tar or a folder) for `make fetch`
	@$(BIN)/python -m lodestone bundle $(BUNDLE)

ui: $(VENV)/.installed ## Browse the runs with MLflow on http://127.0.0.1:5000
	@$(BIN)/python -m lodestone ui

docs: $(VENV)/.installed ## Write DATASET.md and docs/parameters.md from the code
	@$(BIN)/python -m lodestone docs

format: $(VENV)/.installed ## Format the code and correct what ruff can correct
	@$(BIN)/python -m ruff format $(wildcard $(CODE))
	@$(BIN)/python -m ruff check --fix $(wildcard $(CODE))

lock: ## Renew requirements.lock from the ranges in pyproject.toml (OPTIONS=--keep keeps its versions)
	@$(PYTHON) -m venv --clear .venv-lock
	@.venv-lock/bin/python -m pip install --quiet uv
	@.venv-lock/bin/python .ci/lock.py $(OPTIONS) && rm -rf .venv-lock

clean: ## Remove caches; results, labels and the environment stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* coverage.xml build *.egg-info
	@find pipeline stages tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove the environment and all results, too (labels in .lodestone stay: they cost hours)
	@rm -rf $(VENV) $(PEERS) .bench data metrics reports timings mlruns mlflow.db* .dvc/cache .dvc/tmp

# The stamp is written last, so an interrupted installation is taken up again.
# It holds the folder: what runs in an environment that was moved or copied would be the code of the old place.
STAMP := $(shell cat $(VENV)/.installed 2>/dev/null)
ifneq ($(if $(STAMP),$(STAMP),$(CURDIR)),$(CURDIR))
.PHONY: $(VENV)/.installed
endif
$(VENV)/.installed: requirements.lock requirements-cuda.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'error: no python3 found; install Python 3.11 or newer, or say make PYTHON=/path/to/python' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is $$('$(PYTHON)' --version), but Python 3.11 or newer is needed; say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo 'Creating $(VENV) from requirements.lock (a few minutes the first time; log: $(VENV)/install.log)'
	@'$(PYTHON)' -m venv $(VENV)
	@$(call repoint,$(VENV))
	@$(call torch,$(VENV),requirements.lock)
	@$(call local_torch,$(VENV),requirements.lock)
	@$(BIN)/python -m pip install --no-compile --no-deps --require-hashes --progress-bar off -r requirements.lock 2>&1 \
	  | tee $(VENV)/install.log \
	  | awk '/^Collecting/ && ++n % 50 == 0 {print "  " n " packages found"; fflush()} \
	    /^Installing collected/ {print "  unpacking"; fflush()} /^ERROR/' \
	  || { tail -n 20 $(VENV)/install.log >&2; exit 1; }
	@if { $(BIN)/python -m pip check || true; } | grep -q -E '^torch .* requires (nvidia|cuda|triton)'; then \
	  echo '  the CUDA build of torch: its libraries, some gigabytes (make install TORCH_INDEX=... takes another build)'; \
	  $(BIN)/python -m pip install --no-compile --no-deps --require-hashes --quiet -r requirements-cuda.lock; fi
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@echo '  compiling'
	@$(call compile,$(VENV),pipeline)
	@echo '$(CURDIR)' > $@

# Of its own, as the peers need older packages than ours; ours is trained here, too, so that all have the same torch.
$(PEERS)/.installed: benchmarks/peers/requirements.lock
	@test -n '$(PYTHON)' || { echo 'error: no python3 found; install Python 3.11 or newer, or say make PYTHON=/path/to/python' >&2; exit 1; }
	@echo 'Creating $(PEERS) from $< (a few minutes; log: $(PEERS)/install.log)'
	@'$(PYTHON)' -m venv $(PEERS)
	@$(call torch,$(PEERS),$<)
	@$(PEERS)/bin/python -m pip install --no-compile --progress-bar off -r $< > $(PEERS)/install.log 2>&1 \
	  || { tail -n 20 $(PEERS)/install.log >&2; exit 1; }
	@$(call compile,$(PEERS))
	@touch $@
