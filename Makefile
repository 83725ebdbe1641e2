# The two commands: `make demo` and `make test`. Each sets up all it needs in .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test lint bench clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --editable .
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(PIP) --group test --group parity --group lint
	$(BIN)/python -m tests.install_browser
	@touch $@

$(VENV)/peers: $(VENV)/installed
	$(PIP) --group peers
	@touch $@

demo: $(VENV)/installed ## train on the bundled digits and show the result
	@rm -rf runs/demo
	$(BIN)/glassnet train digits --out runs/demo
	@echo
	$(BIN)/glassnet evaluate runs/demo
	@echo
	@echo "Look at runs/demo/training.png. With MNIST (glassnet datasets --fetch mnist): glassnet train nielsen-30"

test: $(VENV)/tested ## all tests
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/tested ## style, types, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/peers ## ours against its peers, on this machine
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
