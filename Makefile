# The two commands: `make demo` and `make test`. Each makes what it needs in .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint types tests bench torture cassettes docs clean

help: ## Tell what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: $(VENV)/.runs ## Record, stop the upstream, replay, compare: the main job, without a key
	@$(BIN)/llmtape demo

test: lint types tests ## Run every check

lint: $(VENV)/.tests
	@echo "== ruff: rules and format"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.tests
	@echo "== mypy, strict, over the package, its tests and the benchmarks"
	@$(BIN)/mypy

tests: $(VENV)/.tests $(VENV)/.node
	@echo "== pytest, warnings as errors, a process a core"
	@$(BIN)/pytest --numprocesses auto --dist loadfile

bench: $(VENV)/.tests ## Measure; ratios against a bare handler in the same run
	@$(BIN)/python -m bench

torture: $(VENV)/.torture ## Put every promise to the test at length; ITEMS="killed=50 fuzzed" chooses
	@$(BIN)/python -m torture $(ITEMS)

cassettes: $(VENV)/.tests ## Record the samples in cassettes/ anew, from the embedded upstream
	@rm -f cassettes/samples.sqlite
	@$(BIN)/llmtape record -c cassettes/samples.sqlite --upstream demo -- $(BIN)/python cassettes/samples.py
	@$(BIN)/llmtape ls cassettes/samples.sqlite

docs: $(VENV)/.tests ## Write the tables of docs/keys.md and docs/upstream.md
	@$(BIN)/python -m docs.generate

clean: ## Remove .venv and caches
	rm -rf $(VENV) examples/agent/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# The JavaScript example is checked where there are node and npm, and the package can be had.
$(VENV)/.node: examples/agent/package.json | $(VENV)/.made
	@if command -v npm >/dev/null; then \
	  echo "== installing the OpenAI SDK for JavaScript into examples/agent"; \
	  (cd examples/agent && npm install --silent --no-audit --no-fund) && touch $@ \
	  || echo "   that failed: the JavaScript example is not checked"; \
	else echo "== no npm: the JavaScript example is not checked"; fi

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "llmtape needs Python 3.11 or later; name one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "== making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runs: pyproject.toml | $(VENV)/.made
	@echo "== installing llmtape into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.tests: pyproject.toml | $(VENV)/.made
	@echo "== installing llmtape and what its checks need into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.runs

# The coverage-guided fuzzer is not to be had for every machine: without it the fuzzing goes by hypothesis alone.
$(VENV)/.torture: $(VENV)/.tests
	@echo "== installing the coverage-guided fuzzer into $(VENV)"
	@$(PIP) --editable '.[dev,torture]' || echo "   that failed: fuzzing goes by hypothesis alone"
	@touch $@
