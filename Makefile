# Dashfeed. `make help` lists what there is.
GO      ?= go
BIN     := bin/dashfeed
FUZZ    ?= 30s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := help
.PHONY: help run cluster test race mutants fuzz bench lint generate build page pulsar

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build, start the demo on real data and show it.
	$(BIN) demo

cluster: build ## Build, start Pulsar, three nodes and two gateways with real data, and print the addresses.
	./scripts/cluster up

# One set of compiled packages for the binary, the binaries that tests build, and the tests.
test: export CGO_ENABLED = 0
test: export GOFLAGS = -trimpath
test: build ## Vet and test everything, with a browser; what is missing for that is installed.
	./scripts/setup-test
	$(GO) vet ./...
	{ $(GO) test -json -timeout 20m $$($(GO) list ./... | grep -v /gateway/page); \
	  $(GO) test -json -timeout 20m ./gateway/page; } | $(GO) run ./scripts/testsummary # the page is measured: nothing else runs beside it

race: ## Test everything with the race detector, without the tests of the built binary.
	$(GO) test -race -timeout 20m $$($(GO) list ./... | grep -v -e /chaos -e /examples/plain -e /client/js -e /gateway/page)

mutants: export CGO_ENABLED = 0
mutants: export GOFLAGS = -trimpath
mutants: ## Break the code in every listed way, one line at a time: a test must fail each time.
	$(GO) run ./scripts/mutants

fuzz: ## Run every fuzz target for FUZZ (30s).
	@$(GO) list -f '{{.Dir}}' ./... | while read -r dir; do \
		grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go 2>/dev/null | cut -c6- | while read -r target; do \
			echo "$$dir $$target"; (cd "$$dir" && $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) .) || exit 1; \
		done || exit 1; \
	done

bench: ## Measure: microbenchmarks, then the built binary through its public doors.
	$(GO) test -run '^$$' -bench . -benchmem ./fold/... ./messages/... ./gateway/... ./client/...
	$(GO) run ./bench all

lint: ## Check with vet, staticcheck, gofumpt, and govulncheck where its database can be reached.
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@files=$$($(GO) tool gofumpt -l $$(git ls-files '*.go' ':!*.pb.go')); if [ -n "$$files" ]; then echo "gofumpt would change:"; echo "$$files"; exit 1; fi
	@out=$$($(GO) tool govulncheck ./... 2>&1); case $$? in \
		0) ;; \
		3) echo "$$out"; exit 1 ;; \
		*) echo "govulncheck: not checked: $$(echo "$$out" | tail -1)" ;; \
	esac

generate: build ## Write the files that are made from code.
	$(GO) generate ./...
	$(BIN) definition schema > docs/definition.schema.json

build: page ## Build the binary with its page; TAGS=gcs,azure adds checkpoints in these stores.
	@echo 'build: compiling $(BIN): minutes the first time, seconds after it' >&2
	CGO_ENABLED=0 $(GO) build -trimpath -tags '$(TAGS)' -ldflags '-s -w -X main.release=$(VERSION)' -o $(BIN) ./cmd/dashfeed

page: ## Build the page that the binary embeds.
	./scripts/build-page

pulsar: ## Start a real Apache Pulsar on this machine and print its addresses; scripts/pulsar has more.
	@./scripts/pulsar up
	@./scripts/pulsar env dashfeed
