# Every target does its own set-up: a fresh clone needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-long check bench lock clean
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Inward needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@echo "installing into $(VENV) (a minute or two, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## start the example company behind Inward and send it traffic
	@$(BIN)/inward demo

test: $(READY)  ## run every test (the slow ones: test-long)
	@$(BIN)/python -m pytest -q -n 2

test-long: $(READY)  ## run the slow tests
	@$(BIN)/python -m pytest -q -m long --timeout 1800

check: $(READY)  ## lint, types, layers, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/architecture

bench: $(READY)  ## measure, side by side in one run
	@$(BIN)/python -m bench

lock: $(READY)  ## renew requirements.txt (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--no-annotate --group test --group check --group examples --group bench --all-extras pyproject.toml build-requirements.in -o requirements.txt

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
