//! Support for the integration tests.

pub mod board;
pub mod corpus;
pub mod run;
pub mod score;
