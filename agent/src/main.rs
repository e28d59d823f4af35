//! The `whynotready` binary: hands its arguments, environment and streams to the library.

use std::process::ExitCode;

use whynotready::cli::{io::Io, run};

#[expect(clippy::disallowed_methods, reason = "the environment is read here and passed in")]
fn main() -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    run::run(std::env::args_os(), &env, Io::of_process()).into()
}
