# Every target is a subcommand of tools/dev.sh: `make demo` is `bash tools/dev.sh demo`.
TARGETS := install test demo bench validate check lint docs clean

.PHONY: help $(TARGETS)

help:
	@bash tools/dev.sh help

$(TARGETS):
	@bash tools/dev.sh $@
