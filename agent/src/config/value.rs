//! Values as people write them: durations, sizes, addresses, switches. Each error says what would be right.

use std::net::SocketAddr;
use std::time::Duration;

/// `true`, `false`, and the forms that environments use.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("expected true or false, found {text:?}")),
    }
}

/// `200ms`, `30s`, `5m`, `2h`, `1d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a duration such as 30s, 5m or 2h, found {text:?}");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

/// `4096`, `64KiB`, `16MiB`, `1GiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a size such as 16MiB, found {text:?}");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "Ki" => 1 << 10,
        "MiB" | "Mi" => 1 << 20,
        "GiB" | "Gi" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// `0.0.0.0:10950`, `[::]:10950`.
pub fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("expected address:port such as 0.0.0.0:10950, found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_what_is_none() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(switch("On"), Ok(true));
        for bad in ["", "s", "10", "-1s", "1w", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "MiB", "1MB", "-1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(switch("maybe").unwrap_err().contains("maybe"));
        assert!(socket("10950").unwrap_err().contains("address:port"));
    }
}
