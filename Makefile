# What contributors run, and what CI runs: `make check`. Needs Go, git and a C compiler (for the race detector).

GO       ?= go
FUZZTIME ?= 30s

.NOTPARALLEL:

# A linter refuses code for a newer Go than it was built with, so the tools are rebuilt with each Go.
TOOLS := bin/.tools-$(shell $(GO) env GOVERSION)

# The modules beside the root one, each for dependencies that others should not have to take. They are linted and tested as
# the root module is; bench is only vetted.
TESTED  := $(patsubst %/go.mod,%,$(wildcard contrib/*/go.mod examples/*/go.mod))
MODULES := bench $(TESTED)

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: check
check: $(TOOLS) ## everything CI checks
	@was=$$(git status --porcelain); \
	$(MAKE) --no-print-directory tidy formatted generated modules lint test vuln && \
	{ [ -n "$$was" ] || [ -z "$$(git status --porcelain)" ] || \
	  { echo 'check: the tree was clean, and is not any more:'; git status --short; exit 1; }; }

.PHONY: test
test: postgres ## all tests, with the race detector
	$(GO) test -race ./...
	@for m in $(TESTED); do echo "go -C $$m test -race ./..."; $(GO) -C $$m test -race ./... || exit 1; done

.PHONY: lint
lint: $(TOOLS) ## golangci-lint
	bin/golangci-lint run ./...
	@for m in $(TESTED); do echo "$$m: golangci-lint run ./..."; (cd $$m && $(CURDIR)/bin/golangci-lint run ./...) || exit 1; done

.PHONY: fmt
fmt: $(TOOLS) ## format the code and tidy the modules
	bin/golangci-lint fmt ./...
	bin/gofumpt -w .
	@for m in . tools $(MODULES); do echo "go -C $$m mod tidy"; $(GO) -C $$m mod tidy || exit 1; done

.PHONY: vuln
vuln: $(TOOLS) ## govulncheck; it reads the vulnerability database over the network
	@out=$$(for m in . $(MODULES); do bin/govulncheck -C $$m ./... || exit $$?; done 2>&1); rc=$$?; echo "$$out"; \
	case "$$rc $$out" in \
	"0 "*) ;; \
	*"fetching vulnerabilities"*) echo 'vuln: NOT RUN: the vulnerability database cannot be reached from here'; \
	  [ -z "$$GITHUB_ACTIONS" ];; \
	*) exit $$rc;; \
	esac

.PHONY: torture
torture: postgres ## the long forms of what kills processes, disks and Postgres (about 20 minutes)
	OTELAUDIT_TORTURE=1 $(GO) test -race -count=1 -timeout 30m -run 'Crash|Every|AnyDamage' ./trail/journal
	OTELAUDIT_TORTURE=1 $(GO) test -count=1 -timeout 60m -v ./internal/torture

.PHONY: fuzz
fuzz: postgres ## each fuzz target for FUZZTIME (30s)
	@for m in . $(TESTED); do \
	  listed=$$($(GO) -C $$m test -list '^Fuzz' ./...) || { echo "$$listed"; exit 1; }; \
	  echo "$$listed" | awk '/^Fuzz/ { f[++n] = $$1 } /^ok/ { while (n) print $$2, f[n--] }' | \
	  while read -r pkg f; do \
	    echo "$$pkg $$f"; $(GO) -C $$m test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
	  done || exit 1; \
	done

.PHONY: bench
bench: ## the benchmarks, also against rivals
	cd bench && $(GO) run .

# The steps of check and test.

.PHONY: tidy
tidy:
	@for m in . tools $(MODULES); do echo "go -C $$m mod tidy -diff"; $(GO) -C $$m mod tidy -diff || exit 1; done

.PHONY: formatted
formatted: $(TOOLS)
	@out=$$(bin/gofumpt -l .) && [ -z "$$out" ] || { echo "gofumpt would change these; run make fmt:"; echo "$$out"; exit 1; }

.PHONY: generated
generated:
	@grep -rq --include='*.go' '^//go:generate' . || exit 0; \
	was=$$(git status --porcelain; git diff); echo "go generate ./..."; $(GO) generate ./... || exit 1; \
	[ "$$was" = "$$(git status --porcelain; git diff)" ] || { echo 'go generate changed the tree:'; git status --short; exit 1; }

.PHONY: modules
modules:
	@for m in $(MODULES); do echo "go -C $$m vet ./..."; $(GO) -C $$m vet ./... || exit 1; done

.PHONY: postgres
postgres:
	@sh internal/localpg/install.sh

$(TOOLS): tools/go.mod tools/go.sum
	$(GO) -C tools build -o ../bin/ tool
	@rm -f bin/.tools-*; touch $@
