# Everything happens in .venv, which is made when it is first needed.
#   make demo    run the harness on its own small corpus, offline, and show the leaderboard
#   make test    run the tests, as many at once as there are processors, 8 at most
#   make check   lint, types, layers, spelling
#   make test-transformers4   run the tests of models on transformers 4.57
#   make test-lowest   run the tests on the lowest versions that pyproject.toml allows
#   make docs    build the documents as a site, in build/site
#   make campaign   kill, damage and mutate some thousand times, and count wrongs
#   make slurm   run the tests that start a Slurm of their own, as root
#   make gpu     run the tests that need a GPU, then measure it (GPU='--clips 256' to vary)
#   make real    run the tests that need real recordings and weights
#   make clean   remove .venv and what tools leave behind

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := $(VENV)/demo
OLD := .venv-transformers4
LOWEST := .venv-lowest
# A worker that has nothing left takes tests from another; each holds about 1 GB.
PARALLEL := --numprocesses logical --maxprocesses 8 --dist worksteal
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-transformers4 test-lowest check docs campaign gpu slurm real clean
.DEFAULT_GOAL := demo

$(READY): pyproject.toml constraints.txt
	$(if $(shell command -v $(PYTHON)),$(PYTHON),python3) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[audformat,dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/harness run --upstream wav2vec2-random \
	  --downstream linear,nonlinear,multilayer,layerwise --corpus demo \
	  --split kfold --folds 6 --seeds 0 --cache $(DEMO)/cache --runs runs/demo
	@echo; echo 'These results are in runs/demo. What to try with them next:'
	@echo '  $(BIN)/harness compare wav2vec2-random/linear fbank/linear   # is it real?'
	@echo '  $(BIN)/harness leaderboard --view layers   # which layers the heads weigh'
	@echo '  $(BIN)/harness leaderboard --format html --out site/   # a page'
	@echo '  $(BIN)/harness list upstreams   # published models, to measure instead'

test: $(READY)
	$(BIN)/python -m pytest $(PARALLEL)

# A second environment that has its own transformers and sees the rest of the first one.
$(OLD)/.ready: $(READY)
	$(BIN)/python -m venv $(OLD)
	$(OLD)/bin/python -m pip install --quiet --no-deps \
	  transformers==4.57.6 tokenizers==0.22.1 huggingface-hub==0.36.0
	$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % \
	  sysconfig.get_path('purelib'))" > $(OLD)/others.pth
	mv $(OLD)/others.pth $(OLD)/lib/python3.*/site-packages/
	@touch $@

test-transformers4: $(OLD)/.ready
	$(OLD)/bin/python -m pytest $(PARALLEL) tests/plugins/upstreams tests/plugins/downstreams

# The lowest versions of what is named in pyproject.toml; what those need is the newest.
$(LOWEST)/.ready: pyproject.toml
	$(if $(shell command -v $(PYTHON)),$(PYTHON),python3) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet 'uv>=0.5'
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
	  --resolution lowest-direct --editable '.[audformat,dev]'
	@touch $@

# An old library may use what a newer one deprecates: a warning, and no fault of ours.
test-lowest: $(LOWEST)/.ready
	$(LOWEST)/bin/python -m pytest $(PARALLEL) -W default::DeprecationWarning

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls --cache-dir .mypy_cache/tests
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(READY)
	$(BIN)/python -m mkdocs build

campaign: $(READY)
	PYTHONPATH=tests $(BIN)/python -m campaign $(CAMPAIGN)

slurm: $(READY)
	$(BIN)/python -m pytest -m slurm tests/plugins/executors

gpu: $(READY)
	$(BIN)/python -m pytest -m gpu tests/gpu
	$(BIN)/python benchmarks/gpu.py $(GPU)

real: $(READY)
	$(BIN)/python -m pytest -m real

clean:
	rm -rf build $(VENV) $(OLD) $(LOWEST) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
