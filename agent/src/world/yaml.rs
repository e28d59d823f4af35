//! YAML and JSON as a tree with line numbers, for files whose faults are to be shown. JSON is YAML.
//!
//! Values under keys that hold secrets are never kept. Nothing here knows what the fields mean.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

/// Keys of a kubeconfig whose values are secrets (client-go `clientcmd/api/v1`, type `AuthInfo`).
const SECRET: [&str; 5] = ["client-key-data", "token", "password", "env", "auth-provider"];

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
}

/// A value and the line (from 1; 0 where unknown) that it begins on.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// The line.
    pub line: u64,
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line from 1; 0 where unknown.
    pub line: u64,
    /// In words, without what the file holds.
    pub words: String,
}

/// Reads one document. An empty document is [`Value::Null`].
pub fn parse(text: &str) -> Result<Node, Fault> {
    // As the kubelet's decoder (sigs.k8s.io/yaml, not strict): the last of two equal keys wins.
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    options.with_snippet = false;
    if text
        .lines()
        .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#') || l.trim() == "---")
    {
        return Ok(Node {
            value: Value::Null,
            line: 0,
        });
    }
    serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|e| Fault {
        line: e.location().map_or(0, |l| l.line()),
        words: first_line(&e.without_snippet().to_string()),
    })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The value under several keys, one below the other.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Text; `None` for anything else.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(t) => Some(t),
            _ => None,
        }
    }

    /// A scalar as text; what a person would write.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(t) => Some(t.clone()),
            Value::Int(n) => Some(n.to_string()),
            Value::Float(n) => Some(n.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            _ => None,
        }
    }

    /// A truth value; the words of YAML 1.1 count, as they do for the kubelet.
    pub fn bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(b) => Some(*b),
            Value::Text(t) => match t.as_str() {
                "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" | "true" => Some(true),
                "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" | "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A whole number.
    pub fn int(&self) -> Option<i64> {
        match self.value {
            Value::Int(n) => Some(n),
            _ => None,
        }
    }

    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The first item of a sequence whose `key` is this text.
    pub fn named(&self, key: &str, name: &str) -> Option<&Node> {
        self.items()
            .iter()
            .find(|i| i.get(key).and_then(Node::text) == Some(name))
    }

    /// Whether it is nothing: null, or text, a list or a mapping without content.
    pub fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Text(t) => t.is_empty(),
            Value::List(l) => l.is_empty(),
            Value::Map(m) => m.is_empty(),
            _ => false,
        }
    }

    /// Lays another document over this one: mappings are merged, anything else is replaced (kubelet `--config-dir`).
    pub fn overlay(&mut self, over: Node) {
        let line = over.line;
        match (&mut self.value, over.value) {
            (Value::Map(mine), Value::Map(theirs)) => {
                for (key, node) in theirs {
                    match mine.iter_mut().find(|(k, _)| *k == key) {
                        Some((_, old)) => old.overlay(node),
                        None => mine.push((key, node)),
                    }
                }
            }
            (_, Value::Null) => {}
            (mine, value) => {
                *mine = value;
                self.line = line;
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            line: spanned.referenced.line(),
        })
    }
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
        f.write_str("any value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(i64::try_from(v).map_or(Value::Float(v as f64), Value::Int))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::Text(v.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(AnyValue)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let node = if SECRET.contains(&key.as_str()) {
                map.next_value::<IgnoredAny>()?;
                Node {
                    value: Value::Bool(true),
                    line: 0,
                }
            } else {
                map.next_value()?
            };
            entries.push((key, node));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_types() {
        let root = parse("a: 1\nb: {c: text, d: [1, x]}\ne:\n  f: true\n  g: '1'\n  h:\nmaxPods: lots\n").unwrap();
        assert_eq!(root.get("a").unwrap().value, Value::Int(1));
        assert_eq!(root.at(&["b", "c"]).unwrap().text(), Some("text"));
        assert_eq!(root.at(&["b", "d"]).unwrap().items().len(), 2);
        assert_eq!(root.at(&["e", "f"]).unwrap().line, 4);
        assert_eq!(root.at(&["e", "g"]).unwrap().text(), Some("1"));
        assert_eq!(root.at(&["e", "h"]).unwrap().value, Value::Null);
        assert_eq!(root.get("maxPods").unwrap().line, 7);
        let json = parse("{\"kind\": \"KubeletConfiguration\",\n \"port\": 10250, \"z\": null}").unwrap();
        assert_eq!(json.get("port").unwrap().int(), Some(10250));
        assert_eq!(json.get("port").unwrap().line, 2);
    }

    #[test]
    fn secrets_are_not_kept_and_faults_have_lines() {
        let root = parse("users:\n- name: a\n  user: {token: sesame, client-key-data: c2VjcmV0}\n").unwrap();
        assert!(!format!("{root:?}").contains("sesame"));
        assert!(!format!("{root:?}").contains("c2VjcmV0"));
        let fault = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(fault.line >= 2, "{fault:?}");
        assert!(parse("# nothing\n---\n").unwrap().is_empty());
        assert!(parse("a: 1\n\tb: 2\n").is_err());
    }

    #[test]
    fn the_last_of_two_keys_wins_and_overlays_merge() {
        let mut root = parse("a: 1\na: 2\nm: {x: 1, y: 1}\nl: [1]\n").unwrap();
        assert_eq!(root.get("a").unwrap().int(), Some(2));
        root.overlay(parse("m: {y: 2}\nl: [3, 4]\n").unwrap());
        assert_eq!(root.at(&["m", "x"]).unwrap().int(), Some(1));
        assert_eq!(root.at(&["m", "y"]).unwrap().int(), Some(2));
        assert_eq!(root.get("l").unwrap().items().len(), 2);
    }
}
