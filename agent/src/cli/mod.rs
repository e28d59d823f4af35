//! The command line: one file a subcommand, exit codes in one place. Renders nothing itself but the catalog's pages.

pub mod analyze;
pub mod args;
pub mod causes;
pub mod config;
pub mod daemon;
pub mod diagnose;
pub mod exit;
pub mod explain;
pub mod io;
pub mod progress;
pub mod replay;
pub mod report;
pub mod run;
pub mod settings;
pub mod status;
pub mod window;
