//! What causes look like: TOML files, checked at load, compiled to matchers. Pure but for reading an overlay directory.

pub mod compile;
pub mod graph;
pub mod listing;
pub mod load;
pub mod matcher;
pub mod schema;
mod sieve;
pub mod validate;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
}
