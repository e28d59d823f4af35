//! A kubeconfig as client-go's `clientcmd` reads it: current context, its cluster and its user.
//!
//! Tokens, passwords and keys are never kept, and embedded keys are never decoded.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::yaml::{self, Node};
use super::{Credentials, Kubeconfig, KubeconfigState, Note, environment, loadbalancer, pem, visible};
use crate::host::Host;

/// Reads a kubeconfig. Whatever is wrong is in its state; where it may not be read the state is unknown and noted.
pub fn read(host: &Host, path: &Path, notes: &mut Vec<Note>) -> Kubeconfig {
    let mut found = Kubeconfig {
        path: Some(path.to_owned()),
        ..Kubeconfig::default()
    };
    if host.metadata(path).is_ok_and(|m| m.is_dir()) {
        // What a container runtime makes of a missing bind mount.
        return found.but(KubeconfigState::Directory, 0, "a directory is in its place");
    }
    let bytes = match host.read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(e) if e.is_missing() && visible::is(host, path) => {
            return found.but(KubeconfigState::Missing, 0, "there is no such file");
        }
        Err(e) => {
            notes.push(environment::note(path, &e));
            return found;
        }
    };
    if bytes.trim_ascii().is_empty() {
        return found.but(KubeconfigState::Empty, 0, "the file is empty");
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return found.but(KubeconfigState::Invalid, 0, "not UTF-8: no YAML");
    };
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err(fault) => {
            return found.but(
                KubeconfigState::Invalid,
                fault.line,
                format!("no valid YAML: {}", fault.words),
            );
        }
    };
    match kind(&root) {
        Some("Config") | None => {}
        Some(other) => {
            let words = format!("it is a {}, not a kubeconfig", shown(other));
            return found.but(KubeconfigState::Invalid, root.line, words);
        }
    }
    if let Err((state, line, words)) = fill(&mut found, &root, host, path, notes) {
        return found.but(state, line, words);
    }
    found.state = KubeconfigState::Ok;
    found
}

/// What `kind:` says.
pub fn kind(root: &Node) -> Option<&str> {
    root.get("kind").and_then(Node::text)
}

/// A name of a file's own words as it may be shown: short and on one line.
pub fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

type Fault = (KubeconfigState, u64, String);

fn incomplete(line: u64, words: impl Into<String>) -> Fault {
    (KubeconfigState::Incomplete, line, words.into())
}

impl Kubeconfig {
    fn but(mut self, state: KubeconfigState, line: u64, words: impl Into<String>) -> Self {
        self.state = state;
        self.problem = Some((line, words.into()));
        self
    }
}

fn fill(found: &mut Kubeconfig, root: &Node, host: &Host, path: &Path, notes: &mut Vec<Note>) -> Result<(), Fault> {
    if !matches!(root.value, yaml::Value::Map(_)) {
        return Err((KubeconfigState::Invalid, root.line, "no mapping at its top".into()));
    }
    let Some(current) = root
        .get("current-context")
        .and_then(Node::text)
        .filter(|c| !c.is_empty())
    else {
        return Err(incomplete(0, "no current-context"));
    };
    let section = |list: &str, name: &str, what: &str| -> Result<Node, Fault> {
        let items = root.get(list);
        items
            .and_then(|l| l.named("name", name))
            .and_then(|i| i.get(what))
            .cloned()
            .ok_or_else(|| {
                incomplete(
                    items.map_or(0, |i| i.line),
                    format!("{list} has no entry {}", shown(name)),
                )
            })
    };
    let context = section("contexts", current, "context")?;
    let named = |key: &str| {
        context
            .get(key)
            .and_then(Node::text)
            .filter(|n| !n.is_empty())
            .ok_or_else(|| incomplete(context.line, format!("context {} names no {key}", shown(current))))
    };
    let cluster = section("clusters", named("cluster")?, "cluster")?;
    cluster_of(found, &cluster, host, path, notes)?;
    let user = section("users", named("user")?, "user")?;
    found.credentials = credentials(&user, path)?;
    match found.server {
        Some(_) if found.credentials == Credentials::None => Err(incomplete(
            user.line,
            "the user has neither certificate, token nor exec plugin",
        )),
        Some(_) => Ok(()),
        None => Err(incomplete(cluster.line, "the cluster names no server")),
    }
}

