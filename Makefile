# Every command a person needs: `make help` lists them.
NB =
P =
ONLY =

ifeq ($(CONDA_DEFAULT_ENV),pagedkv_nb)
PYTHON := python
READY :=
else
PYTHON := .venv/bin/python
READY := .venv/ready
endif

ifneq ($(shell command -v uv),)
VENV := uv venv --quiet --clear --no-project --python '>=3.11' .venv
INSTALL := uv pip install --quiet --compile-bytecode --python .venv/bin/python
else
VENV := python3 -m venv --clear .venv
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check
endif

NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=120 --nbval-sanitize-with=pagedkv_nb/tests/nbval.cfg

.PHONY: all test run lab bench lock clean help

all: $(READY)  ## run all notebooks (or ONLY="05 06"), rewrite their outputs and figures/
	@$(PYTHON) -m pagedkv_nb.study.runner --only $(ONLY)

test: $(READY)  ## test the package and the stored notebooks
	$(PYTHON) -m pytest $(NBVAL) pagedkv_nb/tests notebooks

run: $(READY)  ## one notebook with other parameters: make run NB=05 P="page_size=32 seed=7"
	@$(PYTHON) -m pagedkv_nb.study.runner "$(NB)" $(P)

lab: $(READY)  ## open the notebooks in JupyterLab
	$(PYTHON) -m jupyterlab notebooks

bench: $(READY)  ## measure everything that must be quick, each against a yardstick
	@$(PYTHON) -m pagedkv_nb.study.bench

lock:  ## pin the newest versions of all packages (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest --no-annotate \
	  --all-extras pyproject.toml -o requirements.lock

clean:  ## remove the environment and everything built
	rm -rf .venv build .hypothesis .benchmarks *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

help:  ## print this list
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1\t/p' Makefile | expand -t 12

.venv/ready: requirements.lock pyproject.toml
	$(VENV)
	$(INSTALL) -r requirements.lock && $(INSTALL) --no-deps -e .
	@touch $@
