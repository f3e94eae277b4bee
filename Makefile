# The two commands of the README, and what CI adds to them. Needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FOLDER ?= docs
QUERY ?= checkpoint
WORKERS ?= auto
# Of `make test-all`: `make test-all MARKS=slow` runs only what `make test` leaves out.
MARKS ?=
# Modules as a whole go to the workers, the long ones first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder
# The tests start many processes: without bytecode each would compile again what it imports.
unexport PYTHONDONTWRITEBYTECODE

# uv takes a third of pip's time. It does not read pip's configuration, so that pip has the last word.
INSTALL = $(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable "$(WHAT)" \
	|| $(BIN)/python -m pip install --quiet --editable "$(WHAT)"

.PHONY: demo test test-all test-thorough failed-again lint types contract docs coverage protocol-coverage screenshots audit wheel pythons trial-lowest check clean

demo: $(VENV)/.installed  ## Sync a folder into the embedded manager and search it: make demo FOLDER=~/notes QUERY=word
	$(BIN)/omni-connector run examples/filesystem_connector.py --source "demo of $(FOLDER)" --set path="$(FOLDER)" --set public=true --data build/demo
	$(BIN)/omni-connector search "$(QUERY)" --data build/demo

test: $(VENV)/.installed-dev  ## Run the suite, without what takes long
	$(PYTEST)

test-all: $(VENV)/.installed-dev  ## Run all of it: real servers from npm, full matrices, storms and kills too
	$(PYTEST) -m "$(MARKS)"

test-thorough: $(VENV)/.installed-dev  ## The longest tests whole: every kill, row and pool, of which the others take a part
	OMNI_TEST_THOROUGH=1 $(PYTEST) -m "$(MARKS)"

failed-again: $(VENV)/.installed-dev  ## Only what failed when tests ran last, one after the other
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none -m ""

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev  ## mypy and pyright over the package, the examples, and the programs of README and guides
	$(BIN)/mypy omni_connector examples
	$(BIN)/pyright --pythonpath $(BIN)/python omni_connector
	$(PYTEST) -m types

contract: $(VENV)/.installed-dev
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev  ## The documentation, into build/docs; a warning is an error
	rm -rf build/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --jobs 2 --doctree-dir build/doctrees docs build/docs
	$(BIN)/python -m pytest -m docs tests/docs

coverage: $(VENV)/.installed-dev  ## The suite under coverage, processes included; fails below 95 %
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -m ""
	$(BIN)/python -m coverage combine
	$(BIN)/python -m coverage report --fail-under=95

protocol-coverage: $(VENV)/.installed-dev  ## Write docs/reference/protocol-coverage.md anew
	cd tests && ../$(BIN)/python -m support.protocol_coverage

screenshots: $(VENV)/.installed-dev  ## Pictures of every page of the console in build/console; those of the documentation anew
	cd tests && ../$(BIN)/python -m support.screenshots

audit: $(VENV)/.installed-dev  ## Known vulnerabilities of what is installed, where the service can be reached, and bandit over the package
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml omni_connector
	$(BIN)/python .ci/audit

wheel: $(VENV)/.installed-dev  ## Build the source distribution, the wheel of it, check both, and try the wheel in an environment of its own
	rm -rf build/wheel build/lib
	$(BIN)/python -m build --installer uv --outdir build/wheel .
	$(BIN)/python .ci/check-dist
	.ci/try-wheel $(PYTHON)

pythons: wheel  ## Try the wheel with the lowest versions of what it needs, and on every Python that can be had here; two at a time
	for version in 3.13 3.14; do .ci/python $$version >build/python-$$version.log 2>&1 || true; done  # apt has one lock.
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target trial-lowest trial-3.14 trial-3.13 trial-3.12

trial-lowest:
	.ci/try-wheel 3.11 lowest

trial-3.%:
	.ci/try-wheel 3.$*

check: MARKS = slow
check: test lint types contract docs pythons audit test-all  ## All that CI runs

clean:
	rm -rf $(VENV) build dist .omni

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; type: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: WHAT = .[examples,new]
$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(INSTALL)
	touch $@

$(VENV)/.installed-dev: WHAT = .[dev,examples,extract-all]
$(VENV)/.installed-dev: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(INSTALL)
	touch $@
