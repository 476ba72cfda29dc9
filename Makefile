# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Short names for the sessions of noxfile.py. All that they need beyond Python, git and the package indexes
# is installed into the user's cache directory; nothing is written outside it and build/.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/netguard-lockdown
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done)
KEY := $(shell { $(PYTHON) -V; cat tests/requirements/gate.txt; } 2>&1 | cksum | tr -d ' ')
GATE := $(CACHE)/gate-$(KEY)
RUN := exec env PYTHONPATH=tests/tools:tests $(GATE)/bin/python -m gate
NOX := $(GATE)/bin/python -m nox --noxfile noxfile.py --session
CELL ?= newest

.DEFAULT_GOAL := help
.PHONY: help demo test test-enforced page lint unit sanity integration system molecule bench docs generate artifact binaries clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(GATE) ## Lock a namespace down on an embedded API server and show the result
	@$(NOX) demo

test: $(GATE) ## Run all tests that need no root (ALSO=lint adds the static checks, ALSO=enforced the real cluster)
	@$(RUN) $(ALSO) test

test-enforced: $(GATE) ## Run policies on a real cluster with Ignite (root on Linux; ENGINE=cilium, ENGINE=all; FULL=1; ARGS)
	@$(NOX) $@ -- --engine=$(ENGINE) $(ARGS)

page: $(GATE) ## Look at the report in a headless Chromium (must be installed)
	@$(NOX) $@ -- $(ARGS)

lint: $(GATE) ## Run the static checks
	@$(RUN) lint

unit sanity integration system molecule: $(GATE) ## One tier; CELL=oldest for the oldest versions, ARGS for its tool
	@$(NOX) "$@($(CELL))" -- $(ARGS)

bench docs generate artifact binaries: $(GATE) ## Measure; web pages; generated files; the tarball; kube-apiserver and etcd
	@$(NOX) $@ -- $(ARGS)

clean: ## Remove build/ (the cache stays)
	rm -rf build

$(GATE):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian: python3-venv)" >&2; exit 1; }
	@echo "installing the session runner ..."
	@rm -rf $@.new && $(PYTHON) -m venv $@.new
	@$@.new/bin/python -m pip --disable-pip-version-check install --quiet --requirement tests/requirements/gate.txt
	@rm -rf $@ && mv $@.new $@
