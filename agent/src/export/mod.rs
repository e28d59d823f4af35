//! Sinks: they render a diagnosis. They know the model and nothing of the catalog or the engine.

mod evidence;
pub mod json;
pub mod layout;
pub mod metrics;
mod reasons;
mod sections;
pub mod text;
