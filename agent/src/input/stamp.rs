//! Dates and times of log lines to microseconds. Only digits at fixed places: no locale, no zone names but UTC.

/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// A time stamp as a line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    /// Microseconds since the Unix epoch.
    Wall(i64),
    /// A date without a year, and microseconds since midnight.
    Yearless { month: u8, day: u8, micros: i64 },
    /// Microseconds since boot.
    Boot(i64),
}

/// Days since the Unix epoch of a date in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
pub(super) fn days(year: i32, month: u8, day: u8) -> i64 {
    let y = i64::from(year) - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let shifted = (i64::from(month) + 9) % 12;
    let doy = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The year, month and day of a time.
pub(super) fn civil(micros: i64) -> (i32, u8) {
    let z = micros.div_euclid(DAY) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let shifted = (5 * doy + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8)
}

/// A date without a year in a given one.
pub(super) fn in_year(year: i32, month: u8, day: u8, micros: i64) -> i64 {
    days(year, month, day) * DAY + micros
}

/// `count` digits from `at`.
pub(super) fn digits(b: &[u8], at: usize, count: usize) -> Option<i64> {
    let s = b.get(at..at + count)?;
    s.iter()
        .try_fold(0_i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
}

/// A month and day that exist.
pub(super) fn date_ok(month: i64, day: i64) -> Option<(u8, u8)> {
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((month as u8, day as u8))
}

/// `hh:mm:ss[.fraction]` at `at`: microseconds since midnight and where it ends. A comma may stand for the point.
pub(super) fn time_of_day(b: &[u8], at: usize) -> Option<(i64, usize)> {
    let (h, m, s) = (digits(b, at, 2)?, digits(b, at + 3, 2)?, digits(b, at + 6, 2)?);
    if b[at + 2] != b':' || b[at + 5] != b':' || h > 23 || m > 59 || s > 60 {
        return None;
    }
    let (fraction, end) = fraction(b, at + 8);
    Some(((h * 3600 + m * 60 + s) * 1_000_000 + fraction, end))
}

/// `.123456`, of any length, as microseconds.
pub(super) fn fraction(b: &[u8], at: usize) -> (i64, usize) {
    if !matches!(b.get(at), Some(b'.' | b',')) {
        return (0, at);
    }
    let (mut end, mut value, mut scale) = (at + 1, 0, 100_000);
    while let Some(c) = b.get(end).filter(|c| c.is_ascii_digit()) {
        value += i64::from(c - b'0') * scale;
        scale /= 10;
        end += 1;
    }
    (value, end)
}

/// `2026-11-23T12:26:44.481563+01:00` (or a space for `T`): wall time and where it ends. Without a zone it is UTC.
pub(super) fn rfc3339(b: &[u8], at: usize) -> Option<(i64, usize)> {
    let (year, month, day) = (digits(b, at, 4)?, digits(b, at + 5, 2)?, digits(b, at + 8, 2)?);
    if b[at + 4] != b'-' || b[at + 7] != b'-' || !matches!(b.get(at + 10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let (month, day) = date_ok(month, day)?;
    let (micros, end) = time_of_day(b, at + 11)?;
    let (offset, end) = zone(b, end);
    Some((in_year(year as i32, month, day, micros) - offset, end))
}

/// `Z`, `+0100`, `+01:00`: microseconds east of UTC.
fn zone(b: &[u8], at: usize) -> (i64, usize) {
    match b.get(at) {
        Some(b'Z' | b'z') => (0, at + 1),
        Some(sign @ (b'+' | b'-')) => {
            let Some(h) = digits(b, at + 1, 2) else { return (0, at) };
            let colon = usize::from(b.get(at + 3) == Some(&b':'));
            let Some(m) = digits(b, at + 3 + colon, 2) else {
                return (0, at);
            };
            let offset = (h * 3600 + m * 60) * 1_000_000;
            (if *sign == b'-' { -offset } else { offset }, at + 5 + colon)
        }
        _ => (0, at),
    }
}

/// `Nov` at `at`.
pub(super) fn month_name(b: &[u8], at: usize) -> Option<i64> {
    const NAMES: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    let name = b.get(at..at + 3)?;
    NAMES.iter().position(|n| *n == name).map(|i| i as i64 + 1)
}

/// ` 3` or `23` at `at`.
pub(super) fn padded_day(b: &[u8], at: usize) -> Option<i64> {
    if b.get(at) == Some(&b' ') {
        digits(b, at + 1, 1)
    } else {
        digits(b, at, 2)
    }
}

/// Whether `Mon` or another short day stands at `at`.
pub(super) fn is_weekday(b: &[u8], at: usize) -> bool {
    matches!(
        b.get(at..at + 3),
        Some(b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(civil(1_795_386_914_832_370), (2026, 11));
        assert_eq!(
            rfc3339(b"2026-11-22T22:35:14.832370+0000 x", 0),
            Some((1_795_386_914_832_370, 31))
        );
        assert_eq!(
            rfc3339(b"2026-11-22T23:35:14.832370123+01:00", 0).unwrap().0,
            1_795_386_914_832_370
        );
        assert_eq!(rfc3339(b"2026-11-22 22:35:14Z", 0), Some((1_795_386_914_000_000, 20)));
        assert_eq!(rfc3339(b"2026-13-22T22:35:14Z", 0), None);
        assert_eq!(rfc3339(b"2026-11-", 0), None);
    }
}
