# make demo | test | lint | bench | sweep | docs: each sets itself up in .venv first. Needs Python 3.11 or later
# and a package index, nothing else: the C compiler (zig) and the emulator (Unicorn) are Python packages. Tests that
# need QEMU or Verilator are skipped where these are missing; `make system` installs them on Debian, as root.
#   PYTHON=python3.12   which interpreter    MODELS=DIR BOARD=ID   what `make bench` measures

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODELS ?= $(or $(EDGERT_SHARED),../shared)/models
BOARD ?= cortex-m4-emulated

.PHONY: help demo test system lint format typecheck bench sweep links rtl docs dist clean
.NOTPARALLEL:

help:
	@echo "make demo    run the bundled network on an emulated Cortex-M4, with a per-layer profile"
	@echo "make test    lint, type check and all tests"
	@echo "make lint    ruff and mypy --strict only"
	@echo "make bench   MLPerf Tiny on BOARD=$(BOARD), models from MODELS=$(MODELS)"
	@echo "make sweep   275 layers of other networks, beside CMSIS-NN where bakenn is installed"
	@echo "make links   every emulated board, every model; faults on the line; what a run costs (models: MODELS)"
	@echo "make rtl     modelled cycles against a core in Verilog (needs verilator; models: MODELS)"
	@echo "make docs    regenerate the generated tables in README.md and docs/"
	@echo "make clean   remove .venv and everything built"

# The test environment is a superset: where it exists, the demo needs no install of its own.
RUN_READY := $(if $(wildcard $(VENV)/.test-ready),$(VENV)/.test-ready,$(VENV)/.run-ready)

demo: $(RUN_READY)
	$(BIN)/edgert demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup --timeout 900

system:
	sh tools/system.sh

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/typecheck.py

typecheck: $(VENV)/.test-ready
	$(BIN)/python tools/typecheck.py

format: $(VENV)/.test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(RUN_READY)
	$(BIN)/edgert bench mlperf-tiny --models $(MODELS) --board $(BOARD)

sweep: $(VENV)/.test-ready
	$(BIN)/python tools/sweep.py --write

links: $(VENV)/.test-ready
	$(BIN)/python tools/measure_links.py $(MODELS) --write

rtl: $(VENV)/.test-ready
	$(BIN)/python tools/compare_rtl.py $(MODELS) --write

docs: $(VENV)/.test-ready
	$(BIN)/python tools/gen_docs.py

dist: $(VENV)/.test-ready
	$(BIN)/python -m pip wheel --quiet --no-input --no-deps --wheel-dir dist .

$(VENV)/.run-ready: pyproject.toml tools/setup.sh
	PYTHON="$(PYTHON)" sh tools/setup.sh $(VENV) ".[onnx]"
	@touch $@

$(VENV)/.test-ready: pyproject.toml tools/setup.sh
	PYTHON="$(PYTHON)" sh tools/setup.sh $(VENV) ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
