//! OTLP over HTTP: changes as log records through the outbox, and a few gauges (opentelemetry-proto 1.x,
//! `docs/specification.md`). Protobuf only; no SDK, which would bring threads and a queue of its own.

pub mod endpoint;
mod environment;
pub mod gauges;
pub mod logs;
pub mod message;
mod post;
pub mod record;
pub mod resource;
