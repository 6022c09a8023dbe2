# Two commands do all: `make run` and `make test`. Each does its own set-up, once.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 \
	&& $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' && echo $$p && break; done)
BIN := .venv/bin
# On all cores, where pip would take one; some packages hold files that are for other Pythons.
COMPILE = $(BIN)/python -m compileall -qq -j 0 .venv/lib || true
PORT ?= 7860
# One process for each core; a file's tests stay together, and share what it sets up. The long files come first
# (tests/conftest.py says which): xdist by itself begins with files of many tests.
SPREAD := --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder --durations 50 --durations-min 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without it each of the thousand processes that the tests start would compile the studio anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: docs run test two-rounds check lint types laws unit coverage faults fuzz browser soak real-data test-gpu bench \
	bench-short demo report-methods fix clean

run: .venv/run.stamp  ## Start the studio on http://127.0.0.1:7860
	@exec $(BIN)/python -m app --port $(PORT)

test: .venv/test.stamp  ## Everything that CI runs
	@$(MAKE) --jobs 2 check fuzz
	@$(MAKE) unit faults browser bench-short

check: lint types laws

lint: .venv/test.stamp
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

types: .venv/test.stamp
	$(BIN)/mypy

laws: .venv/test.stamp
	$(BIN)/lint-imports

unit: .venv/test.stamp  ## Unit and integration tests
	$(BIN)/pytest $(SPREAD) tests/integration tests/unit

coverage: .venv/test.stamp  ## The same, and which lines they reach; it takes nearly twice as long
	$(BIN)/pytest $(SPREAD) --cov --cov-report= tests/integration tests/unit
	$(BIN)/coverage report --skip-covered --skip-empty | tail -40

faults: .venv/test.stamp  ## Kills, full disks, locked databases, and attempts to get in
	$(BIN)/pytest $(SPREAD) tests/faults tests/hostile

fuzz: .venv/test.stamp  ## A minute of damaged files through all readers; FUZZ_SECONDS=600 FUZZ_SEED=$$RANDOM for others
	$(BIN)/python -m tests.faults.fuzz_readers --seconds $(or $(FUZZ_SECONDS),60) --seed $(or $(FUZZ_SEED),1)

browser: .venv/test.stamp  ## The page in a real Chromium
	@sh tests/browser/find_chromium.sh
	$(BIN)/pytest $(SPREAD) tests/browser

soak: .venv/test.stamp  ## An hour of use and harm at random; SOAK_MINUTES=3 for a trial
	$(BIN)/python -m tests.faults.soak

real-data: .venv/test.stamp  ## Files as users bring them, from ../shared/data
	$(BIN)/pytest -m real_data

test-gpu: .venv/test.stamp  ## Models of real sizes on an NVIDIA GPU
	$(BIN)/pytest tests/gpu -m gpu -s

two-rounds: .venv/test.stamp  ## Label, train and compare twice, by a scripted annotator
	$(BIN)/python -m tests.integration.two_rounds

bench: .venv/test.stamp  ## Figures, each beside a stated rival
	$(BIN)/python -m tests.bench

bench-short: .venv/test.stamp  ## Every benchmark on little data, so that none rots
	$(BIN)/python -m tests.bench --short

report-methods: .venv/run.stamp  ## Measure every method on the demo models; ONLY=DPO for some, ONLY=none to write only
	$(BIN)/python -m jobs.demo.measure --only "$(ONLY)"

demo: .venv/run.stamp  ## Rebuild the demo models and sample data from nothing
	$(BIN)/python -m jobs.demo.build

fix: .venv/test.stamp
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

docs: .venv/test.stamp  ## Write docs/REFERENCE.md from the code
	$(BIN)/python -m tests.reference

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage test-artifacts

.venv/run.stamp: requirements.txt
	@test -n "$(PYTHON)" || { echo "Tunesmith needs Python 3.11, 3.12 or 3.13; none was found."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile -r requirements.txt
	@$(COMPILE)
	@touch $@

.venv/test.stamp: .venv/run.stamp requirements-dev.txt
	$(BIN)/pip install --quiet --no-compile -r requirements-dev.txt
	@$(COMPILE)
	@touch $@
