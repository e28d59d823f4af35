//! The machine: how long it is up, time it lost in sleep, time steps between looks, and a shutdown that is ordered.
//!
//! Sleep is what `CLOCK_BOOTTIME` counts and `CLOCK_MONOTONIC` does not (`clock_gettime(2)`). A paused virtual machine may
//! lose time in no clock but the wall's, when that is set again: this is stated as a jump of the clock, since a person may
//! have set it as well. A shutdown is read from what logind writes below /run; one that is under way shows no earlier
//! than logins are refused for it.

use std::time::Duration;

use procfs::{FromRead, Uptime};

use super::figures::add;
use super::look::{Look, Looking, Reading, Sampler};
use super::scene::Scene;
use crate::clock::Now;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The machine.
#[derive(Debug, Default)]
pub struct Machine {
    /// The clocks at the last look.
    last: Option<Now>,
}

/// Less than this between the clocks is rounding and slewing, microseconds: two seconds.
const STEP: u64 = 2_000_000;

impl Sampler for Machine {
    fn name(&self) -> &'static str {
        "machine"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::MachineState, Kind::ClockJump]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let host = &scene.host;
            // The clocks of the machine that reads a capture are not the node's.
            let now = host.is_live().then(|| scene.clock.now());
            let uptime = match now {
                Some(now) => Some(now.boottime / 1_000_000),
                None => host
                    .text("/proc/uptime")
                    .ok()
                    .and_then(|t| Uptime::from_read(t.as_bytes()).ok())
                    .map(|u| u.uptime as u64),
            };
            let shutdown = shutdown(host);
            if shutdown.is_none() {
                let reason = "/run is not mounted where the agent is: an ordered shutdown is not seen";
                look.missed(
                    Kind::MachineState,
                    reason,
                    Some("the node's /run/systemd/shutdown and /run/nologin, read-only"),
                );
            }
            if uptime.is_none() && shutdown.is_none() {
                return look;
            }
            state(&mut look, (uptime, now, shutdown), self.last);
            if let (Some(now), Some(last)) = (now, self.last) {
                jump(&mut look, last, now);
            }
            self.last = now;
            look
        })
    }
}

