# whynotready as an image from nothing: one static binary, no shell, no libraries.
#
#   from source (needs a registry for the first stage's base):
#     docker build -t whynotready .
#   from a binary built here, with no registry (what the tests do, with buildah):
#     cargo build --release --locked -p whynotready --target x86_64-unknown-linux-musl
#     buildah build --isolation chroot --target prebuilt -t whynotready .
#
# The user is nobody in particular: `explain`, `analyze` and `replay` of what is mounted need no more. A node's own files
# belong to root, so the chart runs it as uid 0 without a capability, and says so in its values.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z

FROM scratch AS base
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="whynotready" \
      org.opencontainers.image.description="Says why a kubelet stopped posting node status" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="https://github.com/whynotready/whynotready" \
      org.opencontainers.image.url="https://github.com/whynotready/whynotready" \
      org.opencontainers.image.documentation="https://github.com/whynotready/whynotready/blob/main/README.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="whynotready"
USER 65532:65532
ENTRYPOINT ["/whynotready"]
CMD ["run"]

FROM base AS prebuilt
ARG BINARY=target/x86_64-unknown-linux-musl/release/whynotready
COPY --chmod=0755 ${BINARY} /whynotready

FROM docker.io/library/rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
# On Alpine the default target is musl's, linked statically.
RUN cargo build --release --locked -p whynotready && cp target/release/whynotready /whynotready

FROM base AS image
COPY --from=build --chmod=0755 /whynotready /whynotready
