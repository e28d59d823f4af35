//! One line to what it states.

use super::line::{Level, Line, Origin, Parsed};

/// What this line states. Never fails: a line without a statement has no facts.
pub fn parse(origin: Origin, line: &Line<'_>) -> Parsed {
    let _ = (origin, line);
    Parsed {
        level: Level::Info,
        header: None,
        pid: None,
        facts: Vec::new(),
        continuation: false,
    }
}
