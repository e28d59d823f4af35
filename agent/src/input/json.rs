//! One JSON object a line: `journalctl -o json` and Docker's json-file.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::export::Fields;
use super::lines::MAX_LINE;
use super::stamp;

/// The longest line: a message of the longest kept length as an array of numbers.
pub(super) const MAX_JSON: usize = 1 << 20;

/// Reads one object into `fields`; `false` if it is none.
pub(super) fn entry(line: &[u8], fields: &mut Fields) -> bool {
    fields.clear();
    let mut reader = serde_json::Deserializer::from_slice(line);
    reader.deserialize_map(Object(fields)).is_ok() && !fields.is_empty()
}

struct Object<'f>(&'f mut Fields);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match map.next_value::<Value>()? {
                Value::Bytes(bytes) => self.0.push(name.as_bytes(), &bytes),
                Value::Nothing => {}
            }
        }
        Ok(())
    }
}

/// A field's value: a string, bytes as an array of numbers, or several values as an array of those (the first counts).
enum Value {
    Bytes(Vec<u8>),
    Nothing,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Bytes(text.as_bytes().to_vec()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Bytes(number.to_string().into_bytes()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut bytes = Vec::new();
        let mut first = None;
        while let Some(item) = seq.next_element::<Item>()? {
            match item {
                Item::Byte(byte) if bytes.len() < MAX_LINE => bytes.push(byte),
                Item::Text(text) => _ = first.get_or_insert(text),
                _ => {}
            }
        }
        Ok(Value::Bytes(first.unwrap_or(bytes)))
    }
}

enum Item {
    Byte(u8),
    Text(Vec<u8>),
    Other,
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyItem;
        impl<'de> Visitor<'de> for AnyItem {
            type Value = Item;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte or a string")
            }
            fn visit_u64<E>(self, number: u64) -> Result<Item, E> {
                Ok(u8::try_from(number).map_or(Item::Other, Item::Byte))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Item, E> {
                Ok(u8::try_from(number).map_or(Item::Other, Item::Byte))
            }
            fn visit_str<E>(self, text: &str) -> Result<Item, E> {
                Ok(Item::Text(text.as_bytes().to_vec()))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Item, E> {
                Ok(Item::Other)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Item, E> {
                Ok(Item::Other)
            }
            fn visit_unit<E>(self) -> Result<Item, E> {
                Ok(Item::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element::<u8>()? {
                    if bytes.len() < MAX_LINE {
                        bytes.push(byte);
                    }
                }
                Ok(Item::Text(bytes))
            }
        }
        deserializer.deserialize_any(AnyItem)
    }
}

#[derive(Deserialize)]
struct DockerLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// A line of Docker's json-file: its text and its time.
pub(super) fn docker(line: &[u8]) -> Option<(String, i64)> {
    let parsed: DockerLine<'_> = serde_json::from_slice(line).ok()?;
    let (wall, _) = stamp::rfc3339(parsed.time.as_bytes(), 0)?;
    Some((parsed.log.trim_end_matches(['\n', '\r']).to_owned(), wall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_every_shape() {
        let mut fields = Fields::default();
        let mut message = |json: &str| {
            let line = format!(r#"{{"__REALTIME_TIMESTAMP":"17","_PID":"1","MESSAGE":{json}}}"#);
            assert!(entry(line.as_bytes(), &mut fields));
            assert_eq!(fields.received.realtime, 17);
            fields
                .iter()
                .find(|(n, _)| *n == b"MESSAGE")
                .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
        };
        assert_eq!(message(r#""a\nb""#).as_deref(), Some("a\nb"));
        assert_eq!(message("[104,105,0]").as_deref(), Some("hi\0"));
        assert_eq!(message("null"), None);
        assert_eq!(message(r#"["one","two"]"#).as_deref(), Some("one"));
        assert!(!entry(b"{\"a\":", &mut Fields::default()));
        assert!(!entry(b"[1]", &mut Fields::default()));
    }

    #[test]
    fn docker_lines() {
        let line = br#"{"log":"E1122 x\n","stream":"stderr","time":"2026-11-22T22:35:14.832370123Z"}"#;
        assert_eq!(docker(line), Some(("E1122 x".to_owned(), 1_795_386_914_832_370)));
        assert_eq!(docker(b"{}"), None);
    }
}
