//! Wall time and the record's own time line.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

/// Wall time: microseconds since the Unix epoch, UTC. For people, `--since` and comparison with certificates; never for
/// order, because a clock may be stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// RFC 3339 in UTC with microseconds, as JSON has it.
    pub fn rfc3339(self) -> String {
        self.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    }

    /// `hh:mm:ss` UTC.
    pub fn clock(self) -> String {
        self.strftime("%H:%M:%S")
    }

    /// `hh:mm:ss.mmm` UTC.
    pub fn clock_millis(self) -> String {
        self.strftime("%H:%M:%S%.3f")
    }

    /// `YYYY-MM-DD` UTC.
    pub fn date(self) -> String {
        self.strftime("%Y-%m-%d")
    }

    /// `YYYYMMDDThhmmss.mmmZ`: part of ids.
    pub fn compact(self) -> String {
        self.strftime("%Y%m%dT%H%M%S%.3fZ")
    }

    fn strftime(self, format: &str) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map_or_else(|_| format!("@{}", self.0), |t| t.strftime(format).to_string())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(parsed.as_microsecond()))
    }
}

/// A moment on the record's own time line. Order and intervals are `t`: it follows boot-relative time within a boot and
/// never goes back, whatever the wall clock does. Where the input has no boot-relative time, it follows wall time or,
/// without any, the order of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Microseconds; only differences mean something.
    pub t: i64,
    /// What the wall clock said then.
    pub wall: Timestamp,
}

/// An interval that holds an onset: from the last moment known good to the first evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onset {
    /// The last moment known good; `None` where the record does not reach back to one.
    pub earliest: Option<Timestamp>,
    /// The first evidence.
    pub latest: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_microseconds_and_reads_back() {
        let t = Timestamp(1_795_432_004_481_563);
        let json = serde_json::to_string(&t).unwrap();
        assert_eq!(json, "\"2026-11-23T11:06:44.481563Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), t);
    }
}
