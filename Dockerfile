# syntax=docker/dockerfile:1
# A static binary in an image that holds nothing else. It runs as an unprivileged
# user and writes nowhere but /data, so the root filesystem can be read-only.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ghlsync ./cmd/ghlsync \
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
