# The verbs of campusgate. Each sets up what it needs first (.ci/setup), so on a fresh machine any of them works.

bin := .venv/bin

.PHONY: help
help: ## list these verbs (the default)
	@sed -n 's/^\([a-z-]*\):.*## /\1:/p' Makefile | while IFS=: read -r verb what; do printf 'make %-15s%s\n' "$$verb" "$$what"; done

# exec: Ctrl-C and kill reach the demo itself and no shell is left between; it ends with 0 on Ctrl-C, or 130 if SCANS.
.PHONY: demo
demo: setup ## the whole chain with simulated hardware, until Ctrl-C; SCANS=60 ends it, SEED=7 repeats it
	@exec $(bin)/campusgate demo $(if $(SCANS),--scans '$(SCANS)') $(if $(SEED),--seed '$(SEED)')

# A file's tests stay in one process, with its fixtures; many wait for processes of their own, so there is work for half
# as many again as there are cores. Those that run whole campuses come by themselves, one after the other and without
# coverage: each starts a dozen processes, which are to answer as quickly as at a gate.
workers := $(shell echo $$(($$(nproc) * 3 / 2)))

.PHONY: test
test: setup ## every test, on all cores, with branch coverage; ARGS='-k codes' goes to pytest, all in one run
	@.ci/test-programs
ifdef ARGS
	$(bin)/pytest --cov --cov-branch --cov-report=term $(ARGS)
else
	$(bin)/pytest -n $(workers) --dist loadfile --no-loadscope-reorder -m 'not campus' --cov --cov-branch --cov-report=term
	$(bin)/pytest -m campus tests/sim
endif

.PHONY: lint
lint: setup ## style, types and the direction of imports; changes nothing
	$(bin)/ruff check . .ci/readme-examples
	$(bin)/ruff format --check . .ci/readme-examples
	$(bin)/mypy
	$(bin)/lint-imports

# --- Measurements and long runs; ARGS='--photos DIR' and the like go to the program

.PHONY: bench-scan
bench-scan: setup ## our scanner beside zxing-cpp, pyzbar and OpenCV: read rate, time-to-read, cost; JSON in bench-out/
	$(bin)/python -m tests.bench.scan $(ARGS)

.PHONY: bench-roster
bench-roster: setup ## the roster at 10,000 to 1,000,000 people beside a signed SQLite and JSON file; JSON in bench-out/
	$(bin)/python -m tests.bench.roster $(ARGS)

.PHONY: bench-decide
bench-decide: setup ## one decision with the sample campus beside one ES256 verification; JSON in bench-out/
	$(bin)/python -m tests.bench.decide $(ARGS)

.PHONY: bench-journal
bench-journal: setup ## durable appends beside write + fdatasync, persist-queue, litequeue; JSON in bench-out/
	$(bin)/python -m tests.bench.journal $(ARGS)

.PHONY: bench-sync
bench-sync: setup ## 1,000,000 records from a journal to central beside one POST a record; JSON in bench-out/
	$(bin)/python -m tests.bench.drain $(ARGS)

.PHONY: bench-ingest
bench-ingest: setup ## central's ingest on SQLite and PostgreSQL beside raw COPY; JSON in bench-out/
	$(bin)/python -m tests.bench.ingest $(ARGS)

.PHONY: bench-herd
bench-herd: setup ## 10,000 terminals that return after an outage, in virtual time; JSON in bench-out/
	$(bin)/python -m tests.bench.herd $(ARGS)

.PHONY: fuzz-scan
fuzz-scan: setup ## ten minutes of made-up frames and payloads against the scanner; ARGS='--seconds 60'
	$(bin)/python -m tests.terminal.fuzz_scanner $(ARGS)

.PHONY: fuzz-console
fuzz-console: setup ## ten minutes of random bytes at line rate at two consoles; ARGS='--seconds 60 --seed 7'
	@.ci/test-programs
	@exec $(bin)/python -m tests.terminal.console.fuzz_console $(ARGS)

# exec: Ctrl-C and kill reach the program itself.
.PHONY: soak
soak: setup ## 2,000 seeded schedules of kills, full disks, clock jumps and network faults; ARGS='--schedules 100 --seed 7'
	@exec $(bin)/python -m tests.sim.soak $(ARGS)

# --- The checkout itself

.PHONY: setup
setup: ## system packages (apt, if missing) and .venv; PYTHON=python3.12 chooses the interpreter
	@PYTHON='$(PYTHON)' .ci/setup

.PHONY: clean
clean: ## remove all that was made here: .venv, caches, reports, demo-run/, bench-out/
	rm -rf .venv build dist demo-run bench-out *.egg-info .coverage .coverage.* .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
