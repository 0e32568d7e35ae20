# make help lists the targets.

GO      ?= go
VERSION ?= 0.1.0
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 0

.PHONY: help build demo test bench lint gen check-gen clients fuzz clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/brickmcp
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/brickmcp ./cmd/brickmcp

demo: build ## show a guided session on the embedded workspace
	@bin/brickmcp demo

test: ## run all tests with the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

bench: build ## run the benchmarks that the README's figures come from
	$(GO) test -run '^$$' -bench . -benchtime 2s ./bench/...

lint: ## gofmt, go vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "not gofmt-ed"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

gen: ## write schemas, goldens and the README's tables
	$(GO) run ./cmd/gen && $(GO) run ./cmd/gen

check-gen: ## fail when a generated file has drifted
	$(GO) run ./cmd/gen -check

clients: build ## check with the official MCP clients (needs Node)
	testdata/clients/run bin/brickmcp

fuzz: ## fuzz every parser of outside input for a while
	testdata/fuzz/run 30s

clean: ## remove what was built
	rm -rf bin dist
