//! The agent's two listeners, asked by real clients: sockets that behave badly, TLS, Prometheus, a browser.

mod bounds;
mod browser;
mod commands;
mod debug;
mod metrics;
mod place;
mod scrape;
mod server;
mod tls;
mod view;
