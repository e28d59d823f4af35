//! What a file is, by its first bytes and lines; never by its name.

use super::format::{self, Format};

/// How much of a file is looked at.
pub(super) const HEAD: usize = 64 * 1024;
/// How many of its lines.
const LINES: usize = 2000;

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A journal file.
    Journal,
    /// `journalctl -o export`.
    Export,
    /// `journalctl -o json`.
    Json,
    /// Docker's json-file.
    Docker,
    /// Text.
    Text(Format),
}

impl Kind {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Kind::Journal => "journal",
            Kind::Export => "journal export",
            Kind::Json => "journalctl json",
            Kind::Docker => "container log (Docker)",
            Kind::Text(format) => format.words(),
        }
    }

    pub(super) const fn timed(self) -> bool {
        match self {
            Kind::Text(format) => format.timed(),
            _ => true,
        }
    }
}

/// What the head of a file says. `named`: the command line names the file, so one line of a form is enough, and lines
/// without any stamp are text to be looked at; otherwise half of its lines must be of the form.
pub(super) fn detect(head: &[u8], named: bool) -> Option<Kind> {
    if head.starts_with(b"LPKSHHRH") {
        return Some(Kind::Journal);
    }
    let text = String::from_utf8_lossy(head);
    let first = text.lines().find(|l| !l.trim().is_empty())?;
    if first.starts_with('{') {
        let has = |key: &str| first.contains(key);
        if has("\"__REALTIME_TIMESTAMP\"") || has("\"__CURSOR\"") || (has("\"MESSAGE\"") && has("\"_BOOT_ID\"")) {
            return Some(Kind::Json);
        }
        if has("\"log\":") && has("\"time\":") {
            return Some(Kind::Docker);
        }
    }
    if is_export(&text, first) {
        return Some(Kind::Export);
    }
    let (format, hits, lines) = best(&text);
    if hits > 0 && (named || hits * 2 >= lines) {
        return Some(Kind::Text(format));
    }
    (named && !is_binary(head)).then_some(Kind::Text(Format::Plain))
}

fn is_export(text: &str, first: &str) -> bool {
    let name = first.split('=').next().unwrap_or(first);
    let field = !name.is_empty()
        && name
            .bytes()
            .all(|c| c == b'_' || c.is_ascii_uppercase() || c.is_ascii_digit());
    field && (text.starts_with("__REALTIME_TIMESTAMP=") || text.contains("\n__REALTIME_TIMESTAMP="))
}

/// The form that most lines have, how many have it, and of how many. Indented lines belong to those before them.
fn best(text: &str) -> (Format, usize, usize) {
    let sample = || {
        text.lines()
            .map(clean)
            .filter(|l| !l.is_empty() && !l.starts_with([' ', '\t']))
            .take(LINES)
    };
    let mut best = (Format::Plain, 0);
    for format in Format::ALL {
        let hits = sample().filter(|l| format::split(format, l).is_some()).count();
        if hits > best.1 {
            best = (format, hits);
        }
    }
    // "[1.0] usb 1-1: new device" and "[1.0] node1 systemd[1]: x": a host is the same in all lines
    if best.0 == Format::Monotonic || best.0 == Format::Dmesg {
        let mut hosts = sample().filter_map(|l| format::split(Format::Monotonic, l));
        let host = hosts.next().and_then(|p| p.host);
        let same = host.is_some() && hosts.all(|p| p.host == host);
        let dmesg = sample().filter(|l| format::split(Format::Dmesg, l).is_some()).count();
        let typical = sample()
            .any(|l| format::split(Format::Monotonic, l).is_some_and(|p| p.pid.is_some() || p.ident == Some("kernel")));
        best = if same && typical {
            (Format::Monotonic, dmesg)
        } else {
            (Format::Dmesg, dmesg)
        };
    }
    (best.0, best.1, sample().count())
}

/// A line without the NUL bytes that a crash leaves in front of it.
pub(super) fn clean(line: &str) -> &str {
    line.trim_start_matches(['\0', '\u{feff}']).trim_end_matches('\r')
}

/// Mostly not text: control bytes or broken UTF-8.
fn is_binary(head: &[u8]) -> bool {
    let odd = head
        .iter()
        .filter(|c| **c < 32 && !matches!(c, b'\t' | b'\n' | b'\r' | 0x1b))
        .count();
    let broken = String::from_utf8_lossy(head)
        .chars()
        .filter(|c| *c == '\u{fffd}')
        .count();
    odd * 20 > head.len() || broken * 10 > head.len()
}

/// What a named file should have been.
pub(super) const EXPECTED: &str = "a journal file, journalctl output (short, json or export), a kubelet, syslog, dmesg or container log, \
     plain or packed with gzip, xz or zstd";
