# `make demo` or `make test` is all a fresh clone needs: either sets up .venv first.
#
#   make demo     learn from the sample recording and drive the simulated robot by what was learned
#   make smoke    the same in two minutes, with little training
#   make test     the test-suite                       (PYTEST_ARGS='-k words' to choose);
#                 the tests over ROS one after the other: some of them count on their time
#   make lint     flake8 in the ament style
#   make docs     the documentation as a site in build/docs; a warning is an error
#   make build    colcon build, run by the Python of .venv
#   make colcon-test   the same and colcon test, the linters among the tests (PYTEST_ARGS too)
#   make venv     .venv alone
#   make clean    delete build, install, log and caches; .venv and runs stay
#
# PYTHON=/path/to/python3.12   the Python 3.11 or 3.12 for .venv, else the first that is found
# TORCH_INDEX=URL              where PyTorch keeps its CPU wheels (its "Get started" page names the
#                              address under "CPU"): on a machine without an NVIDIA GPU this spares
#                              the download of CUDA; the default is whatever pip is set up with

PYTHON ?=
TORCH_INDEX ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
UNFINISHED := $(VENV)/.unfinished

# ROS from a sourced /opt/ros and ROS from PyPI must not meet in one process.
unexport PYTHONPATH
unexport AMENT_PREFIX_PATH

.PHONY: demo smoke test lint docs build colcon-test venv clean

demo: venv
	$(BIN)/iql-ros demo

smoke: venv
	$(BIN)/iql-ros demo --smoke

test: venv
	$(BIN)/python -m pytest -n 2 -m 'not ros' $(PYTEST_ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m ros $(PYTEST_ARGS) || [ $$? -eq 5 ]

lint: venv
	$(BIN)/python -m flake8

docs: venv
	$(BIN)/python -m sphinx -W --keep-going -n -E -q docs build/docs

build: venv
	$(BIN)/python -m colcon build --event-handlers console_direct+

colcon-test: build
	$(BIN)/python -m colcon test $(if $(PYTEST_ARGS),--pytest-args $(PYTEST_ARGS))
	$(BIN)/python -m colcon test-result --verbose

venv: $(VENV)/.installed

# A set-up that was interrupted leaves `.unfinished` behind and is begun anew.
$(VENV)/.installed: setup.py setup.cfg constraints.txt
	@if [ -e $(UNFINISHED) ]; then rm -rf $(VENV); fi; \
	if [ ! -x $(BIN)/python ]; then \
	  for python in $(or $(PYTHON),python3 python3.12 python3.11); do \
	    "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	      2>/dev/null && break; \
	    python=; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo 'make: no Python 3.11 or 3.12 with its venv module among: $(or $(PYTHON),python3 python3.12 python3.11); install one or name it with PYTHON=/path/to/python3.12' >&2; \
	    exit 1; \
	  fi; \
	  mkdir -p $(VENV) && touch $(UNFINISHED) $(VENV)/COLCON_IGNORE; \
	  echo "Setting up $(VENV) with $$("$$python" -V), which takes a few minutes"; \
	  "$$python" -m venv $(VENV); \
	fi
	@touch $(UNFINISHED) $(VENV)/COLCON_IGNORE
	$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check \
	  -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[all]'
	@if [ -d $(VENV)/lib/python3.1*/site-packages/nvidia ] && ! command -v nvidia-smi >/dev/null; then \
	  echo 'Note: CUDA was installed, which this machine has no GPU for; see TORCH_INDEX in the Makefile.'; \
	fi
	@rm $(UNFINISHED) && touch $@

clean:
	rm -rf build install log *.egg-info .pytest_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print | xargs rm -rf
