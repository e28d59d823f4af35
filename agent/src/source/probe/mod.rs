//! The staged probe of the API server, as the kubelet reaches it: resolve, connect, proxy, TLS, request. One file a stage.
//!
//! A probe never writes, never follows a redirect, and shows a credential only to a server whose certificate is good.
//! A failed stage is a reading; only what could not be tried is blind.

pub(crate) mod answer;
pub(crate) mod budget;
pub(crate) mod certificate;
mod clock;
pub(crate) mod connect;
pub(crate) mod dial;
pub(crate) mod fault;
pub(crate) mod proxy;
mod report;
pub(crate) mod request;
pub(crate) mod resolve;
pub mod sampler;
pub(crate) mod settings;
pub mod target;
pub(crate) mod tls;
mod verdict;
pub(crate) mod walk;
