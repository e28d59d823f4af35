//! The configuration file, watched: a change is applied as a whole, or refused as a whole. Nothing is read on the agent's
//! own thread, a disk that does not answer changes nothing, and a file that is being written is waited for.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use super::keeping::ANSWERS;
use super::life::End;
use super::lines::Lines;
use crate::clock::Clock;
use crate::config::resolve::{Faults, Resolved};
use crate::source::look::blocking;

/// The configuration file is looked at this often. A `ConfigMap` is changed under a running pod within a minute.
const LOOK: Duration = Duration::from_secs(5);
/// A change counts if it is still there after this. A file that is gone or empty gets the longer time: it is being
/// written.
const STANDS: Duration = Duration::from_secs(1);

/// A file's text; `None` where there is none, and need not be; or why it cannot be read.
pub type Text = Result<Option<String>, String>;

/// Makes a configuration of a file's text, and checks what it names.
pub type Load = dyn Fn(&Text) -> Result<Resolved, Faults> + Send + Sync;

/// Where the configuration comes from. Both may block.
#[derive(Clone)]
pub struct Origin {
    /// Reads the file.
    pub read: Arc<dyn Fn() -> Text + Send + Sync>,
    /// Makes the configuration.
    pub load: Arc<Load>,
}

/// The configuration that is in force.
pub type InForce = Rc<RefCell<Rc<Resolved>>>;

/// Watches the file.
pub(super) struct Reload {
    pub(super) origin: Origin,
    pub(super) in_force: InForce,
    pub(super) clock: Clock,
    pub(super) lines: Lines,
    pub(super) end: watch::Sender<Option<End>>,
}

impl Reload {
    /// Until the agent ends. `known` is the text of what is in force.
    pub(super) fn watch(self, known: Text) -> io::Result<impl Future<Output = ()>> {
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(async move {
            let mut seen = Seen { known, new: None };
            let mut asked = false;
            loop {
                tokio::select! {
                    _ = hangup.recv() => asked = true,
                    () = tokio::time::sleep(seen.wait()) => {}
                }
                let read = Arc::clone(&self.origin.read);
                let Ok(Some(text)) = timeout(LOOK, blocking(move || read())).await else {
                    if std::mem::take(&mut asked) {
                        self.say(
                            "error",
                            "the configuration file cannot be read: its disk does not answer",
                        );
                    }
                    continue;
                };
                let is_new = seen.look(text);
                if is_new || (asked && seen.new.is_none()) {
                    asked = false;
                    self.apply(seen.known.clone()).await;
                }
            }
        })
    }

    fn say(&self, level: &str, message: &str) {
        self.lines.say(self.clock.now().wall, level, message);
    }

    async fn apply(&self, text: Text) {
        let load = Arc::clone(&self.origin.load);
        let silent = || Err(Faults(vec!["a disk that it names does not answer".to_owned()]));
        let loaded = timeout(ANSWERS, blocking(move || load(&text))).await;
        match loaded.ok().flatten().unwrap_or_else(silent) {
            Ok(new) if new == **self.in_force.borrow() => {
                self.say("info", "the configuration was read again: it is the same");
            }
            Ok(new) => {
                self.say("info", "the configuration has changed and is applied");
                *self.in_force.borrow_mut() = Rc::new(new);
                self.end.send_if_modified(|end| {
                    let free = end.is_none();
                    if free {
                        *end = Some(End::Again);
                    }
                    free
                });
            }
            Err(faults) => {
                self.say(
                    "error",
                    "the configuration has changed and is refused; the one before stays in force",
                );
                for fault in &faults.0 {
                    self.say("error", fault);
                }
            }
        }
    }
}

/// What was seen of the file.
struct Seen {
    known: Text,
    /// Another one, seen once.
    new: Option<Text>,
}

impl Seen {
    /// Until the next look.
    fn wait(&self) -> Duration {
        let has_text = |text: &Text| matches!(text, Ok(Some(text)) if !text.trim().is_empty());
        match &self.new {
            Some(new) if has_text(new) => STANDS,
            _ => LOOK,
        }
    }

    /// Whether what is seen now is another one than is known, and was seen before.
    fn look(&mut self, now: Text) -> bool {
        if now == self.known {
            self.new = None;
            return false;
        }
        let stands = self.new.as_ref() == Some(&now);
        if stands {
            self.known = now;
            self.new = None;
        } else {
            self.new = Some(now);
        }
        stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_when_it_was_seen_twice() {
        let text = |t: &str| Ok(Some(t.to_owned()));
        let mut seen = Seen {
            known: text("node: a\n"),
            new: None,
        };
        // Replaced by removing and writing it; cut short and written.
        for (now, stands, wait) in [
            (text("node: a\n"), false, LOOK),
            (Ok(None), false, LOOK),
            (text("node: a\n"), false, LOOK),
            (text(""), false, LOOK),
            (text("node:"), false, STANDS),
            (text("node: b\n"), false, STANDS),
            (text("node: b\n"), true, LOOK),
            (text("node: b\n"), false, LOOK),
            (Ok(None), false, LOOK),
            (Ok(None), true, LOOK),
            (Err("denied".to_owned()), false, LOOK),
            (Err("denied".to_owned()), true, LOOK),
        ] {
            assert_eq!((seen.look(now.clone()), seen.wait()), (stands, wait), "{now:?}");
        }
    }
}
