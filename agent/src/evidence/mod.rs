//! From observations to three-valued signals: what was seen, how often, when, and whether its absence means anything.
//! Pure.

pub mod detector;
pub mod sight;
pub mod track;
