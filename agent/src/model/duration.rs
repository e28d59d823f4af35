//! Durations as the catalog, the configuration and the command line write them.

use super::time::SECOND;

/// Microseconds of `30s`, `5m`, `2h`, `1d` or `200ms`; `None` if it is none of these.
pub fn parse(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().ok()?;
    let unit = match unit {
        "ms" => 1000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => 86_400 * SECOND,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("200ms"), Some(200_000));
        assert_eq!(parse("5m"), Some(300_000_000));
        for bad in ["", "5", "m", "-5m", "5 m", "5w"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
