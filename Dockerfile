# syntax=docker/dockerfile:1
# A static binary in an image that holds nothing else. It runs as an unprivileged
# user and writes nowhere but /data, so the root filesystem can be read-only. The build has no checkout to read its version
# from: docker build --build-arg VERSION=v1.2.3 --build-arg COMMIT="$(git rev-parse HEAD)" .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION= COMMIT=
RUN CGO_ENABLED=0 go build -trimpath -o /out/ghlsync \
      -ldflags="-s -w -X ghlsync/internal/version.stamp=$VERSION -X ghlsync/internal/version.stampCommit=$COMMIT" ./cmd/ghlsync \
 && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/ghlsync /ghlsync
COPY --from=build --chown=nonroot:nonroot --chmod=0700 /out/data /data
USER nonroot:nonroot
WORKDIR /data
VOLUME /data
ENV STATE_URL=sqlite:/data/ghlsync.db LOG_FORMAT=json
EXPOSE 8089
# The first SIGTERM drains calls in flight for up to 20 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ghlsync"]
CMD ["run"]
