//! What goes to stdout, one JSON object a line: so it is in the journal and in every shipper of logs. Written by a thread
//! of its own, because a reader that does not read must not hold the agent.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::change::{Change, ChangeKind, Tier};
use crate::model::time::Timestamp;

/// Lines that wait to be written; more are dropped, and the next one says how many.
const WAITING: usize = 256;

/// What the writer is given.
enum Message {
    Line(String),
    /// Say when everything before this is written.
    Written(SyncSender<()>),
}

/// How long the last lines may take: 2 s.
const LAST: Duration = Duration::from_secs(2);

/// The way to stdout.
#[derive(Debug, Clone)]
pub struct Lines {
    sender: SyncSender<Message>,
    dropped: Rc<Cell<u64>>,
}

impl Lines {
    /// Starts the writer.
    pub fn new(mut out: Box<dyn Write + Send>) -> std::io::Result<Self> {
        let (sender, lines) = sync_channel(WAITING);
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
            for message in lines {
                match message {
                    // Nobody is left to be told that stdout is closed.
                    Message::Line(line) => drop(out.write_all(line.as_bytes()).and_then(|()| out.flush())),
                    Message::Written(tell) => drop(tell.try_send(())),
                }
            }
        })?;
        Ok(Self {
            sender,
            dropped: Rc::default(),
        })
    }

    /// A change.
    pub fn change(&self, change: &Change, tier: Tier) {
        self.write(&json!({
            "time": change.seen_at,
            "level": level(change.kind),
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
    pub fn say(&self, now: Timestamp, level: &str, message: &str) {
        self.write(&json!({ "time": now, "level": level, "msg": message }));
    }

    /// Waits, for a little while, until what was said is written.
    pub fn finish(&self) {
        let (tell, told) = sync_channel(1);
        if self.sender.try_send(Message::Written(tell)).is_ok() {
            let _ = told.recv_timeout(LAST);
        }
    }

    fn write(&self, value: &Value) {
        let mut value = value.clone();
        let dropped = self.dropped.get();
        if let (Some(object), true) = (value.as_object_mut(), dropped > 0) {
            object.insert("dropped_before".to_owned(), json!(dropped));
        }
        match self.sender.try_send(Message::Line(format!("{value}\n"))) {
            Ok(()) => self.dropped.set(0),
            Err(_) => self.dropped.set(dropped + 1),
        }
    }
}

const fn level(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::RiskFound => "warning",
        kind if kind.is_bad() => "error",
        _ => "info",
    }
}
