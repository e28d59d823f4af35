//! One line to what it states.

use super::fact::{Fact, Kind};
use super::line::{Level, Line, Origin, Parsed};
use super::{embed, kernel, kubelet, runtime, systemd};

/// What this line states. Never fails: a line without a statement has no facts.
pub fn parse(origin: Origin, line: &Line<'_>) -> Parsed {
    match origin {
        Origin::Kubelet => kubelet::parse(line.text),
        Origin::Runtime => runtime::parse(line.text),
        Origin::Systemd => systemd::parse(line),
        Origin::Kernel => kernel::parse(line.text),
        Origin::ControlPlane => control_plane(line.text),
        Origin::Other => Parsed {
            level: Level::Info,
            header: None,
            pid: None,
            facts: Vec::new(),
            continuation: false,
        },
    }
}

fn control_plane(text: &str) -> Parsed {
    let bare = embed::bare(text);
    let facts = if text.contains("the clock difference against peer") {
        vec![Fact::new(Kind::ClockStep).with("what", "skew")]
    } else {
        Vec::new()
    };
    Parsed {
        level: bare.level,
        header: bare.time,
        pid: bare.pid,
        facts,
        continuation: false,
    }
}
