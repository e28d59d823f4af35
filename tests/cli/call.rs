//! Runs the command line in this process.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use whynotready::cli::exit::Exit;
use whynotready::cli::io::Io;
use whynotready::cli::run::run;

#[derive(Clone, Default)]
pub(crate) struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes nothing.
pub(crate) struct Refuses(pub(crate) io::ErrorKind);

impl Write for Refuses {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn io(stdin: &[u8], stdout: Box<dyn Write>, stderr: Sink) -> Io {
    Io {
        stdin: Some(Box::new(io::Cursor::new(stdin.to_vec()))),
        stdout,
        stderr: Box::new(stderr),
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        width: None,
    }
}

/// Exit code, standard output and standard error.
pub(crate) fn called(args: &[&str]) -> (Exit, String, String) {
    called_with(b"", args)
}

/// As [`called`], with this on standard input.
pub(crate) fn called_with(stdin: &[u8], args: &[&str]) -> (Exit, String, String) {
    let (out, err) = (Sink::default(), Sink::default());
    let args = std::iter::once("whynotready")
        .chain(args.iter().copied())
        .map(Into::into);
    let exit = run(args, &|_| None, io(stdin, Box::new(out.clone()), err.clone()));
    let text = |sink: &Sink| String::from_utf8(sink.0.borrow().clone()).expect("UTF-8");
    (exit, text(&out), text(&err))
}
