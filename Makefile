# The commands of the README. Each sets up what it needs: uv, .venv, the exact pins of requirements.txt.
.PHONY: demo test setup lint format benchmarks lock clean

# The first interpreter that runs and is 3.11 or 3.12 (a shim for a version that is not there does not count).
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
UV := .uv/bin/uv
RUN := .venv/bin/python

demo: .venv/installed
	$(RUN) -m flows demo

test: .venv/installed
	$(RUN) -m pytest

setup: .venv/installed

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

format: .venv/installed
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# Run by hand: experiments, which train detectors for hours; and what other scripts import measures nothing itself.
APART := accuracy refiner_gain transfer transfer_frames coco_peer coco_peer_errors
benchmarks: .venv/installed
	for script in $(filter-out $(APART:%=benchmarks/%.py),$(sort $(wildcard benchmarks/*.py))); do echo "== $$script" && PYTHONPATH=. $(RUN) $$script || exit 1; done

# Resolve anew; the result names no index.
lock: $(UV)
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --group dev \
		--custom-compile-command "make lock" pyproject.toml --output-file requirements.txt

$(UV): requirements-uv.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or 3.12 found: install one, or run make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@touch $(UV)

.venv/installed: requirements.txt $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python .venv --require-hashes requirements.txt
	@touch .venv/installed

clean:
	rm -rf .venv .uv .cache .pytest_cache .ruff_cache
