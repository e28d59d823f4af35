//! Pressure, limits, file systems, cgroups and the node's network, looked at with real parts: mounts that are full,
//! read-only or do not answer, control groups with limits, links and routes that are gone.
//!
//! Mounts and links are made in name spaces of their own: the test runs itself again below `unshare`, as the first process
//! of a pid name space, so that `/proc/1` is the node that it made. What every Linux with root has is used: tmpfs, FUSE
//! without its daemon (a file system that hangs, and who asks it is blocked uninterruptibly), veth pairs, cgroups of
//! whichever version is mounted. Disks that stall and a failing NIC can't be had here; those are unit tests on counters.

mod cgroup;
mod files;
mod machine;
mod network;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use whynotready::clock::Clock;
use whynotready::grammar::fact::{Fact, Value};
use whynotready::grammar::vocabulary::{self, Domain};
use whynotready::host::Host;
use whynotready::source::look::{Look, Sampler, run};
use whynotready::source::scene::{Allowed, Scene};
use whynotready::world::World;

/// Tells the test that it runs in the name spaces that it asked for.
const INSIDE: &str = "WHYNOTREADY_TEST_INSIDE";

fn scene(world: World) -> Scene {
    Scene {
        host: Host::at("/"),
        clock: Clock::system(),
        world,
        allowed: Allowed::default(),
    }
}

/// Looks as the agent does, and holds every fact to the vocabulary.
async fn look(sampler: &mut dyn Sampler, scene: &Scene) -> Look {
    let kinds = sampler.kinds();
    let done = run(sampler, scene, Duration::from_secs(10)).await;
    assert!(done.in_time, "{done:?}");
    for blind in &done.look.blind {
        assert!(kinds.contains(&blind.kind), "{blind:?}");
    }
    for reading in &done.look.readings {
        assert!(!reading.text.contains('\n') && !reading.facts.is_empty(), "{reading:?}");
        for fact in &reading.facts {
            assert!(kinds.contains(&fact.kind), "{fact:?}");
            in_vocabulary(fact);
        }
    }
    done.look
}

fn in_vocabulary(fact: &Fact) {
    let spec = vocabulary::all().find(|s| s.kind == fact.kind).unwrap();
    for (name, value) in &fact.attrs {
        let found = spec.attrs.iter().find(|(n, _)| n == name);
        let (_, domain) = found.unwrap_or_else(|| panic!("no attribute {name}: {fact:?}"));
        let fits = match (domain, value) {
            (Domain::Words(words), Value::Text(t)) => words.contains(&t.as_ref()),
            (Domain::Text, Value::Text(_)) | (Domain::Int, Value::Int(_)) => true,
            _ => false,
        };
        assert!(fits, "{name}: {fact:?}");
        let once = fact.attrs.iter().filter(|(n, _)| n == name).count() == 1;
        assert!(once, "{name}: {fact:?}");
    }
}

/// The fact whose attribute has this value.
fn fact<'a>(look: &'a Look, name: &str, value: &str) -> &'a Fact {
    let mut facts = look.readings.iter().flat_map(|r| &r.facts);
    let found = facts.find(|f| f.text(name) == Some(value));
    found.unwrap_or_else(|| panic!("no {name}={value}: {look:#?}"))
}

/// Runs a test again in new name spaces: `unshare FLAGS`. True where it runs in them.
#[expect(clippy::disallowed_methods, reason = "name spaces are made by running unshare")]
fn inside(test: &str, flags: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output = Command::new("unshare")
        .args(flags)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{complaint}"
    );
    false
}

/// Runs a command that must succeed.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests make the faults that the agent looks at"
)]
fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests make the faults that the agent looks at"
)]
fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    std::fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// A shell that ends with the test.
struct Running(Child);

impl Running {
    #[expect(clippy::disallowed_methods, reason = "the tests run what the agent looks at")]
    fn sh(script: &str) -> Self {
        let mut command = Command::new("sh");
        let child = command
            .args(["-ec", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Self(child.spawn().unwrap())
    }

    /// Waits for the shell to say a line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.0.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        line
    }

    /// Gives the shell a line.
    fn tell(&mut self, line: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
