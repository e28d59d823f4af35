//! The node that the sources look at, and what they say of it.

use std::path::Path;
use std::time::Duration;

use whynotready::clock::Clock;
use whynotready::grammar::fact::{Fact, Kind};
use whynotready::grammar::vocabulary::{Domain, spec};
use whynotready::host::Host;
use whynotready::source::look::{Look, Sampler};
use whynotready::source::probe::sampler::ApiProbe;
use whynotready::source::scene::{Allowed, Scene};
use whynotready::world::{Endpoint, Kubeconfig, KubeconfigState, World};

/// A node with these files.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let all = Self(dir);
        all.put("etc/hosts", "127.0.0.1 localhost\n");
        for (path, text) in files {
            all.put(path, text);
        }
        all
    }

    #[expect(clippy::disallowed_methods, reason = "the node's files are made here")]
    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("written");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

pub(crate) fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint {
        host: host.into(),
        port,
        path: String::new(),
    }
}

/// A node whose kubelet talks to this API server and trusts this CA.
pub(crate) fn scene(files: &Files, server: Option<Endpoint>, ca: &str) -> Scene {
    Scene {
        host: Host::at(files.path()),
        clock: Clock::system(),
        world: World {
            node_name: Some("node1".into()),
            kubeconfig: Kubeconfig {
                path: Some("/etc/kubernetes/kubelet.conf".into()),
                state: KubeconfigState::Ok,
                server,
                ca_pem: (!ca.is_empty()).then(|| ca.as_bytes().to_vec()),
                ..Kubeconfig::default()
            },
            ..World::default()
        },
        allowed: Allowed {
            stage: Duration::from_millis(700),
            ..Allowed::default()
        },
    }
}

/// Looks, and holds every fact against the vocabulary.
pub(crate) async fn look(sampler: &mut dyn Sampler, scene: &Scene) -> Look {
    let look = sampler.look(scene).await;
    for fact in look.readings.iter().flat_map(|r| &r.facts) {
        let known = spec(fact.kind).expect("a kind").attrs;
        for (name, value) in &fact.attrs {
            let (_, domain) = known
                .iter()
                .find(|(n, _)| n == name)
                .unwrap_or_else(|| panic!("{name}"));
            match (domain, fact.text(name), fact.int(name)) {
                (Domain::Words(words), Some(word), None) => assert!(words.contains(&word), "{name}={word}"),
                (Domain::Text, Some(_), None) | (Domain::Int, None, Some(_)) => {}
                _ => panic!("{name}: {value:?}"),
            }
        }
    }
    for reading in &look.readings {
        assert!(
            !reading.text.contains('\n') && reading.text.len() < 600,
            "{}",
            reading.text
        );
    }
    look
}

/// The facts of a kind.
pub(crate) fn facts(look: &Look, kind: Kind) -> Vec<&Fact> {
    look.readings
        .iter()
        .flat_map(|r| &r.facts)
        .filter(|f| f.kind == kind)
        .collect()
}

/// The one fact of a kind.
pub(crate) fn fact(look: &Look, kind: Kind) -> &Fact {
    let all = facts(look, kind);
    assert_eq!(all.len(), 1, "{look:#?}");
    all[0]
}

/// The text of the first reading of a kind.
pub(crate) fn text(look: &Look, kind: Kind) -> &str {
    let found = look.readings.iter().find(|r| r.facts.iter().any(|f| f.kind == kind));
    &found.expect("a reading").text
}

/// Why a kind could not be looked at.
pub(crate) fn blind(look: &Look, kind: Kind) -> &str {
    &look.blind.iter().find(|b| b.kind == kind).expect("blind").reason
}

/// `name=word` of a fact, in the order asked for; `-` for what it does not say.
pub(crate) fn says(fact: &Fact, names: &[&str]) -> String {
    let word = |name: &&str| {
        let number = fact.int(name).map(|n| n.to_string());
        number
            .or_else(|| fact.text(name).map(str::to_owned))
            .unwrap_or_else(|| "-".into())
    };
    names.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Probes this server.
pub(crate) async fn probe(host: &str, port: u16, ca: &str) -> Look {
    let files = Files::new(&[]);
    look(&mut ApiProbe::new(None), &scene(&files, Some(endpoint(host, port)), ca)).await
}
