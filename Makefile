# Two commands do everything on a fresh machine:  make quickstart   and   make test
# Both make and reuse one virtual environment, may be interrupted, and may be repeated.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs
CONSTRAINTS ?= constraints.txt
TORCH ?= torch
# pytest options for `make test`, for example  make test PYTEST="-k guidance"
PYTEST ?=
# The first interpreter of a supported version that can make virtual environments.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.10 python3 python; do \
	"$$p" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo "$$p"; break; }; done)

export MPLBACKEND ?= Agg

.PHONY: help setup quickstart test check test-slow test-long test-browser test-slurm perf clean

help:
	@echo "make quickstart   the main job on the built-in world: pretrain, transfer, leaderboard (minutes on a laptop)"
	@echo "make test         the tests"
	@echo "make check        lint (ruff), types (mypy), who imports whom (import-linter)"
	@echo "make test-slow    tests that take longer: kill and resume, distributed, packaging"
	@echo "make test-long    trainings of minutes each, with right and with shuffled labels"
	@echo "make test-browser tests of the pages (reports, studio) in headless Chromium (skipped without it)"
	@echo "make test-slurm   suites on a Slurm that the tests start (skipped without slurm-wlm and munge)"
	@echo "make perf         speed ratios; run on an idle machine"
	@echo "make clean        remove $(VENV); runs are never touched"

setup: $(VENV)/.ready

# The stamp is written last, so an interrupted installation is taken up again.
$(VENV)/.ready: pyproject.toml $(CONSTRAINTS) hatch_build.py
	@test -n "$(PYTHON)" || { echo "No Python 3.10-3.12 with venv found. Install one (Debian and Ubuntu: apt install python3-venv), or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "[setup] virtual environment in $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[setup] 1/2 torch (the largest download)"
	@$(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) "$(TORCH)"
	@echo "[setup] 2/2 OpenMMLab, ssl-motion and its tools"
	@$(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e ".[dev]"
	@touch $@
	@echo "[setup] done; the command is $(BIN)/ssl-bench"

quickstart: setup
	@$(BIN)/ssl-bench run quickstart --runs $(RUNS)

test: setup
	@$(BIN)/python -m pytest $(PYTEST)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The stages below start processes of their own, compute long, or measure: one test at a time.
test-slow: setup
	@$(BIN)/python -m pytest -m "slow and not browser and not gpu and not slurm" $(PYTEST)

test-long: setup
	@$(BIN)/python -m pytest -n 0 -m long $(PYTEST)

test-browser: setup
	@$(BIN)/python -m pytest -n 0 -m "browser and not long" tests/browser $(PYTEST)

test-slurm: setup
	@$(BIN)/python -m pytest -n 0 -m slurm tests/slurm $(PYTEST)

perf: setup
	@$(BIN)/python -m pytest -n 0 --benchmark-enable -m perf tests/perf -s $(PYTEST)

clean:
	rm -rf $(VENV)
