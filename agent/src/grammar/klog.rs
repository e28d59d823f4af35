//! The klog header: `E0512 10:51:26.246379     371 controller.go:260] `.

use super::line::{HeaderTime, Level};

/// A header and what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) level: Level,
    pub(super) time: HeaderTime,
    pub(super) pid: Option<u32>,
    /// Name of the Go file, without the line.
    pub(super) file: &'a str,
    pub(super) rest: &'a str,
}

/// Reads a header at the start of `text`. The severity letter may be cut off (field logs are), then the level is unknown
/// and counts as information.
pub(super) fn header(text: &str) -> Option<Header<'_>> {
    let bytes = text.as_bytes();
    let (level, at) = match bytes.first()? {
        b'I' => (Level::Info, 1),
        b'W' => (Level::Warning, 1),
        b'E' => (Level::Error, 1),
        b'F' => (Level::Fatal, 1),
        b'0'..=b'1' => (Level::Info, 0),
        _ => return None,
    };
    let month = two(bytes, at)?;
    let day = two(bytes, at + 2)?;
    if bytes.get(at + 4) != Some(&b' ') || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (micros, end) = clock(bytes, at + 5)?;
    let rest = text.get(end..)?.trim_start_matches(' ');
    let pid_end = rest.bytes().position(|b| !b.is_ascii_digit())?;
    let pid = rest[..pid_end].parse().ok();
    let rest = rest[pid_end..].trim_start_matches(' ');
    let close = rest.bytes().take(200).position(|b| b == b']')?;
    let place = rest.get(..close)?;
    let (file, line) = place.rsplit_once(':')?;
    if file.is_empty() || !line.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let rest = rest[close + 1..].trim_start_matches(' ');
    let time = HeaderTime::Klog {
        month: month as u8,
        day: day as u8,
        micros,
    };
    Some(Header {
        level,
        time,
        pid,
        file,
        rest,
    })
}

/// Whether `text` begins like a header, for embeddings.
pub(super) fn looks_like(text: &str) -> bool {
    let b = text.as_bytes();
    matches!(b.first(), Some(b'I' | b'W' | b'E' | b'F'))
        && two(b, 1).is_some()
        && two(b, 3).is_some()
        && b.get(5) == Some(&b' ')
}

fn clock(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let (h, m, s) = (two(bytes, at)?, two(bytes, at + 3)?, two(bytes, at + 6)?);
    if bytes.get(at + 2) != Some(&b':') || bytes.get(at + 5) != Some(&b':') || h > 23 || m > 59 || s > 60 {
        return None;
    }
    let mut micros = (h * 3600 + m * 60 + s) * 1_000_000;
    let mut end = at + 8;
    if bytes.get(end) == Some(&b'.') {
        end += 1;
        let mut unit = 100_000;
        while let Some(d) = bytes.get(end).filter(|d| d.is_ascii_digit()) {
            micros += i64::from(d - b'0') * unit;
            unit /= 10;
            end += 1;
        }
    }
    Some((micros, end))
}

fn two(bytes: &[u8], at: usize) -> Option<i64> {
    let (a, b) = (*bytes.get(at)?, *bytes.get(at + 1)?);
    (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header() {
        let h = header("E1123 10:51:26.246379     371 controller.go:260] \"Failed\"").unwrap();
        assert_eq!(
            (h.level, h.pid, h.file, h.rest),
            (Level::Error, Some(371), "controller.go", "\"Failed\"")
        );
        assert_eq!(
            h.time,
            HeaderTime::Klog {
                month: 11,
                day: 23,
                micros: 39_086_246_379
            }
        );
        assert!(header("Error: unknown flag: --x").is_none());
        assert!(header("E1123 10:51:26.2").is_none());
        assert_eq!(
            header("1205 03:58:34.355341    1929 service.go:129] x").unwrap().level,
            Level::Info
        );
    }
}
