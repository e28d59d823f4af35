//! The agent as a process of its own, for tests that signal and kill it.

use std::process::ExitCode;

use whynotready::cli::{io::Io, run};

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read here and passed in, as in the agent's own main"
)]
fn main() -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    run::run(std::env::args_os(), &env, Io::of_process()).into()
}