fn cluster_of(
    found: &mut Kubeconfig,
    cluster: &Node,
    host: &Host,
    path: &Path,
    notes: &mut Vec<Note>,
) -> Result<(), Fault> {
    let text = |key: &str| cluster.get(key).and_then(Node::text).filter(|t| !t.is_empty());
    if let Some(server) = text("server") {
        // client-go takes a bare host for http.
        found.server = loadbalancer::endpoint(server).or_else(|| loadbalancer::endpoint(&format!("http://{server}")));
        if found.server.is_none() {
            let line = cluster.get("server").map_or(0, |n| n.line);
            return Err((
                KubeconfigState::Invalid,
                line,
                format!("server {} is no URL", shown(server)),
            ));
        }
    }
    found.insecure = cluster
        .get("insecure-skip-tls-verify")
        .and_then(Node::bool)
        .unwrap_or(false);
    found.server_name = text("tls-server-name").map(str::to_owned);
    found.proxy_url = text("proxy-url").map(str::to_owned);
    // Data overrides the file (clientcmd/api/v1, type Cluster).
    if let Some(data) = text("certificate-authority-data") {
        let line = cluster.get("certificate-authority-data").map_or(0, |n| n.line);
        let decoded = decoded(data).ok_or_else(|| {
            (
                KubeconfigState::Invalid,
                line,
                "certificate-authority-data is no base64".to_owned(),
            )
        })?;
        found.ca_pem = Some(pem::encode(&pem::parse(decoded.as_slice()).der));
    } else if let Some(file) = text("certificate-authority") {
        let file = beside(path, file);
        match pem::read(host, &file) {
            Ok(certificates) => found.ca_pem = Some(pem::encode(&certificates.der)),
            Err(e) if e.is_missing() => {}
            Err(e) => notes.push(environment::note(&file, &e)),
        }
        found.ca_path = Some(file);
    }
    Ok(())
}

fn credentials(user: &Node, path: &Path) -> Result<Credentials, Fault> {
    let text = |key: &str| user.get(key).and_then(Node::text).filter(|t| !t.is_empty());
    if let Some(exec) = user.get("exec").filter(|e| !e.is_empty()) {
        return Ok(Credentials::Exec {
            command: shown(exec.get("command").and_then(Node::text).unwrap_or_default()),
        });
    }
    if let Some(data) = text("client-certificate-data") {
        let line = user.get("client-certificate-data").map_or(0, |n| n.line);
        let decoded = decoded(data).ok_or_else(|| {
            (
                KubeconfigState::Invalid,
                line,
                "client-certificate-data is no base64".to_owned(),
            )
        })?;
        return Ok(Credentials::Embedded {
            certificate_pem: pem::encode(&pem::parse(decoded.as_slice()).der),
        });
    }
    if let Some(certificate) = text("client-certificate") {
        let key = text("client-key").map(|k| beside(path, k));
        if key.is_none() && user.get("client-key-data").is_none() {
            return Err(incomplete(user.line, "client-certificate without client-key"));
        }
        let certificate = beside(path, certificate);
        return Ok(Credentials::Files {
            key: key.unwrap_or_else(|| path.to_owned()),
            certificate,
        });
    }
    let token = ["token", "tokenFile", "auth-provider", "username", "password"]
        .iter()
        .any(|k| user.get(k).is_some_and(|n| !n.is_empty()));
    Ok(if token { Credentials::Token } else { Credentials::None })
}

fn decoded(base64: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes: Vec<u8> = base64.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    pem::decode(&bytes).map(Zeroizing::new)
}

