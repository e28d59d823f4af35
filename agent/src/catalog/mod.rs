//! What causes look like: TOML files, checked at load, compiled to matchers. Pure but for reading an overlay directory.

pub mod schema;
