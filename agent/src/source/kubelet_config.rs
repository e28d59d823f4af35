//! The kubelet's configuration file, and its settings against the node that they are for.
//!
//! Whether a setting is wise is not judged: only whether the kubelet can work with it here.

use std::time::Duration;

use super::look::{Look, Looking, Sampler, blocking};
use super::scene::Scene;
use super::unread;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::world::{ConfigState, Problem, World};

mod binary;
mod cgroup;
mod flag;
mod known_flags;
mod no_proxy;
mod paths;
mod port;
mod proxy;
mod runtime;
mod swap;

/// Looks at the configuration and the settings that `World` found.
#[derive(Debug, Default)]
pub struct KubeletConfig;

impl Sampler for KubeletConfig {
    fn name(&self) -> &'static str {
        "kubelet-config"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::KubeletConfig, Kind::KubeletSetting]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let (host, world) = (scene.host.clone(), scene.world.clone());
            if world.kubelet.is_none() && world.unit.is_none() && world.distribution.is_none() {
                let mut look = Look::default();
                for kind in self.kinds() {
                    look.missed(*kind, "nothing on this machine looks like a kubelet", None);
                }
                return look;
            }
            // Static path and volume directory may be on a file system that hangs.
            if let Some(look) = blocking(move || look(&host, &world)).await {
                look
            } else {
                let mut look = Look::default();
                look.missed(Kind::KubeletSetting, "the look at the settings broke off", None);
                look
            }
        })
    }
}

fn look(host: &Host, world: &World) -> Look {
    let mut look = Look::default();
    file(&mut look, world);
    cgroup::version(&mut look, host);
    // What a file would say that is there and not visible from here is not its default.
    if world.config.state == ConfigState::Unknown && world.config_path.is_some() {
        let why = "the kubelet's configuration file, which may set them, is not visible here";
        unread::world(
            &mut look,
            Kind::KubeletSetting,
            world,
            world.config_path.as_deref(),
            why,
        );
    } else {
        swap::look(&mut look, host, world);
        cgroup::driver(&mut look, world);
        paths::look(&mut look, host, world);
        port::look(&mut look, host, world);
    }
    binary::look(&mut look, host, world);
    runtime::look(&mut look, host, world);
    proxy::look(&mut look, world);
    flag::look(&mut look, host, world);
    look
}

fn file(look: &mut Look, world: &World) {
    let state = match world.config.state {
        ConfigState::Unknown => {
            if world.flags_known && world.config_path.is_none() {
                let fact = Fact::new(Kind::KubeletConfig).with("state", "ok");
                look.saw("the kubelet was given no configuration file: defaults and flags", fact);
            } else {
                let why = "no kubelet runs, and no unit says which configuration it would use";
                unread::world(look, Kind::KubeletConfig, world, world.config_path.as_deref(), why);
            }
            return;
        }
        ConfigState::Ok => "ok",
        ConfigState::Missing => "missing",
        ConfigState::Empty => "empty",
        ConfigState::Invalid => "invalid",
    };
    if world.config.problems.is_empty() {
        let path = world
            .config_path
            .clone()
            .or_else(|| world.config.drop_ins.first().cloned())
            .unwrap_or_default();
        let path = path.display().to_string();
        let more = match world.config.drop_ins.len() {
            0 => String::new(),
            n => format!(" with {n} drop-ins"),
        };
        let fact = Fact::new(Kind::KubeletConfig)
            .with("state", state)
            .with_text("path", path.clone());
        look.saw(format!("{path}{more}  {state}"), fact);
    }
    for problem in &world.config.problems {
        look.saw(words(problem), fact(problem, state));
    }
}

fn words(problem: &Problem) -> String {
    let mut text = problem.path.display().to_string();
    if problem.line > 0 {
        text.push_str(&format!(":{}", problem.line));
    }
    text.push_str("  ");
    if !problem.field.is_empty() {
        text.push_str(&format!("{}: ", problem.field));
    }
    text + &problem.words
}

fn fact(problem: &Problem, state: &'static str) -> Fact {
    let mut fact = Fact::new(Kind::KubeletConfig)
        .with("state", state)
        .with_text("path", problem.path.display().to_string());
    if problem.line > 0 {
        fact = fact.with_int("line", problem.line as i64);
    }
    fact = fact.with_text("problem", problem.words.clone());
    if problem.field.is_empty() {
        fact
    } else {
        fact.with_text("field", problem.field.clone())
    }
}

