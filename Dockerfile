# syntax=docker/dockerfile:1
FROM rust:1.95.0-slim-bookworm AS build
# The allocator's build uses make, of whatever version the distribution has.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Cargo.toml Cargo.lock askama.toml ./
COPY metadata metadata
COPY tests/peers.rs tests/peers.rs
COPY src src
ARG BRIDGE_REVISION=unknown
# The state folder is made here, for the last stage has no shell.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    BRIDGE_REVISION="${BRIDGE_REVISION}" cargo build --release --locked \
    && install -D target/release/jobindsats-bridge /image/usr/local/bin/jobindsats-bridge \
    && install -d -m 0750 -o 65532 -g 65532 /image/var/lib/jobindsats-bridge

# glibc and CA certificates, nothing else; runs as 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/ /
ENV BRIDGE_LISTEN=0.0.0.0:8080 \
    BRIDGE_DATA_DIR=/var/lib/jobindsats-bridge
USER 65532:65532
VOLUME ["/var/lib/jobindsats-bridge"]
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/jobindsats-bridge", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/jobindsats-bridge"]
