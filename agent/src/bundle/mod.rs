//! Incident bundles: everything that the engine saw, so that the same diagnosis can be made again elsewhere.
//!
//! A bundle is gzip over JSON lines: a head with the version, one line for each input, a foot with what is known of the
//! node and how many inputs there are. Secrets were taken out when the inputs were made; nothing is redacted here.

pub mod read;
pub mod write;

use serde::{Deserialize, Serialize};

/// The version that is written. A reader takes the same major version.
pub const VERSION: &str = "1.0";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`VERSION`].
    pub whynotready_bundle: String,
    /// The program's version.
    pub agent: String,
}

/// The last line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foot {
    /// The node.
    pub node: Option<String>,
    /// Its boot, 32 hex digits.
    pub boot_id: Option<String>,
    /// The engine was told that the node went NotReady.
    pub premise: bool,
    /// How many inputs there are.
    pub inputs: u64,
}
