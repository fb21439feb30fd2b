# A thin layer over tasks.py, which also works where there is no make: `python tasks.py demo`.
PYTHON ?= $(shell command -v python3 || command -v python)

.DEFAULT_GOAL := help
.PHONY: help demo test check perf chaos lowest env clean

help:
	@$(PYTHON) tasks.py --help

demo test check perf chaos lowest env clean:
	@$(PYTHON) tasks.py $@ $(ARGS)
