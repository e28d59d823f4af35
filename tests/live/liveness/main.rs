//! Units, processes and sockets of kubelet and runtime, looked at with real parts: systemd's own manager on a real bus,
//! processes that are stopped, frozen and blocked, containerd, and connections that packets are dropped on.
//!
//! A kubelet is not to be had here: any process stands in for it, and plain listeners for its health endpoint. The manager
//! is `systemd --user` on a bus of its own: same program, same interface, no login and no boot needed.

mod api_socket;
mod healthz;
mod process;
mod runtime;
mod systemd;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use whynotready::clock::Clock;
use whynotready::grammar::fact::{Fact, Value};
use whynotready::grammar::vocabulary::{self, Domain};
use whynotready::host::Host;
use whynotready::source::look::{Look, Sampler, run};
use whynotready::source::scene::{Allowed, Scene};
use whynotready::world::{Process, World};

/// A state that does not come within this is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

fn scene(root: &Path, world: World) -> Scene {
    Scene {
        host: Host::at(root),
        clock: Clock::system(),
        world,
        allowed: Allowed::default(),
    }
}

/// Looks as the agent does, and holds every fact to the vocabulary.
async fn look(sampler: &mut dyn Sampler, scene: &Scene) -> Look {
    let done = run(sampler, scene, Duration::from_secs(10)).await;
    assert!(done.in_time, "{done:?}");
    for reading in &done.look.readings {
        assert!(!reading.text.contains('\n'), "{reading:?}");
        for fact in &reading.facts {
            in_vocabulary(fact);
        }
    }
    done.look
}

fn in_vocabulary(fact: &Fact) {
    let spec = vocabulary::spec(fact.kind).unwrap();
    for (name, value) in &fact.attrs {
        let found = spec.attrs.iter().find(|(n, _)| n == name);
        let (_, domain) = found.unwrap_or_else(|| panic!("no attribute {name}: {fact:?}"));
        let fits = match (domain, value) {
            (Domain::Words(words), Value::Text(t)) => words.contains(&t.as_ref()),
            (Domain::Text, Value::Text(_)) | (Domain::Int, Value::Int(_)) => true,
            _ => false,
        };
        assert!(fits, "{name}: {fact:?}");
        assert_eq!(
            fact.attrs.iter().filter(|(n, _)| n == name).count(),
            1,
            "{name}: {fact:?}"
        );
    }
}

/// Looks until what is seen is what is waited for.
async fn look_until(sampler: &mut dyn Sampler, scene: &Scene, right: impl Fn(&Look) -> bool) -> Look {
    let mut last = Look::default();
    let waiting = async {
        loop {
            last = look(sampler, scene).await;
            if right(&last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(seen, "never seen; last: {last:#?}");
    last
}

fn fact(look: &Look) -> &Fact {
    &look
        .readings
        .first()
        .unwrap_or_else(|| panic!("no reading: {look:?}"))
        .facts[0]
}

#[expect(clippy::unnecessary_wraps, reason = "as the world has it")]
fn process(pid: u32) -> Option<Process> {
    Some(Process {
        pid,
        name: "kubelet".into(),
        cgroup: None,
    })
}

/// A child that ends with the test.
struct Running(Child);

impl Running {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests run the parts that the agent looks at"
    )]
    fn start(program: &str, args: &[&str]) -> Self {
        let child = Command::new(program).args(args).stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|e| panic!("{program}: {e}")))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end.
#[expect(clippy::disallowed_methods, reason = "the tests set up what the agent looks at")]
fn done(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}
