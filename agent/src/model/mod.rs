//! The vocabulary that the parts share: plain data, serializable, without behaviour but its invariants.

pub mod change;
pub mod diagnosis;
pub mod episode;
pub mod finding;
pub mod input;
pub mod time;
