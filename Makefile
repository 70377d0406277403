# Everything a person or CI runs. Needs only Python 3.11+ and make; the rest is installed into .venv.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: evaluate test gallery gallery-short lint docs clean

evaluate: $(STAMP)  ## the main job on the embedded default: verdict on the screen, report in reports/
	$(PY) -m harness.evaluate submissions/legal/score_first_ttt

test: $(STAMP)  ## a worker a core, up to four; `pytest tests/...` runs a part in one process
	$(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal

gallery: $(STAMP)  ## every known attack and every legal look-alike; known results are kept in reports/gallery
	$(VENV)/bin/scorefirst gallery --jobs 2

gallery-short: $(STAMP)  ## the part that takes at most 4 minutes on two cores
	$(VENV)/bin/scorefirst gallery --jobs 2 --short

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

docs: $(STAMP)  ## what is generated in the pages, then the pages as a site in build/docs; a dead link fails
	$(PY) -m audits.document_rules > docs/rules.md.new && mv docs/rules.md.new docs/rules.md
	$(PY) -m docs.screens
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

clean:  ## removes what make and the tools built; keeps sources
	rm -rf $(VENV) .scorefirst reports build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("scorefirst needs Python 3.11 or newer; this is %d.%d. Set PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
