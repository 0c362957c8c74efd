# What .ci/run and README do, for people at a terminal. Everything works without make.
.DEFAULT_GOAL := build
.PHONY: build demo test race versions lint format ci

build: ## the daemon, as bin/ghlsync
	CGO_ENABLED=0 go build -trimpath -o bin/ghlsync ./cmd/ghlsync

demo: ## everything on this machine, until Ctrl-C
	go run ./cmd/ghlsync demo

test:
	go test ./...

race:
	go test -race -timeout 10m ./...

versions: ## what talks to Postgres, on 14 to 18
	scripts/test-versions

lint:
	go tool -modfile=tools.mod golangci-lint run ./...
	go vet ./...

format:
	go tool -modfile=tools.mod gofumpt -w .

ci: ## what has to pass before a merge
	.ci/run
