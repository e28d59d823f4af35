//! Which exposition format a scraper wants: its `Accept` header (RFC 9110 §12.5.1).

/// Content type of the text format 0.0.4.
pub(super) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Content type of `OpenMetrics` 1.0.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether `OpenMetrics` 1.0 is preferred to the text format. Without a word about either it is not: what reads neither
/// reads the older.
pub(super) fn wants_open_metrics(accept: &str) -> bool {
    let (mut open, mut text) = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1000, None);
        for (name, value) in parts.filter_map(|p| p.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = thousandths(value),
                "version" => version = Some(value),
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if version.is_none_or(|v| v == "1.0.0") => open = open.max(quality),
            "text/plain" | "text/*" => text = text.max(quality),
            _ => {}
        }
    }
    open > 0 && open >= text
}

/// A quality value; what is none wishes for nothing.
fn thousandths(text: &str) -> u32 {
    text.parse::<f32>()
        .ok()
        .filter(|q| (0.0..=1.0).contains(q))
        .map_or(0, |q| (q * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_and_others() {
        // Prometheus 2.42, Prometheus 3, curl, a browser, a client that refuses it.
        for (accept, open) in [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                true,
            ),
            ("*/*", false),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;version=2.0.0", false),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.5", false),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=nan", false),
            ("application/openmetrics-text; version=\"1.0.0\"", true),
        ] {
            assert_eq!(wants_open_metrics(accept), open, "{accept}");
        }
    }
}
