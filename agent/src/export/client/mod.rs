//! A small HTTP/1.1 client for the collector and the API server: one kept connection, TLS with files that are read again
//! when they change, a resolver that is handed in, every step within one deadline.
//!
//! It follows no redirect, keeps no cookie and never retries but once on a kept connection that had closed.

pub mod exchange;
pub mod proxy;
pub mod resolve;
pub mod target;
pub mod trust;
