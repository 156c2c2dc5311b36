# The page, then the binary that embeds it, then an image that holds the binary alone.
FROM node:24-alpine AS page
WORKDIR /src
COPY client/js client/js
COPY gateway/page gateway/page
COPY scripts/build-page scripts/build-page
RUN apk add --no-cache bash findutils && scripts/build-page

FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY third_party third_party
RUN go mod download
COPY . .
COPY --from=page /src/gateway/page/dist/built gateway/page/dist/built
ARG VERSION=unknown
ARG TAGS=
RUN CGO_ENABLED=0 go build -trimpath -tags "$TAGS" -ldflags "-s -w -X main.release=$VERSION" -o /dashfeed ./cmd/dashfeed && mkdir -p /var/lib/dashfeed

# With a directory for --scratch (nodes) and --data (run), which its user owns.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /dashfeed /usr/bin/dashfeed
COPY --from=build --chown=nonroot:nonroot /var/lib/dashfeed /var/lib/dashfeed
WORKDIR /var/lib/dashfeed
EXPOSE 8080 9090 7946/tcp 7946/udp 7947
ENTRYPOINT ["/usr/bin/dashfeed"]
# A container is reached by what is published of it: publish on loopback (-p 127.0.0.1:8080:8080), or behind what asks who comes.
# Where it is asked by a name, give it too: run --listen :8080 --admin :9090 --insecure --hosts dash.example.com
CMD ["run", "--listen", ":8080", "--admin", ":9090", "--insecure"]
