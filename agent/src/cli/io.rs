//! The streams of a run, as values: tests run the whole command in process.

use std::io::{ErrorKind, IsTerminal, Read, Write};

/// Where a run reads from and writes to.
pub struct Io {
    /// For PATH `-`.
    pub stdin: Option<Box<dyn Read>>,
    /// The answer.
    pub stdout: Box<dyn Write>,
    /// Errors and progress.
    pub stderr: Box<dyn Write>,
    /// The answer goes to a terminal.
    pub stdout_is_terminal: bool,
    /// Errors and progress go to a terminal.
    pub stderr_is_terminal: bool,
    /// Columns of that terminal.
    pub width: Option<usize>,
}

impl Io {
    /// The streams of this process.
    pub fn of_process() -> Self {
        Self {
            stdin: Some(Box::new(std::io::stdin())),
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            width: terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
        }
    }

    /// Writes the answer. A reader that has seen enough (`| head`) is no failure.
    pub(super) fn print(&mut self, text: &str) -> std::io::Result<()> {
        let written = self
            .stdout
            .write_all(text.as_bytes())
            .and_then(|()| self.stdout.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// One message a line, each with the program's name. Nothing can be done where stderr is closed.
    pub(super) fn complain(&mut self, message: &str) {
        for line in message.lines() {
            let _ = writeln!(self.stderr, "whynotready: {line}");
        }
    }
}
