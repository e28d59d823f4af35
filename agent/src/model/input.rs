//! All that the engine ever gets. A bundle stores exactly this.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::time::{Moment, Timestamp};
use crate::grammar::fact::Fact;
use crate::grammar::line::{Level, Origin};

/// One step's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "input")]
pub enum Input {
    /// Something was observed.
    Observed(Observation),
    /// Somebody wrote routine lines that hold no statement: a sign of life, at most one a second for each origin.
    Beat(Beat),
    /// An observer could not look.
    Gap(Gap),
    /// Time passes. Live ticks come from a timer, offline ones from the record's own time, by the same rule.
    Tick(Moment),
    /// The record ends here.
    End(Moment),
}

/// A line with what the grammar made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Stamped on receipt, from 1.
    pub seq: u64,
    /// When it happened, as far as the record says.
    pub at: Moment,
    /// Counts the boots of the record from 0.
    pub boot: u32,
    /// The writer's own time stamp, where it has one; its distance to `at` is the writer's or journald's delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_at: Option<Timestamp>,
    /// Who wrote it.
    pub origin: Origin,
    /// Severity by its own words.
    pub level: Level,
    /// The writer's process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The unit or program, for display.
    pub source: Arc<str>,
    /// The line, cut at 8 KiB.
    pub text: Arc<str>,
    /// Where it is.
    pub place: Place,
    /// What it states.
    pub facts: Vec<Fact>,
}

impl Observation {
    /// When what it states began, as far as it says so itself: the agent's own looks know since when a certificate is
    /// expired or a unit is down; a line of a log is of its own time.
    pub fn onset(&self) -> Moment {
        match self.header_at {
            Some(began) if self.origin == Origin::Agent && began < self.at.wall => Moment {
                t: self.at.t.saturating_sub(self.at.wall.0 - began.0),
                wall: began,
            },
            _ => self.at,
        }
    }
}

/// Where a line is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In a journal, by its native cursor.
    Cursor(Arc<str>),
    /// In a text file, by line number from 1.
    Line(Arc<str>, u64),
    /// Seen by this source of the agent itself.
    Look(Arc<str>),
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// When.
    pub at: Moment,
    /// The boot's index.
    pub boot: u32,
    /// Whose.
    pub origin: Origin,
    /// The writer's process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// A time in which an observer could not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Which source: `journal`, `file`, or the kind of fact that the agent could not see by itself.
    pub source: String,
    /// Since when; `None` where unknown.
    pub from: Option<Timestamp>,
    /// Until when; `None` where it lasts.
    pub to: Option<Timestamp>,
    /// Why, in words.
    pub reason: String,
    /// What would let it look.
    pub grant: Option<String>,
}
