//! The command line, in process: exit codes, errors, pages, and every output against the schema.

mod commands;
mod reports;
