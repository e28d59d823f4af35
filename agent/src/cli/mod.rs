//! The subcommands and their exit codes.
