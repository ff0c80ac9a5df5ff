# Muniment. `make run` and `make test` do all the set-up on a machine with python3 and make.
# Only the set-up needs a network; once it is done, it is not repeated until a pin changes.

PYTHON ?=
GGUF ?=
PORT ?=
ARGS ?=

export PYTHON
VENV := .venv
BIN := $(VENV)/bin
PINS := pyproject.toml constraints.txt scripts/setup.sh scripts/weights-embedding.txt
RUN := $(VENV)/.ready-run
EMBEDDED := $(VENV)/.ready-embedded
TEST := $(VENV)/.ready-test
MODELS := .venv-models/.ready-models
RIVAL := .venv-rival/.ready-rival

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-models lint format docs compose bench pins clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1	\2/p' Makefile | expand -t 22

setup: $(TEST)  ## set up everything, for working on Muniment

run: $(if $(GGUF),$(EMBEDDED),$(RUN))  ## set up, then serve the page (GGUF=file, PORT=8501, ARGS=…)
	$(if $(GGUF),MUNIMENT_GGUF="$(abspath $(GGUF))") $(if $(PORT),MUNIMENT_PORT=$(PORT)) \
		$(BIN)/muniment serve $(ARGS)

test: $(TEST)  ## set up, then run the tests (ARGS="-k words")
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(TEST)  ## the tests that take long
	$(BIN)/python -m pytest -m "slow and not models" $(ARGS)

test-models: $(MODELS)  ## the tests of sentence-transformers with torch, in an environment of their own
	.venv-models/bin/python -m pytest -m models $(ARGS)

lint: $(TEST) compose  ## ruff, mypy, the layers, the compose file, the generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/make_docs.py --check

format: $(TEST)  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(TEST)  ## write docs/configuration.md and docs/terminal.md anew
	$(BIN)/python scripts/make_docs.py

compose:
	@if docker compose version >/dev/null 2>&1; then docker compose config --quiet; \
	elif command -v docker-compose >/dev/null; then docker-compose config --quiet; \
	else echo "no docker compose here: tests/test_deployment.py reads the file instead"; fi

bench: $(TEST) $(RIVAL)  ## the benchmarks; each prints its own table
	@set -e; for file in bench/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

pins: $(TEST)  ## write constraints.txt from .venv, after changing a dependency
	$(BIN)/python scripts/make_pins.py

clean:  ## remove what was built; documents and answers in data/var stay
	rm -rf .venv .venv-models .venv-rival build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is set up for tests can also run, so one set-up is never done twice.
$(TEST): $(PINS) scripts/weights-chat.txt
	scripts/setup.sh test
	@touch $(RUN) $(EMBEDDED)

$(EMBEDDED): $(PINS)
	scripts/setup.sh embedded
	@touch $(RUN)

$(RUN): $(PINS)
	scripts/setup.sh run

# What the benchmarks measure against; its pins contradict ours, so it lives by itself.
$(RIVAL): $(TEST) bench/rivals/requirements.txt
	$(BIN)/python -m venv .venv-rival
	.venv-rival/bin/pip install -q -r bench/rivals/requirements.txt
	@touch $@

$(MODELS): $(TEST) constraints-models.txt
	scripts/setup.sh models
