//! What goes to stdout, one JSON object a line: so it is in the journal and in every shipper of logs. Written by a thread
//! of its own, because a reader that does not read must not hold the agent.

use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::{Value, json};

use crate::model::change::{Change, Tier};
use crate::model::time::Timestamp;

/// Lines that wait to be written; more are dropped, and the next one says how many.
const WAITING: usize = 256;

/// The way to stdout.
#[derive(Debug)]
pub struct Lines {
    sender: SyncSender<String>,
    dropped: u64,
}

impl Lines {
    /// Starts the writer.
    pub fn new(mut out: Box<dyn Write + Send>) -> std::io::Result<Self> {
        let (sender, lines) = sync_channel::<String>(WAITING);
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
            for line in lines {
                // Nobody is left to be told that stdout is closed.
                let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
            }
        })?;
        Ok(Self { sender, dropped: 0 })
    }

    /// A change.
    pub fn change(&mut self, change: &Change, tier: Tier) {
        self.write(&json!({
            "time": change.seen_at,
            "level": if change.kind.is_bad() { "error" } else { "info" },
            "msg": change.text,
            "event": change.kind,
            "at": change.at,
            "uid": change.uid,
            "node": change.node,
            "episode": change.episode,
            "effect": change.effect,
            "cause": change.cause,
            "verdict": change.verdict,
            "role": change.role,
            "tier": tier,
        }));
    }

    /// Something about the agent itself.
    pub fn say(&mut self, now: Timestamp, level: &str, message: &str) {
        self.write(&json!({ "time": now, "level": level, "msg": message }));
    }

    fn write(&mut self, value: &Value) {
        let mut value = value.clone();
        if let (Some(object), true) = (value.as_object_mut(), self.dropped > 0) {
            object.insert("dropped_before".to_owned(), json!(self.dropped));
        }
        match self.sender.try_send(format!("{value}\n")) {
            Ok(()) => self.dropped = 0,
            Err(_) => self.dropped += 1,
        }
    }
}
