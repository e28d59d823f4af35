//! The kubelet's configuration file and its drop-ins: read, checked and merged.
//!
//! After the kubelet's `mergeKubeletConfigurations` (1.28 and later): drop-ins are the files named `*.conf` in
//! `--config-dir`, below it too, in the order of their paths.

use std::path::{Path, PathBuf};

use super::yaml::{self, Node, Value};
use super::{ConfigFile, ConfigState, Note, Problem, environment, kubeconfig, schema, visible};
use crate::host::Host;

/// Drop-ins read.
const DROP_INS: usize = 64;
/// Faults kept of all files.
const PROBLEMS: usize = 16;
/// Directories below `--config-dir` that are looked into.
const DEPTH: usize = 3;

/// Reads the file and the drop-ins; the merged document is `None` where nothing could be read.
pub fn read(
    host: &Host,
    path: Option<&Path>,
    directory: Option<&Path>,
    notes: &mut Vec<Note>,
) -> (ConfigFile, Option<Node>) {
    let mut file = ConfigFile::default();
    let mut merged = None;
    if let Some(path) = path {
        (file.state, merged) = one(host, path, &mut file.problems, notes);
    }
    if let Some(directory) = directory {
        let mut paths = Vec::new();
        gather(host, directory, DEPTH, &mut paths);
        paths.sort();
        for path in paths.into_iter().take(DROP_INS) {
            let (state, node) = one(host, &path, &mut file.problems, notes);
            match (&mut merged, node) {
                (Some(merged), Some(node)) => merged.overlay(node),
                (merged @ None, Some(node)) => *merged = Some(node),
                _ => {}
            }
            if state == ConfigState::Invalid {
                file.state = ConfigState::Invalid;
            } else if file.state == ConfigState::Unknown {
                file.state = state;
            }
            file.drop_ins.push(path);
        }
    }
    file.problems.truncate(PROBLEMS);
    (file, merged)
}

fn gather(host: &Host, directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for name in host.list(directory).unwrap_or_default().into_iter().take(DROP_INS) {
        let path = directory.join(&name);
        if Path::new(&name).extension().is_some_and(|e| e == "conf") {
            found.push(path);
        } else if depth > 0 && host.metadata(&path).is_ok_and(|m| m.is_dir()) {
            gather(host, &path, depth - 1, found);
        }
    }
}

fn one(host: &Host, path: &Path, problems: &mut Vec<Problem>, notes: &mut Vec<Note>) -> (ConfigState, Option<Node>) {
    let mut wrong = |line: u64, field: &str, words: String| {
        problems.push(Problem {
            path: path.to_owned(),
            line,
            field: field.to_owned(),
            words,
        });
    };
    let text = match host.text(path) {
        Ok(text) => text,
        Err(e) if e.is_missing() && visible::is(host, path) => {
            wrong(0, "", "there is no such file".into());
            return (ConfigState::Missing, None);
        }
        Err(e) => {
            notes.push(environment::note(path, &e));
            return (ConfigState::Unknown, None);
        }
    };
    let root = match yaml::parse(&text) {
        Ok(root) => root,
        Err(fault) => {
            wrong(fault.line, "", format!("no valid YAML: {}", fault.words));
            return (ConfigState::Invalid, None);
        }
    };
    if root.is_empty() {
        wrong(0, "", "the file is empty".into());
        return (ConfigState::Empty, None);
    }
    if !matches!(root.value, Value::Map(_)) {
        wrong(root.line, "", "no mapping at its top".into());
        return (ConfigState::Invalid, None);
    }
    match kubeconfig::kind(&root) {
        Some("KubeletConfiguration") => {}
        Some(other) => {
            wrong(
                root.line,
                "kind",
                format!("it is a {}, not a KubeletConfiguration", kubeconfig::shown(other)),
            );
            return (ConfigState::Invalid, None);
        }
        // Object 'Kind' is missing: the decoder needs it.
        None => {
            wrong(root.line, "kind", "kind is missing".into());
            return (ConfigState::Invalid, Some(root));
        }
    }
    let faults = schema::check(&root);
    for fault in &faults {
        wrong(fault.line, &fault.field, fault.words.clone());
    }
    let state = if faults.is_empty() {
        ConfigState::Ok
    } else {
        ConfigState::Invalid
    };
    (state, Some(root))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

    #[test]
    fn drop_ins_are_merged_in_name_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("d")).unwrap();
        std::fs::write(root.join("c.yaml"), format!("{HEAD}port: 1\nhealthzPort: 7\n")).unwrap();
        std::fs::write(root.join("d/20.conf"), format!("{HEAD}port: 3\n")).unwrap();
        std::fs::write(root.join("d/10.conf"), format!("{HEAD}port: 2\nmaxPods: lots\n")).unwrap();
        std::fs::write(root.join("d/30.yaml"), format!("{HEAD}port: 9\n")).unwrap();
        let host = Host::at(root);
        let (file, merged) = read(
            &host,
            Some(Path::new("/c.yaml")),
            Some(Path::new("/d")),
            &mut Vec::new(),
        );
        let merged = merged.unwrap();
        assert_eq!(merged.get("port").unwrap().int(), Some(3));
        assert_eq!(merged.get("healthzPort").unwrap().int(), Some(7));
        assert_eq!(file.state, ConfigState::Invalid);
        assert_eq!(file.problems.len(), 1);
        assert_eq!(file.problems[0].path, Path::new("/d/10.conf"));
        assert_eq!((file.problems[0].line, file.problems[0].field.as_str()), (4, "maxPods"));
        assert_eq!(file.drop_ins.len(), 2);
    }

    #[test]
    fn every_state() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        let state = |text: Option<&str>| {
            let _ = std::fs::remove_file(dir.path().join("c"));
            if let Some(text) = text {
                std::fs::write(dir.path().join("c"), text).unwrap();
            }
            read(&host, Some(Path::new("/c")), None, &mut Vec::new()).0.state
        };
        assert_eq!(state(None), ConfigState::Missing);
        assert_eq!(state(Some("")), ConfigState::Empty);
        assert_eq!(state(Some(HEAD)), ConfigState::Ok);
        assert_eq!(state(Some("a: [\n")), ConfigState::Invalid);
        assert_eq!(state(Some("port: 1\n")), ConfigState::Invalid);
        assert_eq!(state(Some("kind: Config\n")), ConfigState::Invalid);
        assert_eq!(
            state(Some("{\"kind\": \"KubeletConfiguration\", \"port\": 10250}")),
            ConfigState::Ok
        );
    }
}
