# `make run` opens the app, `make test` checks everything. Nothing else is needed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEWEST := .venv-newest

.PHONY: run test check newest bench models screenshots clean

run: $(VENV)/.run
	$(BIN)/python app.py

test: $(VENV)/.dev
	$(BIN)/python -m tests.prepare
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/pytest -n 2 --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/pytest --ignore=tests/wiring --ignore=tests/browser

# The same tests with the newest packages instead of the pinned ones, to be run weekly: what will break next. Torch stays.
newest:
	$(PYTHON) -m venv --clear $(NEWEST)
	grep -hE '^[a-z]' requirements.txt requirements-dev.txt | sed -E '/^torch=/!s/=.*//' > $(NEWEST)/newest.txt
	$(NEWEST)/bin/python -m pip install --quiet --requirement $(NEWEST)/newest.txt
	$(NEWEST)/bin/pytest -n 2 --dist worksteal

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench_training

# DATA is a folder laid out as the model card says; without it the shipped weights are used as they are.
models: $(VENV)/.run
	$(BIN)/python -m core.bundled train encoder --data $(DATA)

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.screenshots

$(VENV)/.run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) $(NEWEST) workspace runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
