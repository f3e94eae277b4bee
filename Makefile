# The two commands of the README, and what CI adds to them. Needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FOLDER ?= docs
QUERY ?= checkpoint

.PHONY: demo test lint types contract coverage protocol-coverage wheel check clean

demo: $(VENV)/.installed  ## Sync a folder into the embedded manager and search it: make demo FOLDER=~/notes QUERY=word
	$(BIN)/omni-connector run examples/filesystem_connector.py --source "demo of $(FOLDER)" --set path="$(FOLDER)" --set public=true
	$(BIN)/omni-connector search "$(QUERY)"

test: $(VENV)/.installed-dev  ## Run the whole suite
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy omni_connector
	$(BIN)/mypy --allow-any-generics examples

contract: $(VENV)/.installed-dev
	$(BIN)/lint-imports

coverage: $(VENV)/.installed-dev  ## The suite under coverage, processes included; fails below 95 %
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine
	$(BIN)/python -m coverage report --fail-under=95

protocol-coverage: $(VENV)/.installed-dev  ## Write docs/protocol-coverage.md anew
	cd tests && ../$(BIN)/python -m support.protocol_coverage

wheel: $(VENV)/.installed-dev  ## Build the wheel and try it in an environment of its own
	rm -rf build/wheel build/wheel-venv
	$(BIN)/python -m build --wheel --outdir build/wheel .
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip install --quiet build/wheel/*.whl
	cd build && wheel-venv/bin/omni-connector --version
	cd build && wheel-venv/bin/omni-connector run ../examples/filesystem_connector.py --set path=../docs --set public=true --data wheel-data
	cd build && wheel-venv/bin/omni-connector search checkpoint --data wheel-data

check: test lint types contract wheel

clean:
	rm -rf $(VENV) build dist .omni

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; type: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[examples]"
	touch $@

$(VENV)/.installed-dev: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev,examples,extract]"
	touch $@
