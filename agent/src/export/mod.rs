//! Sinks: they render a diagnosis. They know the model and nothing of the catalog or the engine.

pub mod json;
pub mod layout;
mod sections;
pub mod text;
