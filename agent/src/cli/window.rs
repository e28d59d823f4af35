//! `--since` and `--until`: absolute times, or a while before the end of the record.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::duration;
use crate::model::time::Timestamp;

/// One end of the time asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// This time.
    At(Timestamp),
    /// This many microseconds before the record ends.
    BeforeEnd(i64),
}

impl Bound {
    /// Reads one; the error says what would be right.
    pub fn parse(flag: &str, text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{flag}: {text:?} is no time; give RFC 3339 (2026-11-23T11:02:01Z), \"2026-11-23 11:02[:01]\" in UTC, \
                 or 30m, 2h, 1d before the end of the record"
            )
        };
        let text = text.trim();
        if let Some(micros) = duration::parse(text) {
            return Ok(Self::BeforeEnd(micros));
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Timestamp(time.as_microsecond())));
        }
        // A date without a time of day would be read as midnight, a time of day without a date has no day: both are asked for again.
        if !text.contains(':') || !text.contains('-') {
            return Err(wrong());
        }
        let civil: DateTime = text.parse().map_err(|_| wrong())?;
        let zoned = civil.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        Ok(Self::At(Timestamp(zoned.timestamp().as_microsecond())))
    }

    /// The time it means, in a record that ends at `end`.
    pub fn resolve(self, end: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::BeforeEnd(micros) => Timestamp(end.0.saturating_sub(micros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::SECOND;

    #[test]
    fn every_form_is_read() {
        let at = |s: &str| Bound::parse("--since", s);
        let noon = Bound::At(Timestamp(1_795_431_600 * SECOND));
        assert_eq!(at("2026-11-23T11:00:00Z"), Ok(noon));
        assert_eq!(at("2026-11-23T12:00:00+01:00"), Ok(noon));
        assert_eq!(at("2026-11-23 11:00"), Ok(noon));
        assert_eq!(at("2026-11-23 11:00:00"), Ok(noon));
        assert_eq!(at("30m"), Ok(Bound::BeforeEnd(1800 * SECOND)));
        assert_eq!(at("2h"), Ok(Bound::BeforeEnd(7200 * SECOND)));
    }

    #[test]
    fn what_has_no_day_or_no_time_is_refused() {
        for text in [
            "11:00",
            "2026-11-23",
            "yesterday",
            "-5m",
            "m",
            "",
            "99999999999999d",
            "2026-13-01 00:00",
        ] {
            let message = Bound::parse("--until", text).unwrap_err();
            assert!(message.starts_with("--until: "), "{message}");
        }
    }
}
