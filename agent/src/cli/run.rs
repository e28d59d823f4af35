//! From arguments to an exit code.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use super::args::{Cli, Command};
use super::exit::Exit;
use super::io::Io;
use super::{analyze, causes, config, daemon, diagnose, explain, replay, status};
use crate::catalog::load::Catalog;
use crate::export::json;

/// What went wrong, with the exit code that says so. Messages hold one fault a line.
pub(super) enum Failure {
    /// Called wrongly.
    Usage(String),
    /// The tool failed.
    Tool(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Tool(format!("cannot write the answer: {error}"))
    }
}

/// Runs the command line `args` (the program's name first).
pub fn run(args: impl IntoIterator<Item = OsString>, env: &dyn Fn(&str) -> Option<String>, mut io: Io) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &mut io),
    };
    let done = match &cli.command {
        Command::Analyze(args) => analyze::run(args, env, &mut io),
        Command::Run(args) => daemon::run(args, env),
        Command::Diagnose(args) => diagnose::run(args, env, &mut io),
        Command::Replay(args) => replay::run(args, env, &mut io),
        Command::Explain(args) => explain::run(args, &mut io),
        Command::Causes(args) => causes::run(args, &mut io),
        Command::Status(args) => status::run(args, env, &mut io),
        Command::Config(command) => config::run(command, env, &mut io),
        Command::Schema => io.print(json::SCHEMA).map(|()| Exit::Ok).map_err(Failure::from),
    };
    match done {
        Ok(exit) => exit,
        Err(Failure::Usage(message)) => {
            io.complain(&message);
            Exit::Usage
        }
        Err(Failure::Tool(message)) => {
            io.complain(&message);
            Exit::Failed
        }
    }
}

/// The built-in catalog, with `overlay` over it.
pub(super) fn catalog(overlay: Option<&Path>) -> Result<Catalog, Failure> {
    Catalog::load(overlay).map_err(|faults| Failure::Tool(faults.to_string()))
}

fn not_parsed(error: &clap::Error, io: &mut Io) -> Exit {
    let text = error.render().to_string();
    if error.use_stderr() {
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let _ = write!(io.stderr, "whynotready: {text}");
        return Exit::Usage;
    }
    match io.print(&text) {
        Ok(()) => Exit::Ok,
        Err(_) => Exit::Failed,
    }
}
