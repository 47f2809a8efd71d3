# Set-up, checks and the main job. Every target sets up what it needs in .venv first.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo reproduce test test-slow check format bench validate ope mutate faults peers clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## Install everything into .venv

# torch comes first and by itself: a build for this machine without CUDA is then found before the others ask for torch.
$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "error: $(PYTHON) is not a Python 3.11, 3.12 or 3.13; name one, as in: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@echo "Setting up .venv; this takes one to several minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) torch
	@$(PIP) -e ".[train,report,data,tune,dev]"
	@touch $@

demo: $(INSTALLED)  ## Train a policy in the scenario premium_desk and compare it with the baselines (SEED=7 for another seed)
	$(BIN)/blended train premium_desk --set adjustment.minutes=3 --set adjustment.starts=1 $(if $(SEED),--seed $(SEED))

reproduce: $(INSTALLED)  ## Train every scenario of the suite that is not trained yet, about two hours a seed (SEEDS=5)
	$(BIN)/blended reproduce $(if $(SEEDS),--seeds $(SEEDS))

test: $(INSTALLED)  ## Run the fast tests
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: $(INSTALLED)  ## Run the slow tests
	$(BIN)/python -m pytest -m slow

check: $(INSTALLED)  ## Check style, types, imports, and that every test file can be read
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --collect-only --quiet --quiet

format: $(INSTALLED)  ## Mend style where ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)  ## Measure speed and size, of another commit too (JSON=FILE, BASE=COMMIT)
	$(BIN)/python -m experiments.speed $(if $(BASE),--base $(BASE)) $(if $(JSON),--json $(JSON))

validate: $(INSTALLED)  ## Hold the simulator against every known value of queueing theory
	$(BIN)/blended validate --tier full

ope: $(INSTALLED)  ## Value policies from records alone, and hold that against the truth (JSON=FILE)
	$(BIN)/python -m experiments.off_policy.check $(if $(JSON),--json $(JSON))

mutate: $(INSTALLED)  ## Plant faults in copies of the simulator, and see the fast validation turn red
	$(BIN)/python tests/mutate.py

faults: $(INSTALLED)  ## Kill, damage and disturb short trainings of each algorithm, and see them go on or say why not
	$(BIN)/python tests/faults.py

peers: $(INSTALLED)  ## Run the examples of docs/peers.md that need other libraries, in .peers/ (PEER=rllib for one)
	$(BIN)/python tests/peers/try_examples.py $(PEER)

clean:  ## Remove .venv and caches; runs/ stays
	rm -rf .venv .peers .numba_cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache *.egg-info
