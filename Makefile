# The same words for people and CI. `make demo` and `make test` install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help install demo check test test-keras test-ray test-lowest faults bench calibration clean

help:  ## list these words
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## make .venv and install Homeground with all its tests need

demo: $(VENV)/.installed-demo  ## the whole story on built-in data, about 4 minutes on 2 cores
	$(BIN)/homeground demo

check: install  ## lint, format, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/pytest tests/test_architecture.py

test: install  ## the tests, without network, in a few minutes on 2 cores
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-keras:  ## the tests of the keras engine, in an environment of their own with TensorFlow
	$(MAKE) VENV=.venv-keras .venv-keras/.installed-keras
	.venv-keras/bin/pytest tests/engines tests/test_examples.py tests/test_keras_guide.py -k keras --numprocesses auto --maxprocesses 2 --dist loadfile

test-ray:  ## homeground.Predictor inside Ray, in an environment of its own
	$(MAKE) VENV=.venv-ray .venv-ray/.installed-ray
	.venv-ray/bin/pytest tests/ray

test-lowest:  ## the tests with the lowest versions that pyproject.toml allows, in an environment of their own
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) -m tests.floors > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-lowest/constraints.txt -e '.[dev]'
	.venv-lowest/bin/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

faults: install  ## every row of the fault matrix (docs/reliability.md), in half an hour on 2 cores
	@rm -f .faults.jsonl
	FAULTS=all FAULTS_TABLE=.faults.jsonl $(BIN)/pytest tests/faults --numprocesses 2 --dist worksteal || true
	$(BIN)/python -m tests.faults .faults.jsonl

bench:  ## speed beside that of other libraries, in three quarters of an hour on 2 idle cores
	$(MAKE) VENV=.venv-bench .venv-bench/.installed-bench
	.venv-bench/bin/python -m benchmarks.peers --json docs/performance.json --page docs/performance.md

calibration: install  ## how often the verdict errs, by simulation, on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.calibration --workers 2

clean:  ## remove the environment and the demo's run
	rm -rf $(VENV) .venv-bench .venv-keras .venv-ray .venv-lowest runs/demo runs/demo-data

# The demo needs no development tools; the environment of the tests has all that the demo needs.
$(VENV)/.installed-demo: EXTRA := demo
$(VENV)/.installed: EXTRA := dev
$(VENV)/.installed-keras: EXTRA := dev-keras
$(VENV)/.installed-bench: EXTRA := bench
$(VENV)/.installed-ray: EXTRA := dev-ray

# The stamp is made last: an environment that was interrupted half way does not count as done.
$(VENV)/.installed-demo $(VENV)/.installed $(VENV)/.installed-keras $(VENV)/.installed-bench $(VENV)/.installed-ray: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is missing or older than 3.11; install Python 3.11 or newer, or name one: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 2; }
	@rm -f $@
	$(PYTHON) -m venv $(VENV)
	@# A torch that is already there is kept, whatever its build; only a missing one is installed at the pinned version.
	@torch=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("torch"))' 2>/dev/null); \
	  if [ -n "$$torch" ]; then sed "s/^torch==.*/torch===$$torch/" constraints.txt; else cat constraints.txt; fi \
	  > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(VENV)/constraints.txt -e '.[$(EXTRA)]'
	@touch $(VENV)/.installed-demo $@
