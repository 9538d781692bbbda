# make setup | backtest | test | lint | bench. People without make: the README has the same lines for pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup backtest test lint bench lock clean

setup: $(VENV)/installed

$(VENV)/installed: requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

backtest: setup
	$(BIN)/python run_backtest.py

test: setup
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.live
	$(BIN)/python -m benchmarks.status_load

# Exact versions for every supported Python and platform, with hashes; the second file leaves out what only tests
# need, and is what the container image is made of.
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile setup.cfg --extra alerts --extra cluster --extra live --extra portfolio --extra search --extra test --extra timescale --extra upstox --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock
	$(BIN)/uv pip compile setup.cfg --extra alerts --extra live --extra timescale --extra upstox --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--constraint requirements.lock -o deploy/requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
