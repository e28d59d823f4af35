//! The kubelet's kubeconfig as it lies on the node. States what is in it, never a secret of it; asks nobody whether it
//! is right.

use std::time::Duration;

use super::look::{Look, Looking, Reading, Sampler};
use super::scene::Scene;
use super::unread;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::world::{Credentials, Kubeconfig, KubeconfigState, World, visible};

/// Looks at the kubeconfig that `World` found.
#[derive(Debug, Default)]
pub struct KubeconfigFile;

impl Sampler for KubeconfigFile {
    fn name(&self) -> &'static str {
        "kubeconfig"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Kubeconfig]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move { look(&scene.host, &scene.world) })
    }
}

fn look(host: &Host, world: &World) -> Look {
    let mut look = Look::default();
    let found = &world.kubeconfig;
    let Some(state) = word(found.state) else {
        let why = if world.flags_known && found.path.is_none() {
            "the kubelet was given no --kubeconfig: it runs without an API server"
        } else {
            "no kubelet runs, and no unit says which kubeconfig it would use"
        };
        unread::world(&mut look, Kind::Kubeconfig, world, found.path.as_deref(), why);
        return look;
    };
    let path = found.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let bootstrap = bootstrap(host, world);
    let mut fact = Fact::new(Kind::Kubeconfig)
        .with("state", state)
        .with_text("path", path.clone());
    let mut text = path;
    if let Some((line, problem)) = &found.problem {
        if *line > 0 {
            fact = fact.with_int("line", *line as i64);
            text.push_str(&format!(":{line}"));
        }
        fact = fact.with_text("problem", problem.clone());
        text.push_str(&format!("  {problem}"));
    }
    fact = fact.with("bootstrap", bootstrap);
    if found.state == KubeconfigState::Ok || found.server.is_some() {
        let server = server(found);
        let (credentials, shown) = credentials(&found.credentials);
        let ca = ca(found);
        if found.state == KubeconfigState::Ok {
            text.push_str("  ok");
        }
        text.push_str(&format!(
            "  server {server}  credentials {shown}  {}",
            ca_words(found, ca)
        ));
        fact = fact
            .with("credentials", credentials)
            .with_text("server", server)
            .with("ca", ca);
    }
    if found.state == KubeconfigState::Missing {
        text.push_str(match bootstrap {
            "present" => "; the bootstrap kubeconfig is there, so the kubelet asks for a certificate with it",
            "missing" => "; the bootstrap kubeconfig is not there either",
            _ => "; the kubelet was given no bootstrap kubeconfig",
        });
    }
    look.readings.push(Reading::new(text, fact));
    look
}

fn word(state: KubeconfigState) -> Option<&'static str> {
    Some(match state {
        KubeconfigState::Unknown => return None,
        KubeconfigState::Ok => "ok",
        KubeconfigState::Missing => "missing",
        KubeconfigState::Empty => "empty",
        KubeconfigState::Directory => "directory",
        KubeconfigState::Invalid => "invalid",
        KubeconfigState::Incomplete => "incomplete",
    })
}

fn bootstrap(host: &Host, world: &World) -> &'static str {
    match &world.bootstrap_kubeconfig {
        None => "none",
        Some(path) if host.metadata(path).is_ok() => "present",
        // Not knowing is not missing, but the vocabulary has no third word: it is then as if none were configured.
        Some(path) if visible::is(host, path) => "missing",
        Some(_) => "none",
    }
}

fn server(found: &Kubeconfig) -> String {
    found.server.as_ref().map_or_else(String::new, |e| {
        let host = if e.host.contains(':') {
            format!("[{}]", e.host)
        } else {
            e.host.clone()
        };
        format!("{host}:{}{}", e.port, e.path)
    })
}

fn credentials(of: &Credentials) -> (&'static str, String) {
    match of {
        Credentials::None => ("none", "none".into()),
        Credentials::Files { certificate, .. } => ("client-certificate", certificate.display().to_string()),
        Credentials::Embedded { .. } => ("client-certificate", "client certificate in the file".into()),
        Credentials::Token => ("token", "token".into()),
        Credentials::Exec { command } => ("exec", format!("exec plugin {command}")),
    }
}

fn ca(found: &Kubeconfig) -> &'static str {
    match (&found.ca_pem, &found.ca_path) {
        (Some(pem), _) if !pem.is_empty() => "present",
        (Some(_), _) => "invalid",
        (None, Some(_)) => "missing",
        (None, None) => "none",
    }
}

fn ca_words(found: &Kubeconfig, ca: &str) -> String {
    let place = found
        .ca_path
        .as_ref()
        .map_or_else(|| "embedded".to_owned(), |p| p.display().to_string());
    match ca {
        "present" => format!("CA {place}"),
        "invalid" => format!("CA {place} holds no certificate"),
        "missing" => format!("CA {place} is not there or not readable"),
        _ if found.insecure => "no CA, insecure-skip-tls-verify".into(),
        _ => "no CA: the system's is used".into(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Look {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::at(dir.path());
        look(&host, &World::discover(&host))
    }

    const UNIT: (&str, &str) = (
        "etc/systemd/system/kubelet.service",
        "[Service]\nExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf --bootstrap-kubeconfig=/etc/kubernetes/b.conf\n",
    );

    #[test]
    fn gone() {
        let look = of(&[UNIT]);
        let fact = &look.readings[0].facts[0];
        assert_eq!(fact.text("state"), Some("missing"));
        assert_eq!(fact.text("path"), Some("/etc/kubernetes/kubelet.conf"));
        assert_eq!(fact.text("bootstrap"), Some("missing"));
        assert!(
            look.readings[0]
                .text
                .contains("/etc/kubernetes/kubelet.conf  there is no such file")
        );
        let look = of(&[UNIT, ("etc/kubernetes/b.conf", "x")]);
        assert_eq!(look.readings[0].facts[0].text("bootstrap"), Some("present"));
    }

    #[test]
    fn well() {
        let text = "{kind: Config, clusters: [{name: c, cluster: {server: 'https://[fd00::1]:6443'}}], users: [{name: u, user: {exec: {command: aws}}}], contexts: [{name: x, context: {cluster: c, user: u}}], current-context: x}";
        let look = of(&[UNIT, ("etc/kubernetes/kubelet.conf", text)]);
        let fact = &look.readings[0].facts[0];
        assert_eq!(fact.text("state"), Some("ok"), "{}", look.readings[0].text);
        assert_eq!(fact.text("server"), Some("[fd00::1]:6443"));
        assert_eq!(fact.text("credentials"), Some("exec"));
        assert_eq!(fact.text("ca"), Some("none"));
    }

    #[test]
    fn nothing_known_is_a_gap() {
        let look = of(&[]);
        assert!(look.readings.is_empty());
        assert_eq!(look.blind[0].kind, Kind::Kubeconfig);
        assert!(look.blind[0].grant.is_some());
    }
}
