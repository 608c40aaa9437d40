# Kefu: two commands. `make run` sets everything up and serves; `make test` sets everything up and tests.

PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev

export TOKENIZERS_PARALLELISM := false

.PHONY: run test check bench models setup clean

run: $(STAMP)
	@$(BIN)/kefu models pull
	@$(BIN)/kefu serve

test: $(DEV) check
	@$(BIN)/kefu models pull
	@echo "== tests"
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

check: $(DEV)
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	@$(BIN)/kefu models pull
	@$(BIN)/kefu bench

setup: $(STAMP)

# torch 2.13.0 first and by itself: later installs then keep it.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "== virtual environment in $(VENV) (first time: some minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "== torch"
	@$(BIN)/python -m pip install --quiet torch==2.13.0
	@echo "== kefu and what it needs"
	@$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(DEV): $(STAMP)
	@echo "== tools for tests"
	@$(BIN)/python -m pip install --quiet -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
