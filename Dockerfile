# docker build -t segd . && docker run --rm -p 8080:8080 segd
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=0.1.0-dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /segd ./cmd/segd

# Nothing but the binary, /tmp and a user without rights.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /segd /segd
ENV SEGD_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/segd", "serve", "--healthcheck"]
ENTRYPOINT ["/segd"]
CMD ["serve"]
