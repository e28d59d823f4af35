//! Support for the integration tests.

pub mod board;
pub mod corpus;
pub mod diagnoses;
pub mod run;
pub mod score;
pub mod source;
