//! The engine: inputs in, steps out; no clock, no I/O.
