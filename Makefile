# make help lists the targets.

GO      ?= go
VERSION := $(shell cat VERSION)
FUZZTIME ?= 30s
BIN     ?= bin/brickmcp
# Functions aligned to 4 bytes instead of 32 take 0.3 MB less; 4 is what arm64 instructions need.
LDFLAGS := -s -w -funcalign=4 -X main.version=$(VERSION)
# Inlining costs more than 1 MB of binary, and pays only where calls and the start-up spend their time.
INLINED := brickmcp/catalog brickmcp/transport/rest brickmcp/transport/serve \
	runtime/... internal/... sync/... reflect strings bytes strconv unicode/... bufio io math/... \
	encoding/json encoding/base64 compress/... hash/... crypto/internal/... modernc.org/... github.com/tidwall/...
GCFLAGS := -gcflags=all=-l $(foreach package,$(INLINED),-gcflags=$(package)=)
# HTTP/2 is 0.45 MB; the workspace is spoken to by HTTP/1.1 anyway: a connection a call never waits behind another.
TAGS := nethttpomithttp2
# What is built for the conformance suite alone.
CONFORMANCE := -tags conformance ./cmd/brickmcp ./testdata/conformance
export CGO_ENABLED ?= 0

.PHONY: help build demo test bench lint gen check-gen clients conformance fuzz clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/brickmcp
	$(GO) build -trimpath -tags $(TAGS) -ldflags "$(LDFLAGS)" $(GCFLAGS) -o $(BIN) ./cmd/brickmcp

demo: build ## show a guided session on the embedded workspace
	@$(BIN) demo

# The race detector needs a C compiler that works; all else needs Go alone.
C_PROGRAM := '\#include <stdlib.h>\nint main(void) { return 0; }\n'

test: ## run all tests, with the race detector where there is a C compiler
	@if printf $(C_PROGRAM) | $$($(GO) env CC) -x c -o /dev/null - 2>/dev/null; then \
		echo "CGO_ENABLED=1 $(GO) test -race -timeout 30m ./..."; CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...; \
	else \
		echo "There is no working C compiler ($$($(GO) env CC)): the tests run WITHOUT the race detector."; \
		echo "$(GO) test -timeout 30m ./..."; $(GO) test -timeout 30m ./...; \
	fi

bench: ## run the benchmarks that the README's figures come from
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./cmd/brickmcp

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(find . -name '*.go' -not -path '*/node_modules/*' -exec gofmt -l {} +); \
	test -z "$$unformatted" || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet $(CONFORMANCE)
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck $(CONFORMANCE)

gen: ## write schemas, goldens, the policy's JSON Schema and the README's tables
	$(GO) run ./cmd/gen && $(GO) run ./cmd/gen

check-gen: ## fail when a generated file has drifted
	$(GO) run ./cmd/gen -check

clients: build ## check with the official MCP clients (needs Node)
	testdata/clients/run $(BIN)

# A build of its own: it has fixtures, and serves whoever can reach its port.
conformance: ## check with the official conformance suite (needs Node 22)
	$(GO) build -trimpath -tags $(TAGS),conformance -ldflags "$(LDFLAGS)" $(GCFLAGS) -o bin/brickmcp-conformance ./cmd/brickmcp
	testdata/conformance/run bin/brickmcp-conformance

fuzz: ## fuzz every parser of outside input, FUZZTIME each
	@grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u | while read -r package; do \
		for name in $$(grep -ho '^func Fuzz[A-Za-z]*' "$$package"/*_test.go | sed 's/^func //'); do \
			echo "== $$package $$name"; \
			$(GO) test "$$package" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

clean: ## remove what was built
	rm -rf bin dist

# --- packages: npm, bundles, releases (cmd/npm) ---

NPM_PLATFORMS ?= linux-x64 linux-arm64 darwin-x64 darwin-arm64 win32-x64 win32-arm64
DIST ?= dist
MCPB := cmd/npm/testdata/mcpb

.PHONY: npm mcpb release-check stamp

# One binary after the other: a link takes 2 GB. Node's words become Go's.
binary-%:
	@GOOS=$(subst win32,windows,$(word 1,$(subst -, ,$*))) GOARCH=$(subst x64,amd64,$(word 2,$(subst -, ,$*))) CGO_ENABLED=0 \
		$(MAKE) --no-print-directory build BIN=$(DIST)/bin/$*/brickmcp$(if $(filter win32-%,$*),.exe)

npm: $(addprefix binary-,$(NPM_PLATFORMS)) ## build npm's packages, dist/npm/*.tgz (NPM_PLATFORMS: which)
	rm -rf $(DIST)/npm
	$(GO) run ./cmd/npm wrapper -out $(DIST)/npm
	@$(foreach p,$(NPM_PLATFORMS),$(call each,platform,$p,npm))
	@ls -l $(DIST)/npm

mcpb: $(addprefix binary-,$(NPM_PLATFORMS)) ## build MCP bundles by the official tool, dist/mcpb/*.mcpb (needs Node)
	$(MCPB)/install
	rm -rf $(DIST)/mcpb
	@$(foreach p,$(NPM_PLATFORMS),$(call each,bundle,$p,mcpb -tool $(MCPB)/node_modules/@anthropic-ai/mcpb/dist/cli/cli.js))
	@ls -l $(DIST)/mcpb

# each: command of cmd/npm, platform, directory below dist and further flags
each = echo "$2: $1" && $(GO) run ./cmd/npm $1 -platform $2 -binary $(DIST)/bin/$2/brickmcp$(if $(filter win32-%,$2),.exe) -out $(DIST)/$3 || exit 1;

release-check: npm mcpb ## check what a release consists of, with the official tools and clients (needs Node)
	rm -rf $(DIST)/installed && mkdir -p $(DIST)/installed && echo '{}' >$(DIST)/installed/package.json
	cd $(DIST)/installed && npm install --offline --no-audit --no-fund --loglevel error \
		$(abspath $(DIST))/npm/brickmcp-$(VERSION).tgz $(abspath $(DIST))/npm/brickmcp-$$(node -p 'process.platform + "-" + process.arch')-$(VERSION).tgz
	testdata/clients/run $(DIST)/installed/node_modules/.bin/brickmcp
	$(GO) test -count=1 -v ./cmd/npm

stamp: ## write the version, from the file VERSION, where it must be written down
	$(GO) run ./cmd/npm stamp
# --- end of packages ---
