//! A node laid out in a directory, and one look of a source at it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "two test targets share this module, each uses a part of it"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use whynotready::clock::{Clock, Now};
use whynotready::grammar::fact::{Fact, Kind, Value};
use whynotready::grammar::vocabulary::{self, Domain};
use whynotready::host::Host;
use whynotready::model::time::Timestamp;
use whynotready::source::look::{Look, Sampler, run};
use whynotready::source::scene::{Allowed, Scene};
use whynotready::world::World;

/// A copy of a fixture that a test may change.
pub struct Node {
    dir: tempfile::TempDir,
    now: Timestamp,
    pub allowed: Allowed,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/world")
}

impl Node {
    /// A node at a moment (RFC 3339).
    pub fn of(fixture: &str, at: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        copy(&fixtures().join(fixture), dir.path());
        let now: jiff::Timestamp = at.parse().expect("a time");
        Self {
            dir,
            now: Timestamp(now.as_microsecond()),
            allowed: Allowed::default(),
        }
    }

    pub fn host(&self) -> Host {
        Host::at(self.dir.path())
    }

    pub fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// Puts a file of a fixture at a path of the node.
    pub fn fault(&self, fixture: &str, path: &str) {
        self.put(
            path,
            std::fs::read(fixtures().join("lab-faults").join(fixture)).expect("a fixture"),
        );
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.at(path)).expect("removed");
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub fn world(&self) -> World {
        World::discover(&self.host())
    }

    /// What a source says of the node, in the vocabulary.
    pub async fn look(&self, sampler: &mut dyn Sampler) -> Look {
        self.look_at(sampler, self.world()).await
    }

    /// The same with another world.
    pub async fn look_at(&self, sampler: &mut dyn Sampler, world: World) -> Look {
        let now = Now {
            wall: self.now,
            monotonic: 1,
            boottime: 1,
        };
        let scene = Scene {
            host: self.host(),
            clock: Clock::fixed(now),
            world,
            allowed: self.allowed,
        };
        let done = run(sampler, &scene, Duration::from_mins(1)).await;
        for reading in &done.look.readings {
            assert!(!reading.text.contains('\n'), "{}", reading.text);
            for fact in &reading.facts {
                assert!(done.in_time && sampler.kinds().contains(&fact.kind), "{fact:?}");
                spelled(fact);
            }
        }
        done.look
    }
}

/// Every attribute and word is of the vocabulary.
fn spelled(fact: &Fact) {
    let spec = vocabulary::spec(fact.kind).expect("a kind");
    for (name, value) in &fact.attrs {
        let domain = spec.attrs.iter().find(|(n, _)| n == name).map(|(_, d)| *d);
        let fits = match (domain, value) {
            (Some(Domain::Words(words)), Value::Text(text)) => words.contains(&&**text),
            (Some(Domain::Text), Value::Text(_)) | (Some(Domain::Int), Value::Int(_)) => true,
            _ => false,
        };
        assert!(fits, "{name} in {fact:?}");
    }
}

/// The readings with a fact of this kind that has this attribute.
pub fn with<'a>(look: &'a Look, kind: Kind, name: &str, value: &str) -> Vec<(&'a str, &'a Fact)> {
    look.readings
        .iter()
        .flat_map(|r| r.facts.iter().map(|f| (r.text.as_str(), f)))
        .filter(|(_, f)| f.kind == kind && f.text(name) == Some(value))
        .collect()
}

/// The only one of them.
pub fn one<'a>(look: &'a Look, kind: Kind, name: &str, value: &str) -> (&'a str, &'a Fact) {
    let found = with(look, kind, name, value);
    assert_eq!(found.len(), 1, "{name}={value} in {:#?}", look.readings);
    found[0]
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a fixture").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
