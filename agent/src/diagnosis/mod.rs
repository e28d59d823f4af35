//! The reasoning: is an effect present, which causes are asserted, which of them explains it. Pure and deterministic.

pub mod assess;
pub mod boots;
pub mod effect;
pub mod engine;
pub mod episodes;
pub mod finding;
pub mod readiness;
pub mod roles;
pub mod seen;
pub mod verdict;
