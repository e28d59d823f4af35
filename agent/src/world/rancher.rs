//! k3s and RKE2: what their configuration files and command lines pass on to the kubelet that they hold.

use super::yaml::{self, Node};
use super::{Note, environment, flags};
use crate::host::Host;

/// Files read below `config.yaml.d`.
const FILES: usize = 32;

/// The kubelet's flags as far as `/etc/rancher/NAME/config.yaml`, its drop-ins and the unit's command line give them.
pub fn kubelet_flags(host: &Host, name: &str, command: &[String], notes: &mut Vec<Note>) -> Vec<(String, String)> {
    let mut passed = Vec::new();
    let directory = format!("/etc/rancher/{name}/config.yaml.d");
    let mut paths = vec![format!("/etc/rancher/{name}/config.yaml")];
    for file in host.list(&directory).unwrap_or_default().into_iter().take(FILES) {
        if [".yaml", ".yml"].iter().any(|e| file.ends_with(e)) {
            paths.push(format!("{directory}/{file}"));
        }
    }
    for path in paths {
        match host.text(&path) {
            Ok(text) => {
                if let Ok(root) = yaml::parse(&text) {
                    file(&root, &mut passed);
                }
            }
            Err(e) if e.is_missing() => {}
            Err(e) => notes.push(environment::note(&path, &e)),
        }
    }
    for (flag, value) in flags::parse(command) {
        own(&flag, &value, &mut passed);
    }
    passed
}

fn file(root: &Node, passed: &mut Vec<(String, String)>) {
    let yaml::Value::Map(entries) = &root.value else { return };
    for (key, node) in entries {
        // `kubelet-arg+` appends to what other files say.
        let key = key.trim_end_matches('+');
        for value in node.items().iter().chain([node]).filter_map(Node::scalar) {
            own(key, &value, passed);
        }
    }
}

fn own(name: &str, value: &str, passed: &mut Vec<(String, String)>) {
    let flag = match name {
        "kubelet-arg" => {
            let (flag, value) = value.split_once('=').unwrap_or((value, "true"));
            return passed.push((flag.trim_start_matches('-').to_owned(), value.to_owned()));
        }
        "node-name" => "hostname-override",
        "node-ip" => "node-ip",
        "resolv-conf" => "resolv-conf",
        "container-runtime-endpoint" => "container-runtime-endpoint",
        _ => return,
    };
    passed.push((flag.to_owned(), value.to_owned()));
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    #[test]
    fn files_and_command_line() {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc/rancher/k3s");
        std::fs::create_dir_all(etc.join("config.yaml.d")).unwrap();
        std::fs::write(
            etc.join("config.yaml"),
            "token: secret\nnode-name: n1\nkubelet-arg:\n- max-pods=50\n",
        )
        .unwrap();
        std::fs::write(etc.join("config.yaml.d/a.yaml"), "kubelet-arg+: fail-swap-on\n").unwrap();
        let command = ["k3s", "agent", "--kubelet-arg=v=4", "--node-ip", "10.0.0.1"].map(str::to_owned);
        let found = kubelet_flags(&Host::at(dir.path()), "k3s", &command, &mut Vec::new());
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(
            found,
            [
                ("hostname-override", "n1"),
                ("max-pods", "50"),
                ("fail-swap-on", "true"),
                ("v", "4"),
                ("node-ip", "10.0.0.1")
            ]
        );
    }
}
