//! Sinks: they render a diagnosis or deliver changes. They know the model and nothing of the catalog or the engine.

pub mod client;
pub mod evidence;
pub mod json;
pub mod kubernetes;
pub mod layout;
pub mod metrics;
pub mod otlp;
pub mod pace;
mod reasons;
pub mod report;
mod sections;
pub mod tally;
pub mod text;
pub mod words;
