//! The command line, in process: exit codes, errors, pages, every kind of input, and every output against the schema.

mod call;
mod commands;
mod diagnose;
mod inputs;
mod overlay;
mod readme;
mod reports;
