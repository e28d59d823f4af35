//! A kubelet's line inside another one: k3s and RKE2's logrus, Docker's JSON, syslog prefixes, Talos and klog JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::klog;
use super::kv;
use super::line::{HeaderTime, Level};
use super::scan::head;

/// Longest JSON that is read; a longer line is no statement of the kubelet.
const LONGEST_JSON: usize = 256 * 1024;

/// A statement without its wrapping.
#[derive(Debug)]
pub(super) struct Bare<'a> {
    pub(super) level: Level,
    pub(super) time: Option<HeaderTime>,
    pub(super) pid: Option<u32>,
    pub(super) file: Cow<'a, str>,
    /// Message and pairs, still in klog's form.
    pub(super) rest: Cow<'a, str>,
    /// Whether a header of any form was there.
    pub(super) headed: bool,
}

/// Removes wrappings and the header.
pub(super) fn bare(text: &str) -> Bare<'_> {
    if let Some(h) = klog::header(text) {
        return headed(h);
    }
    let mut text: Cow<'_, str> = Cow::Borrowed(text);
    for _ in 0..4 {
        let Some(inner) = unwrap(&text) else { break };
        text = Cow::Owned(inner);
    }
    match text {
        Cow::Borrowed(text) => json(text).unwrap_or_else(|| plain(Cow::Borrowed(text))),
        Cow::Owned(text) => {
            if let Some(h) = klog::header(&text) {
                let h = headed(h);
                let (file, rest) = (h.file.into_owned(), h.rest.into_owned());
                return Bare {
                    file: file.into(),
                    rest: rest.into(),
                    ..h
                };
            }
            json(&text).unwrap_or_else(|| plain(Cow::Owned(text)))
        }
    }
}

fn headed(h: klog::Header<'_>) -> Bare<'_> {
    let (file, rest) = (Cow::Borrowed(h.file), Cow::Borrowed(h.rest));
    Bare {
        level: h.level,
        time: Some(h.time),
        pid: h.pid,
        file,
        rest,
        headed: true,
    }
}

fn plain(rest: Cow<'_, str>) -> Bare<'_> {
    Bare {
        level: Level::Info,
        time: None,
        pid: None,
        file: Cow::Borrowed(""),
        rest,
        headed: false,
    }
}

/// One wrapping less, or `None` where there is none.
fn unwrap(text: &str) -> Option<String> {
    if text.starts_with("{\"log\":\"") && text.len() < LONGEST_JSON {
        let value: serde_json::Value = serde_json::from_str(text.trim_end()).ok()?;
        return Some(value.get("log")?.as_str()?.trim_end().to_owned());
    }
    if let Some(at) = text.find("msg=\"").filter(|at| *at < 400) {
        let (message, rest) = kv::quoted(&text[at + 4..]);
        if klog::looks_like(&message) || rest.contains("component=kubelet") {
            return Some(message.into_owned());
        }
        return None;
    }
    let start = head(text, 160);
    let at = start
        .find("]: ")
        .map(|at| at + 3)
        .or_else(|| start.find(": ").map(|at| at + 2))?;
    (klog::looks_like(&text[at..]) || text[at..].starts_with("{\"ts\":")).then(|| text[at..].to_owned())
}

/// `{"ts":1795…,"caller":"kubelet/kubelet.go:12","msg":"…","v":0,"err":"…"}`: klog's JSON and Talos's. Errors have no `v`.
fn json(text: &str) -> Option<Bare<'static>> {
    if !text.starts_with('{') || !text.contains("\"msg\"") || text.len() > LONGEST_JSON {
        return None;
    }
    let value: serde_json::Value = serde_json::from_str(text.trim_end()).ok()?;
    let object = value.as_object()?;
    let message = object.get("msg")?.as_str()?;
    let mut rest = format!("{message:?}");
    for (key, value) in object {
        if !matches!(key.as_str(), "ts" | "caller" | "msg" | "v" | "logger") {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(rest, " {key}={text:?}");
        }
    }
    let caller = object.get("caller").and_then(|c| c.as_str()).unwrap_or("");
    let file = caller.rsplit_once(':').map_or(caller, |(file, _)| file);
    let file = file.rsplit('/').next().unwrap_or(file).to_owned();
    let level = if object.contains_key("err") || !object.contains_key("v") {
        Level::Error
    } else {
        Level::Info
    };
    let time = object
        .get("ts")
        .and_then(serde_json::Value::as_f64)
        .map(|ts| HeaderTime::Unix((ts * 1000.0) as i64));
    Some(Bare {
        level,
        time,
        pid: None,
        file: file.into(),
        rest: rest.into(),
        headed: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappings() {
        for text in [
            r#"E0512 10:00:00.000001    9 kubelet.go:1] "x" err="a \"b\"""#,
            r#"time="2024-01-01T00:00:00Z" level=info msg="E0512 10:00:00.000001    9 kubelet.go:1] \"x\" err=\"a \\\"b\\\"\"" component=kubelet"#,
            r#"k3s[1533]: E0512 10:00:00.000001    9 kubelet.go:1] "x" err="a \"b\"""#,
            r#"{"log":"E0512 10:00:00.000001    9 kubelet.go:1] \"x\" err=\"a \\\"b\\\"\"\n","stream":"stderr"}"#,
            r#"{"ts":1795000000000.5,"caller":"kubelet/kubelet.go:1","msg":"x","err":"a \"b\""}"#,
        ] {
            let b = bare(text);
            assert!(b.headed, "{text}");
            assert_eq!((b.level, &*b.file), (Level::Error, "kubelet.go"), "{text}");
            assert_eq!(b.rest, r#""x" err="a \"b\"""#, "{text}");
        }
        assert!(!bare("{\"ts\":").headed);
        assert!(!bare("é: ]: x").headed);
    }
}
