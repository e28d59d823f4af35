//! What stands in front of a line of text, for each form in which people hand logs over. One function a form, all of
//! them total: a line that is not of the form gives `None`.

use super::stamp::{self, Stamp};

/// The forms of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `journalctl -o short-iso` and rsyslog's RFC 3339 form.
    Iso,
    /// `journalctl -o short`, `short-precise` and syslog.
    Short,
    /// `journalctl -o short-full` and `with-unit`.
    Full,
    /// `journalctl -o short-monotonic`.
    Monotonic,
    /// `journalctl -o short-unix`.
    Unix,
    /// `dmesg`.
    Dmesg,
    /// `dmesg -T`.
    DmesgTime,
    /// The kubelet's own log.
    Klog,
    /// The kubelet's own log in JSON.
    KlogJson,
    /// containerd's and `dockerd`'s own log.
    Logrus,
    /// A container's log as the CRI writes it.
    Cri,
    /// Lines without any stamp.
    Plain,
}

impl Format {
    /// Those that have a form, the more particular first.
    pub(super) const ALL: [Format; 11] = [
        Format::Cri,
        Format::Iso,
        Format::Short,
        Format::Full,
        Format::Unix,
        Format::Monotonic,
        Format::Dmesg,
        Format::DmesgTime,
        Format::Klog,
        Format::KlogJson,
        Format::Logrus,
    ];

    /// In words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Format::Iso => "journalctl short-iso",
            Format::Short => "journalctl short or syslog",
            Format::Full => "journalctl short-full",
            Format::Monotonic => "journalctl short-monotonic",
            Format::Unix => "journalctl short-unix",
            Format::Dmesg => "dmesg",
            Format::DmesgTime => "dmesg -T",
            Format::Klog => "kubelet log",
            Format::KlogJson => "kubelet log in JSON",
            Format::Logrus => "container runtime log",
            Format::Cri => "container log (CRI)",
            Format::Plain => "lines without time stamps",
        }
    }

    /// Whether its stamps tell wall time.
    pub(super) const fn timed(self) -> bool {
        !matches!(self, Format::Monotonic | Format::Dmesg | Format::Plain)
    }
}

/// What stands in front of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    pub(super) stamp: Stamp,
    pub(super) host: Option<&'a str>,
    pub(super) ident: Option<&'a str>,
    pub(super) pid: Option<u32>,
    pub(super) rest: &'a str,
}

/// Splits a line of this form.
pub(super) fn split(format: Format, line: &str) -> Option<Prefix<'_>> {
    let b = line.as_bytes();
    match format {
        Format::Iso => {
            let (wall, end) = stamp::rfc3339(b, 0)?;
            with_host(Stamp::Wall(wall), line.get(end..)?)
        }
        Format::Short => {
            let (month, day) = stamp::date_ok(stamp::month_name(b, 0)?, stamp::padded_day(b, 4)?)?;
            let (micros, end) = (b.get(6) == Some(&b' ')).then(|| stamp::time_of_day(b, 7)).flatten()?;
            with_host(Stamp::Yearless { month, day, micros }, line.get(end..)?)
        }
        Format::Full => {
            let (wall, end) = stamp::is_weekday(b, 0).then(|| stamp::rfc3339(b, 4)).flatten()?;
            // the zone's name; a name other than UTC says nothing that can be computed
            let rest = line.get(end..)?.strip_prefix(' ')?;
            let zone = rest.find(' ')?;
            with_host(Stamp::Wall(wall), &rest[zone..])
        }
        Format::Unix => {
            let seconds = stamp::digits(b, 0, 10)?;
            let (micros, end) = (b.get(10) == Some(&b'.')).then(|| stamp::fraction(b, 10))?;
            with_host(Stamp::Wall(seconds * 1_000_000 + micros), line.get(end..)?)
        }
        Format::Monotonic => {
            let (micros, rest) = bracketed(line)?;
            with_host(Stamp::Boot(micros), rest)
        }
        Format::Dmesg => {
            let (micros, rest) = bracketed(line)?;
            Some(kernel(Stamp::Boot(micros), rest.strip_prefix(' ').unwrap_or(rest)))
        }
        Format::DmesgTime => dmesg_time(line),
        Format::Klog => klog(line),
        Format::KlogJson => {
            let at = line.starts_with('{').then(|| line.find("\"ts\":")).flatten()? + 5;
            let number: f64 = line.get(at..)?.split([',', '}']).next()?.trim().parse().ok()?;
            // seconds with a fraction, or milliseconds (component-base before 1.27)
            let seconds = if number > 1e11 { number / 1e3 } else { number };
            (seconds.is_finite() && seconds > 0.0 && seconds < 1e11)
                .then(|| bare(Stamp::Wall((seconds * 1e6) as i64), line))
        }
        Format::Logrus => {
            let at = line.starts_with("time=\"").then_some(6)?;
            Some(bare(Stamp::Wall(stamp::rfc3339(b, at)?.0), line))
        }
        Format::Cri => {
            let (wall, end) = stamp::rfc3339(b, 0)?;
            let rest = line.get(end..)?;
            let rest = rest
                .strip_prefix(" stdout ")
                .or_else(|| rest.strip_prefix(" stderr "))?;
            let (tag, text) = rest.split_once(' ').unwrap_or((rest, ""));
            matches!(tag, "F" | "P").then(|| bare(Stamp::Wall(wall), text))
        }
        Format::Plain => None,
    }
}

