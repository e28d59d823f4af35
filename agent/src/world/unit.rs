//! A unit as systemd would load it: file, drop-ins, environment. Reads files only; asks no systemd.
//!
//! Precedence after systemd.unit(5) "Unit File Load Path"; a drop-in of a directory with precedence hides one of the same
//! name elsewhere.

use std::path::PathBuf;

use super::words;
use super::{Note, environment};
use crate::host::Host;

/// Where units lie, highest precedence first.
pub const DIRECTORIES: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];
/// Drop-ins read of one unit; real ones have fewer than ten.
const DROP_INS: usize = 64;
/// Lines read of one file.
const LINES: usize = 4096;

/// What a unit says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// The file and drop-ins that it was read from.
    pub files: Vec<PathBuf>,
    /// True where its file is a link to `/dev/null`.
    pub masked: bool,
    /// The last `ExecStart` with its variables filled in; empty where there is none.
    pub command: Vec<String>,
    /// `WorkingDirectory`.
    pub directory: Option<String>,
    /// `Environment=` and `EnvironmentFile=`, and systemd's `DefaultEnvironment=`.
    pub environment: Vec<(String, String)>,
}

/// Reads a unit; `None` where there is no such file. Files that could not be read are noted.
pub fn read(host: &Host, name: &str, notes: &mut Vec<Note>) -> Option<Unit> {
    let mut unit = Unit {
        name: name.to_owned(),
        ..Unit::default()
    };
    let mut service = Service::default();
    for directory in DIRECTORIES {
        let path = format!("{directory}/{name}");
        if host.link(&path).is_ok_and(|to| to == std::path::Path::new("/dev/null")) {
            unit.masked = true;
            unit.files.push(path.into());
            break;
        }
        match host.text(&path) {
            Ok(text) => {
                service.apply(&text);
                unit.files.push(path.into());
                break;
            }
            Err(e) if e.is_missing() => {}
            Err(e) => notes.push(environment::note(&path, &e)),
        }
    }
    if unit.files.is_empty() {
        return None;
    }
    for path in drop_ins(host, name) {
        match host.text(&path) {
            Ok(text) => {
                service.apply(&text);
                unit.files.push(path.into());
            }
            Err(e) => notes.push(environment::note(&path, &e)),
        }
    }
    unit.environment = environment::of(host, &service.environment, &service.files, notes);
    unit.environment.retain(|(n, _)| !service.unset.contains(n));
    unit.command = service
        .exec
        .last()
        .map(|text| words::command(&specifiers(text, name), &unit.environment))
        .unwrap_or_default();
    unit.directory = service.directory;
    Some(unit)
}

