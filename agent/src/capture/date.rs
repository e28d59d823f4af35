//! What `date` printed: the moment of a capture, by the node's clock.

use crate::model::time::Timestamp;

/// A line with a date is not longer.
const LONGEST: usize = 80;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The moment, where the text is one line with a date and a time: RFC 3339, or date(1)'s own forms. A zone that is neither
/// UTC nor an offset is taken as UTC: the logs beside it are read in the same way.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let line = text.trim();
    if line.len() > LONGEST || line.lines().count() != 1 {
        return None;
    }
    if let Ok(at) = line.parse::<jiff::Timestamp>() {
        return Some(Timestamp(at.as_microsecond()));
    }
    if let Ok(civil) = line.parse::<jiff::civil::DateTime>()
        && line.contains(':')
    {
        let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        return Some(Timestamp(at.timestamp().as_microsecond()));
    }
    // `Wed Nov 25 15:29:43 UTC 2026`, `Wed 25 Nov 2026 03:29:43 PM UTC`
    let words: Vec<&str> = line.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let month = words.iter().find_map(|w| {
        MONTHS
            .iter()
            .position(|m| w.get(..3) == Some(m))
            .filter(|_| w.len() <= 9)
    })?;
    let clock = words.iter().find(|w| w.matches(':').count() == 2)?;
    let mut numbers = clock.split(':').map(|n| n.parse::<i8>().ok());
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let half = |name: &str| words.iter().any(|w| w.eq_ignore_ascii_case(name));
    let hour = match (half("AM"), half("PM")) {
        (true, _) => hour % 12,
        (_, true) => hour % 12 + 12,
        _ => hour,
    };
    let year = words.iter().find(|w| w.len() == 4)?.parse::<i16>().ok()?;
    let day = words.iter().find(|w| w.len() <= 2)?.parse::<i8>().ok()?;
    let civil = jiff::civil::DateTime::new(year, month as i8 + 1, day, hour, minute, second, 0).ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(at.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_moment() {
        let at = Some(Timestamp(1_795_620_583_000_000));
        for text in [
            "2026-11-25T15:29:43Z\n",
            "2026-11-25T16:29:43+01:00",
            "2026-11-25 15:29:43",
            "Wed Nov 25 15:29:43 UTC 2026",
            "Wed 25 Nov 2026 03:29:43 PM UTC",
            "Wed Nov 25 03:29:43 PM UTC 2026\n",
        ] {
            assert_eq!(parse(text), at, "{text}");
        }
        assert_eq!(parse("Wed Nov  5 00:00:00 CET 2026").map(|t| t.0 % 1_000_000), Some(0));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "ok",
            "Nov 25 15:29:43 node1 kubelet[1]: x\nNov",
            "2026-11-25",
            "Mon Foo 1 1:2:3 2026",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
