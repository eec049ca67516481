# Everything that is done with this tree. `make help` lists it.
GO ?= go
LINT_VERSION := v2.15.0
TOOLS := $(CURDIR)/bin/tools

.PHONY: help build test race linter lint fmt bench bench-large sdk hosts dashboard soak load fuzz reliability arm64 ollama failover ci clean

help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## build bin/research-mcp, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/research-mcp ./cmd/research-mcp

test: ## run the tests
	$(GO) test ./...

race: ## run the tests under the race detector
	$(GO) test -race -timeout 30m ./...

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

linter: $(TOOLS)/golangci-lint-$(LINT_VERSION)

lint: linter ## vet and lint
	$(GO) vet ./...
	$(TOOLS)/golangci-lint-$(LINT_VERSION) run ./...

$(TOOLS)/golangci-lint-$(LINT_VERSION):
	mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(TOOLS)/golangci-lint $@

sdk: ## drive the built binary with the official MCP SDK's client
	cd internal/testkit/sdkclient && $(GO) test -count=1 ./...

dashboard: build ## check the Grafana dashboard against the metrics of a server that works
	bash internal/testkit/scripts/dashboard.sh bin/research-mcp

soak: build ## ask one server 10,000 things at random, with cancellations and killed children
	SOAK_BINARY=$(CURDIR)/bin/research-mcp SOAK_CALLS=$${SOAK_CALLS:-10000} $(GO) test -count=1 -v -timeout 3h -run 'TestSoak$$' ./cmd/research-mcp

load: build ## have 32 clients at once ask a server over HTTP for a minute; recall beside questions; idle connections
	LOAD_BINARY=$(CURDIR)/bin/research-mcp LOAD_SECONDS=$${LOAD_SECONDS:-60} $(GO) test -count=1 -v -parallel 1 -timeout 1h -run "$${LOAD_TESTS:-TestLoad}" ./cmd/research-mcp

fuzz: ## run every fuzz target for ten seconds, or FUZZ_TIME
	internal/testkit/scripts/fuzz.sh $${FUZZ_TIME:-10s}

hosts: build ## have real hosts and SDK clients from npm and PyPI call the tools
	internal/testkit/scripts/hosts.sh bin/research-mcp

reliability: ## attack the program for up to ten minutes, and write docs/RELIABILITY.md anew
	internal/testkit/scripts/reliability.sh docs/RELIABILITY.md

bench: build ## measure, and write docs/BENCHMARKS.md anew
	internal/testkit/scripts/bench.sh docs/BENCHMARKS.md

bench-large: build ## measure memories of up to a million chunks and a server beside the largest, and write their rows and graph anew (half an hour)
	internal/testkit/scripts/bench.sh --large docs/BENCHMARKS.md

arm64: ## compare the answers of the binary for arm64, under qemu-user, with those of this machine's
	internal/testkit/scripts/arm64.sh

ollama: ## run the tests that want a real Ollama, which is built and started first
	eval "$$(internal/testkit/scripts/ollama.sh start)" && \
	  { $(GO) test -count=1 ./internal/models/... ./internal/app/... ./internal/recording/...; code=$$?; \
	    internal/testkit/scripts/ollama.sh stop; exit $$code; }

failover: build ## kill the primary of three databases five times, under writers, readers and questions
	FAILOVER_KILLS=5 FAILOVER_BOUNDS=1 internal/testkit/scripts/cluster.sh bin/research-mcp failover

ci: ## what must hold before a change lands
	bash .ci/run

clean: ## remove what was built
	rm -rf bin
