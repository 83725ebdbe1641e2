# The two commands: `make demo` and `make test`. Each sets up all it needs in .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test lint wasm messages bench clean

$(VENV)/installed: pyproject.toml
	@test -e $(VENV) || { mkdir -p $(VENV) && touch $(VENV)/made-by-glassnet; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --editable .
	@touch $@

$(VENV)/tested: $(VENV)/installed # most modules are never imported: the others are compiled when they are
	$(PIP) --no-compile --group test --group parity --group lint --group wasm
	$(BIN)/python -m tests.install_browser
	$(BIN)/python -m tests.install_postgresql
	@touch $@

$(VENV)/peers: $(VENV)/installed
	$(PIP) --group peers
	@touch $@

demo: RUN := $(shell n=1; run=runs/demo; while [ -e $$run ]; do n=$$((n + 1)); run=runs/demo-$$n; done; echo $$run)
demo: $(VENV)/installed ## train on the bundled digits and show the result
	$(BIN)/glassnet train digits --out $(RUN)
	@echo
	$(BIN)/glassnet evaluate $(RUN)
	@echo
	@echo "Look at $(RUN)/training.png. With MNIST (glassnet datasets --fetch mnist): glassnet train nielsen-30"

test: $(VENV)/tested ## all tests
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/tested ## style, types, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wasm: $(VENV)/tested ## the kernels for the page, compiled anew for WebAssembly
	for name in glassnet glassnet-scalar; do \
	    GLASSNET_SIMD=wasm $(BIN)/python -m glassnet.kernels.codegen.wasm src/glassnet/present/page/$$name.wasm || exit; \
	done

messages: $(VENV)/tested ## the catalogue of Chinese messages, brought up to date with the code; lists those without a translation
	$(BIN)/python -m tests.catalogue

bench: $(VENV)/peers ## ours against its peers, on this machine
	$(BIN)/python -m benchmarks map
	$(BIN)/python -m benchmarks

clean: ## what the commands above made in glassnet's checkout; an environment that was there before stays
	@grep -qsx 'name = "glassnet"' pyproject.toml || { echo "make clean: this is not glassnet's folder" >&2; exit 2; }
	@if [ -e $(VENV)/made-by-glassnet ] && [ ! -L $(VENV) ]; then rm -rf $(VENV); fi
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