/// What is ordered: the vocabulary's word, and words for people.
type Ordered = (&'static str, String);

fn state(look: &mut Look, (uptime, now, shutdown): (Option<u64>, Option<Now>, Option<Ordered>), last: Option<Now>) {
    let mut text = String::from("machine");
    let mut fact = Fact::new(Kind::MachineState);
    if let Some(uptime) = uptime {
        add(&mut text, format_args!("  up for {uptime} s"));
        fact = fact.with_int("uptime_s", uptime as i64);
    }
    if let Some(now) = now {
        let asleep = asleep(now) / 1_000_000;
        if asleep > 0 {
            add(&mut text, format_args!(", asleep for {asleep} s of them"));
        }
        fact = fact.with_int("asleep_s", asleep as i64);
    }
    if let Some((word, why)) = shutdown {
        add(&mut text, format_args!("  {why}"));
        fact = fact.with("shutdown", word);
    }
    if let (Some(now), Some(last)) = (now, last) {
        let more = asleep(now).saturating_sub(asleep(last));
        let slept = if more >= STEP { more / 1_000_000 } else { 0 };
        if slept > 0 {
            add(&mut text, format_args!("  it slept for {slept} s since the last look"));
        }
        fact = fact.with_int("frozen_for_s", slept as i64);
    }
    look.saw(text, fact);
}

/// Wall time against boot time.
fn jump(look: &mut Look, last: Now, now: Now) {
    let wall = now.wall.0.saturating_sub(last.wall.0);
    let step = wall.saturating_sub(now.boottime.saturating_sub(last.boottime) as i64);
    if step.unsigned_abs() < STEP {
        return;
    }
    let seconds = step / 1_000_000;
    let (text, direction) = if step > 0 {
        (
            format!("the clock went {seconds} s forward since the last look: it was set, or the machine was paused"),
            "forward",
        )
    } else {
        (
            format!("the clock was set {} s back since the last look", -seconds),
            "backward",
        )
    };
    let fact = Fact::new(Kind::ClockJump)
        .with_int("offset_s", seconds)
        .with("direction", direction);
    look.readings.push(Reading::new(text, fact));
}

fn asleep(now: Now) -> u64 {
    now.boottime.saturating_sub(now.monotonic)
}

/// `None` where `/run` of the node is not here.
fn shutdown(host: &Host) -> Option<Ordered> {
    // logind, scheduled_shutdown: USEC= (wall time, microseconds), WARN_WALL=, MODE=
    if let Ok(text) = host.text("/run/systemd/shutdown/scheduled") {
        let field = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        let mode = field("MODE").unwrap_or("shutdown");
        let word: String = mode
            .chars()
            .filter(|c| c.is_ascii_alphabetic() || *c == '-')
            .take(20)
            .collect();
        return Some(("scheduled", format!("a {word} is scheduled")));
    }
    // The file is there while the machine boots, too, with other words in it (systemd-user-sessions.service).
    match host.text("/run/nologin") {
        Ok(text) if text.contains("going down") => return Some(("in-progress", "it is going down".into())),
        Ok(_) => {}
        Err(why) if why.is_missing() && host.metadata("/run").is_ok() => {}
        Err(_) => return None,
    }
    Some(("none", "no shutdown is ordered".into()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::clock::Clock;
    use crate::model::time::Timestamp;
    use crate::source::test_scene::{captured, fixture_dir, run, write};

    fn now(wall: u64, monotonic: u64, boottime: u64) -> Now {
        Now {
            wall: Timestamp(wall as i64 * 1_000_000),
            monotonic: monotonic * 1_000_000,
            boottime: boottime * 1_000_000,
        }
    }

    async fn twice(first: Now, second: Now) -> Look {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/run/x", "");
        let mut scene = captured(&dir);
        scene.host = scene.host.beside(dir.path());
        let at = Arc::new(Mutex::new(first));
        let shared = Arc::clone(&at);
        scene.clock = Clock::from_fn(move || *shared.lock().unwrap());
        let mut machine = Machine::default();
        assert_eq!(run(&mut machine, &scene).await.readings.len(), 1);
        *at.lock().unwrap() = second;
        run(&mut machine, &scene).await
    }

    #[tokio::test]
    async fn a_machine_that_slept() {
        let look = twice(now(1000, 50, 50), now(1100, 60, 150)).await;
        assert_eq!(look.readings.len(), 1);
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (fact.int("frozen_for_s"), fact.int("asleep_s"), fact.int("uptime_s")),
            (Some(90), Some(90), Some(150))
        );
        assert_eq!(
            look.readings[0].text,
            "machine  up for 150 s, asleep for 90 s of them  no shutdown is ordered  it slept for 90 s since the last look"
        );
    }

    #[tokio::test]
    async fn a_clock_that_jumped() {
        let look = twice(now(1000, 50, 50), now(1310, 60, 60)).await;
        assert_eq!(look.readings[0].facts[0].int("frozen_for_s"), Some(0));
        assert_eq!(look.readings[1].facts[0].int("offset_s"), Some(300));
        let look = twice(now(1000, 50, 50), now(710, 60, 60)).await;
        assert_eq!(look.readings[1].facts[0].text("direction"), Some("backward"));
        assert_eq!(
            look.readings[1].text,
            "the clock was set 300 s back since the last look"
        );
        assert_eq!(twice(now(1000, 50, 50), now(1010, 60, 61)).await.readings.len(), 1);
    }

    #[tokio::test]
    async fn shutdowns() {
        let dir = tempfile::tempdir().unwrap();
        let word = |dir: &tempfile::TempDir| shutdown(&Host::at(dir.path())).map(|s| s.0);
        assert_eq!(word(&dir), None);
        write(
            &dir,
            "/run/nologin",
            "System is booting up. Unprivileged users are not permitted to log in yet.",
        );
        assert_eq!(word(&dir), Some("none"));
        write(
            &dir,
            "/run/nologin",
            "System is going down. Unprivileged users are not permitted to log in anymore.",
        );
        assert_eq!(word(&dir), Some("in-progress"));
        write(
            &dir,
            "/run/systemd/shutdown/scheduled",
            "USEC=1795436001000000\nWARN_WALL=1\nMODE=reboot\n",
        );
        assert_eq!(
            shutdown(&Host::at(dir.path())),
            Some(("scheduled", "a reboot is scheduled".into()))
        );
    }

    #[tokio::test]
    async fn a_captured_node_has_its_own_uptime_and_no_run() {
        let look = run(&mut Machine::default(), &captured(fixture_dir("healthy"))).await;
        assert_eq!(look.blind.len(), 1);
        assert_eq!(look.readings[0].text, "machine  up for 99 s");
    }
}
