//! The JSON document of CONTRACT.md and its schema.

use crate::model::diagnosis::Diagnosis;

/// JSON Schema (draft 2020-12) of the document.
pub const SCHEMA: &str = include_str!("../../schema/diagnosis-1.0.json");

/// One line for a program, indented for a person.
pub fn render(diagnosis: &Diagnosis, pretty: bool) -> serde_json::Result<String> {
    let text = if pretty {
        serde_json::to_string_pretty(diagnosis)
    } else {
        serde_json::to_string(diagnosis)
    };
    text.map(|text| text + "\n")
}
