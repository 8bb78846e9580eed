# Everything runs in .venv, which these targets make; nothing but Python >= 3.11, pip and make is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test install lint types unit wheel bench clean

demo: $(VENV)/.installed  ## install, and compare two words
	$(BIN)/simil compare "Apple" "Orange"

test: lint types unit wheel  ## everything that must hold

install: $(VENV)/.tools

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.tools: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	touch $@

lint: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tools
	$(BIN)/mypy

unit: $(VENV)/.tools
	$(BIN)/python -m pytest

wheel: $(VENV)/.tools  ## the built wheel, installed in an environment of its own, outside this tree
	$(BIN)/python tools/check_wheel.py

bench: $(VENV)/.tools
	$(BIN)/python benchmarks/spine.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
