# Needs python3 (3.11 or newer) with pip, and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 60
PROCESSES ?= 1
INSTALL = $(PYTHON) -m pip --disable-pip-version-check --python .venv install --quiet --constraint constraints.txt

.PHONY: demo test format base

demo: .venv/installed  ## two look-alikes, learned and drawn together
	$(BIN)/groupshot demo

test: .venv/installed-dev  ## what CI runs: format, lint, spelling, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/typos
	$(BIN)/pyright --pythonpath $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m "not slow" --numprocesses logical --dist loadfile

format: .venv/installed-dev  ## rewrite the sources as `test` wants them
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

base: .venv/installed  ## train the built-in base for MINUTES more; FLAGS=--from-shipped goes on from its weights
	$(BIN)/python -m groupshot.toybox.training --minutes $(MINUTES) --processes $(PROCESSES) \
		--assemble groupshot/toybox/base --measure 1000 $(FLAGS)

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --without-pip .venv  # pip comes from outside: ensurepip may be missing
	$(INSTALL) --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) --editable '.[dev]'
	touch $@