fn bare(stamp: Stamp, rest: &str) -> Prefix<'_> {
    Prefix {
        stamp,
        host: None,
        ident: None,
        pid: None,
        rest,
    }
}

fn kernel(stamp: Stamp, rest: &str) -> Prefix<'_> {
    Prefix {
        stamp,
        host: None,
        ident: Some("kernel"),
        pid: None,
        rest,
    }
}

/// `I1122 22:35:14.832370     370 kubelet.go:1] …`: the whole line is the message.
fn klog(line: &str) -> Option<Prefix<'_>> {
    let b = line.as_bytes();
    if !matches!(b.first(), Some(b'I' | b'W' | b'E' | b'F')) || b.get(5) != Some(&b' ') {
        return None;
    }
    let (month, day) = stamp::date_ok(stamp::digits(b, 1, 2)?, stamp::digits(b, 3, 2)?)?;
    let (micros, _) = stamp::time_of_day(b, 6)?;
    Some(bare(Stamp::Yearless { month, day, micros }, line))
}

/// `[   12.345678]`, also `<6>[   12.345678]` and `[   12.345678][ T1]`.
fn bracketed(line: &str) -> Option<(i64, &str)> {
    let line = if line.starts_with('<') {
        line.split_once('>').map_or(line, |(_, rest)| rest)
    } else {
        line
    };
    let (number, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (seconds, _) = number.trim_start().split_once('.')?;
    let whole: i64 = seconds.parse().ok().filter(|s| (0..10_000_000_000).contains(s))?;
    let number = number.trim_start().as_bytes();
    let (micros, end) = stamp::fraction(number, seconds.len());
    (end == number.len()).then_some((whole * 1_000_000 + micros, rest))
}

/// `[Sun Nov 22 22:35:14 2026] …`
fn dmesg_time(line: &str) -> Option<Prefix<'_>> {
    let b = line.as_bytes();
    if b.first() != Some(&b'[') || !stamp::is_weekday(b, 1) {
        return None;
    }
    let (month, day) = stamp::date_ok(stamp::month_name(b, 5)?, stamp::padded_day(b, 9)?)?;
    let (micros, end) = stamp::time_of_day(b, 12)?;
    let year = stamp::digits(b, end + 1, 4)?;
    let rest = line.get(end + 5..)?.strip_prefix(']')?;
    Some(kernel(
        Stamp::Wall(stamp::in_year(year as i32, month, day, micros)),
        rest.strip_prefix(' ').unwrap_or(rest),
    ))
}

