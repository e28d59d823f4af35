//! The progress line: on a terminal only, and only where the input is long enough to be waited for.

use std::io::Write;

use crate::input::Progress;

/// Input below this is read before a line could be read.
const LONG: u64 = 32 << 20;
/// Between two updates.
const STEP: u64 = 8 << 20;

/// Writes the line over itself.
pub struct Line<'a> {
    out: &'a mut dyn Write,
    shown_at: u64,
    shown: bool,
    on: bool,
}

impl<'a> Line<'a> {
    /// Silent unless `on`.
    pub fn new(out: &'a mut dyn Write, on: bool) -> Self {
        Self {
            out,
            shown_at: 0,
            shown: false,
            on,
        }
    }

    /// Says how far it is.
    pub fn show(&mut self, progress: &Progress) {
        if !self.on || progress.bytes_done < LONG || progress.bytes_done - self.shown_at < STEP {
            return;
        }
        self.shown_at = progress.bytes_done;
        self.shown = true;
        let mib = progress.bytes_done >> 20;
        let _ = match Some(progress.bytes_total).filter(|t| *t > 0) {
            Some(total) => {
                let percent = progress.bytes_done.min(total) * 100 / total;
                write!(self.out, "\rreading: {mib} of {} MiB, {percent} %\x1b[K", total >> 20)
            }
            None => write!(self.out, "\rreading: {mib} MiB\x1b[K"),
        };
        let _ = self.out.flush();
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(self.out, "\r\x1b[K");
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_input_and_no_terminal_are_silent() {
        for (on, bytes, wanted) in [(true, LONG - 1, false), (false, LONG, false), (true, LONG, true)] {
            let mut out = Vec::new();
            Line::new(&mut out, on).show(&Progress {
                bytes_done: bytes,
                bytes_total: 2 * LONG,
                ..Progress::default()
            });
            assert_eq!(!out.is_empty(), wanted, "{on} {bytes}");
        }
    }
}
