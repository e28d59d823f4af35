//! What the kubelet posts as Ready, as far as its log says.

use crate::grammar::fact::{Fact, Kind};
use crate::model::time::{Moment, SECOND};

/// A condition that is not repeated for this long by a kubelet that writes is over: `Skipping pod synchronization` and
/// `network not ready` come every five seconds at most (pkg/kubelet/kubelet.go, `syncLoop`, `updateRuntimeUp`).
const FORGOTTEN: i64 = 45 * SECOND;
/// Ready=False for longer than this is an effect: three posts of the status; shorter ones belong to every start.
const LASTS: i64 = 30 * SECOND;

/// Tracks Ready=False.
#[derive(Debug, Default, Clone)]
pub struct Readiness {
    since: Option<Moment>,
    last: Option<Moment>,
    posted: Option<bool>,
    repeats: bool,
}

impl Readiness {
    /// Takes what a line says of the node's readiness.
    pub fn observe(&mut self, at: Moment, fact: &Fact) {
        match fact.kind {
            Kind::NodeReady if fact.text("status") == Some("true") => {
                *self = Self {
                    posted: Some(true),
                    ..Self::default()
                }
            }
            Kind::NodeReady if fact.text("status") == Some("false") => {
                self.posted = Some(false);
                if !is_start_up(fact) {
                    self.bad(at);
                }
            }
            Kind::SkipSync if !is_start_up(fact) => {
                self.repeats = true;
                self.bad(at);
            }
            _ => {}
        }
    }

    fn bad(&mut self, at: Moment) {
        if self.last.is_some_and(|last| at.t - last.t > FORGOTTEN && self.repeats) {
            self.since = None;
        }
        self.since.get_or_insert(at);
        self.last = Some(at);
    }

    /// Since when and until when Ready=False is an effect at `now`.
    pub fn present(&self, now: Moment) -> Option<(Moment, Moment)> {
        let (since, last) = (self.since?, self.last?);
        // A condition that is posted once and never repeated holds until the opposite is posted.
        let holds = now.t - last.t <= FORGOTTEN || (self.posted == Some(false) && !self.repeats);
        (holds && now.t - since.t >= LASTS).then_some((since, last))
    }

    /// Since when the kubelet holds something against its readiness at `now`, however short that is.
    pub fn unready_since(&self, now: Moment) -> Option<Moment> {
        let (since, last) = (self.since?, self.last?);
        (now.t - last.t <= FORGOTTEN).then_some(since)
    }

    /// What is posted: true, false, or unknown.
    pub fn posted(&self, now: Moment) -> Option<bool> {
        if self.present(now).is_some() {
            Some(false)
        } else {
            self.posted
        }
    }
}

/// What every start says for some seconds.
fn is_start_up(fact: &Fact) -> bool {
    matches!(
        fact.text("because"),
        Some("pleg-starting" | "runtime-unchecked" | "starting")
    )
}