/// ` host ident[pid]: message`.
fn with_host(stamp: Stamp, rest: &str) -> Option<Prefix<'_>> {
    let rest = rest.strip_prefix(' ')?;
    let (host, rest) = rest.split_once(' ')?;
    let (head, text) = match rest.split_once(": ") {
        Some(split) => split,
        None => (rest.strip_suffix(':')?, ""),
    };
    // an identifier has no blank unless it ends in a pid ("rke2 agent[12]")
    if host.is_empty() || (head.contains(' ') && !head.ends_with(']')) {
        return None;
    }
    let (ident, pid) = match head.strip_suffix(']').and_then(|h| h.rsplit_once('[')) {
        Some((ident, pid)) => (ident, pid.parse().ok()),
        None => (head, None),
    };
    let ident = ident
        .strip_suffix(".service")
        .unwrap_or(if ident == "init.scope" { "systemd" } else { ident });
    Some(Prefix {
        stamp,
        host: Some(host),
        ident: Some(ident),
        pid,
        rest: text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(format: Format, line: &str) -> (Stamp, Option<&str>, Option<u32>, &str) {
        let p = split(format, line).unwrap_or_else(|| panic!("{format:?}: {line}"));
        (p.stamp, p.ident, p.pid, p.rest)
    }

    #[test]
    fn every_form() {
        let text = "kubelet.service: Deactivated successfully.";
        let wall = Stamp::Wall(1_795_386_914_832_370);
        let second = Stamp::Wall(1_795_386_914_000_000);
        let yearless = Stamp::Yearless {
            month: 11,
            day: 22,
            micros: 81_314_832_370,
        };
        let pid1 = (Some("systemd"), Some(1), text);
        let with = |stamp| (stamp, pid1.0, pid1.1, pid1.2);
        assert_eq!(
            said(
                Format::Iso,
                &format!("2026-11-22T22:35:14.832370+0000 node1 systemd[1]: {text}")
            ),
            with(wall)
        );
        assert_eq!(
            said(
                Format::Iso,
                &format!("2026-11-22T22:35:14+00:00 node1 systemd[1]: {text}")
            ),
            with(second)
        );
        assert_eq!(
            said(
                Format::Short,
                &format!("Nov 22 22:35:14.832370 node1 systemd[1]: {text}")
            ),
            with(yearless)
        );
        assert_eq!(
            said(
                Format::Full,
                &format!("Sun 2026-11-22 22:35:14 UTC node1 init.scope[1]: {text}")
            ),
            with(second)
        );
        assert_eq!(
            said(Format::Unix, &format!("1795386914.832370 node1 systemd[1]: {text}")),
            with(wall)
        );
        assert_eq!(
            said(Format::Monotonic, &format!("[  152.354862] node1 systemd[1]: {text}")),
            with(Stamp::Boot(152_354_862))
        );
        assert_eq!(
            said(Format::Dmesg, "[    0.000000] Linux version 6.1.0"),
            (Stamp::Boot(0), Some("kernel"), None, "Linux version 6.1.0")
        );
        assert_eq!(
            said(Format::DmesgTime, "[Sun Nov 22 22:35:14 2026] EXT4-fs (vda): x"),
            (second, Some("kernel"), None, "EXT4-fs (vda): x")
        );
        let klog = "E1122 22:35:14.832370     370 controller.go:145] \"Failed to ensure lease exists, will retry\"";
        assert_eq!(said(Format::Klog, klog), (yearless, None, None, klog));
        assert_eq!(
            said(Format::Cri, &format!("2026-11-22T22:35:14.832370123Z stderr F {klog}")),
            (wall, None, None, klog)
        );
        let json = r#"{"ts":1795386914832.370,"caller":"kubelet.go:1","msg":"Starting"}"#;
        assert_eq!(said(Format::KlogJson, json), (wall, None, None, json));
        let logrus = r#"time="2026-11-22T22:35:14.832370Z" level=info msg="starting containerd""#;
        assert_eq!(said(Format::Logrus, logrus), (wall, None, None, logrus));
    }

    #[test]
    fn near_misses() {
        assert_eq!(split(Format::Short, "Nov 22 node1 systemd[1]: x"), None);
        assert_eq!(split(Format::Klog, "E1322 22:35:14.832370     370 x.go:1] y"), None);
        assert_eq!(split(Format::Dmesg, "[error] no time"), None);
        assert_eq!(split(Format::Iso, "2026-11-22T22:35:14Z message without a host"), None);
        assert_eq!(split(Format::Unix, "1795386914 x y: z"), None);
    }
}
