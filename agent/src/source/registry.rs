//! Every source, in the order in which their evidence is shown.

use super::look::Sampler;

/// All samplers.
pub fn samplers() -> Vec<Box<dyn Sampler>> {
    Vec::new()
}