/// Paths of the drop-ins in the order in which they apply: by name, whatever directory they are in.
fn drop_ins(host: &Host, name: &str) -> Vec<String> {
    let mut found: Vec<(String, String)> = Vec::new();
    for directory in DIRECTORIES {
        for owner in [name, "service"] {
            let directory = format!("{directory}/{owner}.d");
            for file in host.list(&directory).unwrap_or_default() {
                if file.ends_with(".conf") && !found.iter().any(|(f, _)| *f == file) && found.len() < DROP_INS {
                    let path = format!("{directory}/{file}");
                    found.push((file, path));
                }
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn specifiers(text: &str, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(s, _)| s);
    let instance = stem.split_once('@').map_or("", |(_, i)| i);
    text.replace("%n", name).replace("%N", stem).replace("%i", instance)
}

/// What is gathered of `[Service]`.
#[derive(Debug, Default)]
struct Service {
    exec: Vec<String>,
    environment: Vec<(String, String)>,
    files: Vec<String>,
    unset: Vec<String>,
    directory: Option<String>,
}

impl Service {
    fn apply(&mut self, text: &str) {
        for (key, value) in assignments(text, "Service") {
            match key.as_str() {
                "ExecStart" if value.is_empty() => self.exec.clear(),
                "ExecStart" => self.exec.push(value),
                "Environment" if value.is_empty() => self.environment.clear(),
                "Environment" => self.environment.extend(pairs(&value)),
                "EnvironmentFile" if value.is_empty() => self.files.clear(),
                "EnvironmentFile" => self.files.push(value),
                "UnsetEnvironment" => self.unset.extend(words::split(&value)),
                "WorkingDirectory" => self.directory = Some(value).filter(|v| !v.is_empty()),
                _ => {}
            }
        }
    }
}

/// `NAME=value` words of an `Environment=` line; `%%` is a per cent sign.
pub fn pairs(value: &str) -> Vec<(String, String)> {
    words::split(value)
        .into_iter()
        .filter_map(|w| w.split_once('=').map(|(n, v)| (n.to_owned(), v.replace("%%", "%"))))
        .collect()
}

/// The assignments of one section, continued lines joined (systemd.syntax(7)).
pub fn assignments(text: &str, section: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut within = false;
    let mut pending = String::new();
    for line in text.lines().take(LINES) {
        let bare = line.trim();
        // A comment within a continued line is passed over.
        if bare.starts_with(['#', ';']) || (bare.is_empty() && pending.is_empty()) {
            continue;
        }
        if let Some(head) = line.trim_end().strip_suffix('\\') {
            pending.push_str(head);
            pending.push(' ');
            continue;
        }
        let whole = std::mem::take(&mut pending) + line;
        let whole = whole.trim();
        if let Some(name) = whole.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
            within = name == section;
        } else if within && let Some((key, value)) = whole.split_once('=') {
            found.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    fn put(root: &std::path::Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn drop_ins_and_environment_files_apply_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(
            root,
            "usr/lib/systemd/system/kubelet.service",
            "[Unit]\nExecStart=/no\n[Service]\nExecStart=/usr/bin/kubelet --a\n",
        );
        put(
            root,
            "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
            "[Service]\nEnvironment=\"KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf --b\"\nEnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\nEnvironmentFile=-/etc/none\nExecStart=\n# c\nExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS \\\n  # within\n  $KUBELET_KUBEADM_ARGS\n",
        );
        put(
            root,
            "etc/systemd/system/kubelet.service.d/proxy.conf",
            "[Service]\nEnvironment=HTTPS_PROXY=http://p:3128 'NO_PROXY=a, b'\n",
        );
        put(
            root,
            "var/lib/kubelet/kubeadm-flags.env",
            "KUBELET_KUBEADM_ARGS=\"--node-ip=10.0.0.1\"\n",
        );
        put(
            root,
            "etc/systemd/system.conf",
            "[Manager]\nDefaultEnvironment=HTTPS_PROXY=http://late:1 ONLY=1\n",
        );
        let mut notes = Vec::new();
        let unit = read(&Host::at(root), "kubelet.service", &mut notes).unwrap();
        assert_eq!(
            unit.command,
            [
                "/usr/bin/kubelet",
                "--kubeconfig=/etc/kubernetes/kubelet.conf",
                "--b",
                "--node-ip=10.0.0.1"
            ]
        );
        assert_eq!(words::lookup(&unit.environment, "HTTPS_PROXY"), Some("http://p:3128"));
        assert_eq!(words::lookup(&unit.environment, "NO_PROXY"), Some("a, b"));
        assert_eq!(words::lookup(&unit.environment, "ONLY"), Some("1"));
        assert_eq!(unit.files.len(), 3);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(read(&Host::at(root), "none.service", &mut notes), None);
    }

    #[test]
    fn the_higher_directory_wins_and_masks() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "lib/systemd/system/k.service", "[Service]\nExecStart=/lib\n");
        put(root, "etc/systemd/system/k.service", "[Service]\nExecStart=/etc\n");
        put(
            root,
            "lib/systemd/system/k.service.d/a.conf",
            "[Service]\nEnvironment=A=lib\n",
        );
        put(
            root,
            "etc/systemd/system/k.service.d/a.conf",
            "[Service]\nEnvironment=A=etc\n",
        );
        let unit = read(&Host::at(root), "k.service", &mut Vec::new()).unwrap();
        assert_eq!(unit.command, ["/etc"]);
        assert_eq!(words::lookup(&unit.environment, "A"), Some("etc"));
        std::fs::create_dir_all(root.join("run/systemd/system")).unwrap();
        std::fs::remove_file(root.join("etc/systemd/system/k.service")).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.join("run/systemd/system/k.service")).unwrap();
        assert!(read(&Host::at(root), "k.service", &mut Vec::new()).unwrap().masked);
    }
}
