//! A YAML file to its values, each with its path (`listen.metrics`) and line. Lists are joined by commas, maps below a
//! map-valued key become `key=value`. Anchors and aliases are refused: nobody needs them here.

use granit_parser::{Event, Parser, Span};

/// One value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `listen.metrics`.
    pub path: String,
    /// As written, without quotes.
    pub value: String,
    /// From 1.
    pub line: usize,
    /// It is a list; the values are joined by commas.
    pub list: bool,
}

/// A fault of the file's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// Nesting that no configuration of ours has.
const DEPTH: usize = 8;

enum Level {
    /// A map, and the key that waits for its value.
    Map(Option<String>),
    /// A list, and what it holds so far.
    List(Vec<String>, usize),
}

/// Every value of the file, in its order.
pub fn entries(text: &str) -> Result<Vec<Entry>, Malformed> {
    let mut reader = Reader::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|e| Malformed {
            line: e.marker().line(),
            why: e.info(),
        })?;
        reader.event(event, span)?;
    }
    Ok(reader.entries)
}

#[derive(Default)]
struct Reader {
    levels: Vec<Level>,
    entries: Vec<Entry>,
    documents: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Malformed> {
        let line = span.start.line();
        let malformed = |why: &str| {
            Err(Malformed {
                line,
                why: why.to_owned(),
            })
        };
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return malformed("expected one document");
                }
            }
            Event::Alias(..) => return malformed("expected a value, found an alias"),
            Event::MappingStart(..) if self.levels.len() >= DEPTH => return malformed("nested too deeply"),
            Event::MappingStart(..) => match self.levels.last() {
                Some(Level::List(..)) => return malformed("expected a list of values, found a map in it"),
                Some(Level::Map(None)) => return malformed("expected a key, found a map"),
                _ => self.levels.push(Level::Map(None)),
            },
            Event::SequenceStart(..) => match self.levels.last() {
                Some(Level::Map(Some(_))) => self.levels.push(Level::List(Vec::new(), line)),
                _ => return malformed("expected a map of keys and values, found a list"),
            },
            Event::MappingEnd => {
                self.levels.pop();
                self.close();
            }
            Event::SequenceEnd => {
                if let Some(Level::List(values, line)) = self.levels.pop() {
                    self.add(values.join(","), line, true);
                }
            }
            Event::Scalar(value, ..) => return self.scalar(&value, line),
            _ => {}
        }
        Ok(())
    }

    fn scalar(&mut self, value: &str, line: usize) -> Result<(), Malformed> {
        match self.levels.last_mut() {
            Some(Level::Map(key @ None)) => *key = Some(value.to_owned()),
            Some(Level::Map(Some(_))) => self.add(value.to_owned(), line, false),
            Some(Level::List(values, _)) => values.push(value.to_owned()),
            // An empty document is a null.
            None if value.is_empty() || value == "~" => {}
            None => {
                return Err(Malformed {
                    line,
                    why: format!("expected a map of keys and values, found {value:?}"),
                });
            }
        }
        Ok(())
    }

    fn add(&mut self, value: String, line: usize, list: bool) {
        let path = self.path();
        self.entries.push(Entry {
            path,
            value: if value == "~" || value == "null" {
                String::new()
            } else {
                value
            },
            line,
            list,
        });
        self.close();
    }

    /// The value of the innermost key is complete.
    fn close(&mut self) {
        if let Some(Level::Map(key)) = self.levels.last_mut() {
            *key = None;
        }
    }

    fn path(&self) -> String {
        let keys: Vec<&str> = self
            .levels
            .iter()
            .filter_map(|l| match l {
                Level::Map(Some(key)) => Some(key.as_str()),
                _ => None,
            })
            .collect();
        keys.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_lines() {
        let text = "node: a\nlisten:\n  metrics: 0.0.0.0:1 # here\nprobe: {peers: [x:1, y:2], enabled: true}\notlp:\n  endpoint: \"\"\n";
        let got: Vec<(String, String, usize)> = entries(text)
            .unwrap()
            .into_iter()
            .map(|e| (e.path, e.value, e.line))
            .collect();
        let expected = [
            ("node", "a", 1),
            ("listen.metrics", "0.0.0.0:1", 3),
            ("probe.peers", "x:1,y:2", 4),
            ("probe.enabled", "true", 4),
            ("otlp.endpoint", "", 6),
        ];
        let expected: Vec<(String, String, usize)> = expected
            .into_iter()
            .map(|(a, b, l)| (a.to_owned(), b.to_owned(), l))
            .collect();
        assert_eq!(got, expected);
        assert_eq!(entries("").unwrap(), []);
        assert_eq!(entries("# nothing\n").unwrap(), []);
    }

    #[test]
    fn what_is_no_map_is_refused_with_its_line() {
        assert_eq!(entries("- a\n").unwrap_err().line, 1);
        assert_eq!(entries("node: a\nlisten: [{a: b}]\n").unwrap_err().line, 2);
        assert!(entries("node: 'a\n").unwrap_err().line >= 1);
        assert_eq!(entries("just words\n").unwrap_err().line, 1);
    }
}