/// One setting: what it is about, `ok`, `bad` or `unknown`, and in words.
struct Setting {
    what: &'static str,
    state: &'static str,
    value: String,
    found: String,
    problem: Option<String>,
}

impl Setting {
    fn new(what: &'static str, state: &'static str, value: impl Into<String>) -> Self {
        Self {
            what,
            state,
            value: value.into(),
            found: String::new(),
            problem: None,
        }
    }

    fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    fn problem(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    fn fact(&self) -> Fact {
        let mut fact = Fact::new(Kind::KubeletSetting)
            .with("what", self.what)
            .with("state", self.state);
        for (name, text) in [("value", &self.value), ("found", &self.found)] {
            if !text.is_empty() {
                fact = fact.with_text(name, text.clone());
            }
        }
        match &self.problem {
            Some(problem) => fact.with_text("problem", problem.clone()),
            None => fact,
        }
    }

    /// States it.
    fn say(self, look: &mut Look, text: impl Into<String>) {
        look.saw(text, self.fact());
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    /// What one look at these files says of one setting.
    pub(super) fn settings(files: &[(&str, &str)], what: &str) -> Vec<(String, Fact)> {
        let look = of(files);
        let of_it = |r: &&super::super::look::Reading| r.facts[0].text("what") == Some(what);
        look.readings
            .iter()
            .filter(of_it)
            .map(|r| (r.text.clone(), r.facts[0].clone()))
            .collect()
    }

    pub(super) fn of(files: &[(&str, &str)]) -> Look {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::at(dir.path());
        look(&host, &World::discover(&host))
    }

    pub(super) const UNIT: (&str, &str) = (
        "etc/systemd/system/kubelet.service",
        "[Service]\nExecStart=/usr/bin/kubelet --config=/c.yaml --kubeconfig=/k.conf\n",
    );

    #[test]
    fn a_file_that_cannot_be_seen_from_here_is_not_its_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        let mut world = World {
            config_path: Some("/var/lib/kubelet/config.yaml".into()),
            flags_known: true,
            ..World::default()
        };
        world.runtime.config.cgroup_driver = Some("systemd");
        world.settings.cgroup_driver = "cgroupfs".into();
        let states = |world: &World| {
            let look = look(&host, world);
            let of = look.readings.iter().map(|r| &r.facts[0]);
            let driver = of.filter(|f| f.text("what") == Some("cgroup-driver"));
            driver
                .filter_map(|f| f.text("state").map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(world.config.state, ConfigState::Unknown);
        assert_eq!(states(&world), [""; 0]);
        world.config.state = ConfigState::Ok;
        assert_eq!(states(&world), ["bad"], "where it is seen it counts");
    }

    #[test]
    fn every_fault_of_the_file_is_stated() {
        let text = "kind: KubeletConfiguration\nmaxPods: lots\nport: x\n";
        let look = of(&[UNIT, ("c.yaml", text)]);
        let of_file: Vec<_> = look
            .readings
            .iter()
            .filter(|r| r.facts[0].kind == Kind::KubeletConfig)
            .collect();
        assert_eq!(of_file.len(), 2);
        assert_eq!(
            of_file[0].text,
            "/c.yaml:2  maxPods: the text \"lots\" where a whole number is expected"
        );
        let fact = &of_file[0].facts[0];
        assert_eq!(
            (fact.text("state"), fact.int("line"), fact.text("field")),
            (Some("invalid"), Some(2), Some("maxPods"))
        );
    }

    #[test]
    fn well_missing_and_unknown() {
        let state = |files: &[(&str, &str)]| {
            let look = of(files);
            let found = look.readings.iter().find(|r| r.facts[0].kind == Kind::KubeletConfig);
            (
                found.map(|r| r.facts[0].text("state").unwrap().to_owned()),
                look.blind.iter().any(|b| b.kind == Kind::KubeletConfig),
            )
        };
        assert_eq!(
            state(&[UNIT, ("c.yaml", "kind: KubeletConfiguration\n")]),
            (Some("ok".into()), false)
        );
        assert_eq!(state(&[UNIT]), (Some("missing".into()), false));
        assert_eq!(state(&[]), (None, true));
    }
}
