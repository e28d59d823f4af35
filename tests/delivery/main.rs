//! Delivery that survives what it reports: the outbox against SIGKILL, full and read-only disks; OTLP against real HTTP
//! servers and a real OpenTelemetry Collector; events and the condition against an API server's rules.

mod collector;
mod condition;
mod disk;
mod events;
mod kill;
mod otlp;
mod real_api;
mod sample;
mod stub;
mod tls;
mod wire;
