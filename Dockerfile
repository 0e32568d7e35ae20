# syntax=docker/dockerfile:1

# From source:  docker build -t brickmcp .
# GoReleaser builds the stage "released" instead, around the binaries that it has.
#
#   docker run -i --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -e DATABRICKS_HOST -e DATABRICKS_CLIENT_ID -e DATABRICKS_CLIENT_SECRET brickmcp
#
# docs/deploy.md has the rest.

# CA certificates, the user nonroot and its home, and nothing that could be run.
FROM gcr.io/distroless/static-debian12:nonroot AS base
LABEL org.opencontainers.image.title="brickmcp" \
      org.opencontainers.image.description="All of Databricks for AI agents, safely: as you, under your policy, every call written down." \
      org.opencontainers.image.source="https://github.com/brickmcp/brickmcp" \
      org.opencontainers.image.licenses="Apache-2.0" \
      io.modelcontextprotocol.server.name="io.github.brickmcp/brickmcp"
# The one place that is written to: audit log, sign-ins, runs of agents. Mount a
# volume there to keep them; without one they go with the container.
ENV HOME=/home/nonroot XDG_STATE_HOME=/home/nonroot
VOLUME ["/home/nonroot"]
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/brickmcp"]

FROM base AS released
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/brickmcp /usr/local/bin/brickmcp

# Compiled on the builder's own platform for the target's, which needs no emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH make build BIN=/brickmcp

FROM base
COPY --from=build /brickmcp /usr/local/bin/brickmcp