/// Relative paths count from the kubeconfig's directory (clientcmd `ResolveLocalPaths`).
fn beside(kubeconfig: &Path, path: &str) -> PathBuf {
    let path = Path::new(path);
    match kubeconfig.parent() {
        Some(directory) if path.is_relative() => directory.join(path),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Kubeconfig {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/k.conf"), text).unwrap();
        std::fs::write(
            dir.path().join("etc/ca.crt"),
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let mut notes = Vec::new();
        let found = read(&Host::at(dir.path()), Path::new("/etc/k.conf"), &mut notes);
        assert!(notes.is_empty(), "{notes:?}");
        found
    }

    const GOOD: &str = "apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: 'https://10.0.0.1:6443', certificate-authority: ca.crt}
users:
- name: u
  user: {client-certificate: pki/c.pem, client-key: /k.pem}
contexts:
- name: x
  context: {cluster: c, user: u}
current-context: x
";

    #[test]
    fn a_good_one_with_relative_paths() {
        let found = read_text(GOOD);
        assert_eq!(found.state, KubeconfigState::Ok, "{:?}", found.problem);
        assert_eq!(found.server.as_ref().map(|s| s.port), Some(6443));
        assert_eq!(found.ca_path, Some("/etc/ca.crt".into()));
        assert!(found.ca_pem.is_some_and(|p| p.starts_with(b"-----BEGIN")));
        assert_eq!(
            found.credentials,
            Credentials::Files {
                certificate: "/etc/pki/c.pem".into(),
                key: "/k.pem".into()
            }
        );
    }

    #[test]
    fn every_other_state() {
        let state = |text: &str| {
            let found = read_text(text);
            (found.state, found.problem.unwrap_or_default())
        };
        assert_eq!(state("").0, KubeconfigState::Empty);
        let (invalid, (line, _)) = state("apiVersion: v1\nkind: Config\nclusters: [\n");
        assert_eq!(invalid, KubeconfigState::Invalid);
        assert!(line >= 3, "{line}");
        let (other, (_, words)) = state("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n");
        assert_eq!(other, KubeconfigState::Invalid);
        assert!(words.contains("KubeletConfiguration"), "{words}");
        assert_eq!(
            state(&GOOD.replace("current-context: x", "")).0,
            KubeconfigState::Incomplete
        );
        let (state_, (line, words)) = state(&GOOD.replace("user: u}", "user: v}"));
        assert_eq!(state_, KubeconfigState::Incomplete);
        assert!(words.contains("users has no entry v") && line == 7, "{words} {line}");
        assert_eq!(
            state(&GOOD.replace("server: 'https://10.0.0.1:6443', ", "")).0,
            KubeconfigState::Incomplete
        );
        assert_eq!(
            state(&GOOD.replace("certificate-authority: ca.crt", "certificate-authority-data: '*'")).0,
            KubeconfigState::Invalid
        );
    }

    #[test]
    fn plugins_tokens_and_embedded_certificates() {
        let with = |user: &str| read_text(&GOOD.replace("{client-certificate: pki/c.pem, client-key: /k.pem}", user));
        assert_eq!(
            with("{exec: {command: aws, args: [eks, get-token]}}").credentials,
            Credentials::Exec { command: "aws".into() }
        );
        let token = with("{token: sesame}");
        assert_eq!(token.credentials, Credentials::Token);
        assert!(!format!("{token:?}").contains("sesame"));
        let data = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmFHVnNiRzg9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K";
        let embedded = with(&format!("{{client-certificate-data: {data}, client-key-data: {data}}}"));
        assert!(
            matches!(embedded.credentials, Credentials::Embedded { certificate_pem } if certificate_pem.starts_with(b"-----BEGIN"))
        );
        assert_eq!(with("{}").state, KubeconfigState::Incomplete);
    }

    #[test]
    fn missing_and_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        let host = Host::at(dir.path());
        let of = |path: &str| read(&host, Path::new(path), &mut Vec::new()).state;
        assert_eq!(of("/none"), KubeconfigState::Missing);
        assert_eq!(of("/d"), KubeconfigState::Directory);
    }
}
