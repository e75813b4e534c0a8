# make = make help. Everything goes into $(VENV); PYTHON picks the interpreter (3.11 or newer).
VENV ?= .venv
PYTHON ?=
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INPUTS := pyproject.toml constraints.txt
IN_RANGE := import sys; sys.exit(sys.version_info < (3, 11))
# $(call soon,STAMP,WORDS): the words, if what STAMP stands for is not installed, or no longer right
soon = @for each in $(INPUTS); do [ '$1' -nt "$$each" ] || { echo 'installing into $(VENV): $2'; break; }; done

.DEFAULT_GOAL := help
.PHONY: help demo test fresh check fix bench bench-lab docs vendor system hooks clean run-soon dev-soon

help:
	@$(info make demo       plan the built-in push of one model to 62 GPU clouds; needs Python 3.11 or newer)\
	$(info make test       run every test (ARGS="tests/unit -k spf" for some))\
	$(info make fresh      demo, check and test on a bare Debian of its own (root; ARGS for some tests, FRESH=empty: no caches))\
	$(info make check      lint, formatting, types, import layers)\
	$(info make fix        repair what the linter and the formatter can repair)\
	$(info make bench      run the benchmarks)\
	$(info make bench-lab  measure the lab beside the plan; Debian, as root, 30 minutes (ARGS=start for a part))\
	$(info make docs       build the documentation into site/)\
	$(info make vendor     fetch the report's foreign files again and check them; needs npm)\
	$(info make system     install the programs that tests use: Debian, as root; part of make test)\
	$(info )\
	$(info PYTHON=python3.12 picks the interpreter, VENV=folder the virtual environment)\
	:

demo: $(VENV)/.run
	@$(BIN)/mcastplan compare builtin:global-inference --report demo

test: $(VENV)/.dev system
	$(BIN)/pytest $(ARGS)

fresh:
	@sh scripts/fresh.sh $(if $(ARGS),make test ARGS='$(ARGS)')

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

bench-lab: $(VENV)/.dev system
	$(BIN)/python -m benchmarks $(or $(ARGS),lab)

docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

vendor: | $(BIN)/python
	@$(BIN)/python scripts/vendor.py

# Debian, as root: the programs that some tests run. Elsewhere it does nothing.
system: | $(BIN)/python
	@sh scripts/system.sh $(VENV)/system.log

# Runs `check` before every commit.
hooks: $(VENV)/.dev
	$(BIN)/pre-commit install

clean:
	rm -rf build dist site demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# What `demo` needs, and what the developers' targets need on top.
$(VENV)/.run: $(INPUTS) | run-soon $(BIN)/python
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(INPUTS) | dev-soon $(BIN)/python
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.run

# pip says nothing while it works, so these do beforehand.
run-soon:
	$(call soon,$(VENV)/.run,about half a minute)

dev-soon:
	$(call soon,$(VENV)/.dev,about a minute)

# The peers that only benchmarks run against.
$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) install -c constraints.txt -e '.[bench]'
	@touch $@

$(BIN)/python:
	@py='$(PYTHON)'; \
	for name in $${py:-python3.14 python3.13 python3.12 python3.11 python3}; do \
		if "$$name" -c '$(IN_RANGE)' 2>/dev/null; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		is=$$("$${py:-python3}" -V 2>/dev/null) || is='not to be found'; \
		echo "mcastplan needs Python 3.11 or newer; $${py:-python3} is $$is" \
			"(name another one: make PYTHON=python3.12)" >&2; exit 3; \
	fi; \
	if [ -e '$(VENV)' ]; then new=; else new=yes; fi; \
	if ! "$$found" -m venv '$(VENV)' >/dev/null 2>&1; then \
		[ -z "$$new" ] || rm -rf '$(VENV)'; \
		echo "$$found cannot make a virtual environment in $(VENV)" \
			"(Debian: apt-get install python3-venv)" >&2; exit 3; \
	fi
