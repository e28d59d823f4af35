//! What of the node the pod sees: exact paths, read-only, none of them ever created.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::tools::{KUBERNETES, Rendered, chart, entries, list, rendered, with};

const STATE: &str = "/var/lib/whynotready";

/// Directories of which no more than single entries may be mounted: they hold sockets that are root on the node, the
/// secrets of all pods, or all of it.
const TOO_WIDE: [&str; 9] = [
    "/",
    "/run",
    "/var/run",
    "/run/systemd",
    "/sys",
    "/var",
    "/var/lib",
    "/var/lib/kubelet",
    "/root",
];

/// Each volume with its mount.
fn mounted(all: &Rendered) -> Vec<(&Value, &Value)> {
    let mounts = list(&all.container()["volumeMounts"]);
    let volumes = list(&all.pod()["volumes"]);
    assert_eq!(mounts.len(), volumes.len(), "each volume is mounted once");
    let find = |m: &Value| {
        volumes
            .iter()
            .find(|v| v["name"] == m["name"])
            .unwrap_or_else(|| panic!("no volume {}", m["name"]))
    };
    mounts.iter().map(|m| (find(m), m)).collect()
}

fn sound(all: &Rendered, from: &str, recursive: bool) {
    let mut names = BTreeSet::new();
    for (volume, mount) in mounted(all) {
        let name = volume["name"].as_str().unwrap();
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(
            name.len() <= 63 && name.chars().all(label) && !name.ends_with('-'),
            "{from}: {name}"
        );
        assert!(names.insert(name), "{from}: {name} twice");
        let Some(path) = volume["hostPath"]["path"].as_str() else {
            assert!(
                volume["emptyDir"].is_object() || mount["readOnly"] == true,
                "{from}: {name}"
            );
            continue;
        };
        if path == STATE {
            assert_eq!(volume["hostPath"]["type"], "DirectoryOrCreate");
            assert_eq!(mount["mountPath"], STATE);
            assert!(mount["readOnly"].is_null());
            continue;
        }
        // The empty type is the trap: container runtimes create what is missing then.
        assert!(
            ["Directory", "File"].contains(&volume["hostPath"]["type"].as_str().unwrap_or("")),
            "{from}: {path}"
        );
        assert!(!TOO_WIDE.contains(&path.trim_end_matches('/')), "{from}: {path}");
        assert_eq!(mount["mountPath"], format!("/host{path}"), "{from}");
        assert_eq!(mount["readOnly"], true, "{from}: {path}");
        if mount["mountPropagation"].is_null() {
            let wanted = if recursive { json!("IfPossible") } else { Value::Null };
            assert_eq!(mount["recursiveReadOnly"], wanted, "{from}: {path}");
        } else {
            // the API server refuses both together
            assert_eq!(
                (&mount["mountPropagation"], &mount["recursiveReadOnly"]),
                (&json!("HostToContainer"), &Value::Null)
            );
        }
    }
}

#[test]
fn only_the_state_directory_is_written_or_created() {
    for file in entries(chart().join("ci"), "-values.yaml") {
        let file = file.to_str().unwrap();
        for kubernetes in KUBERNETES {
            sound(
                &rendered(kubernetes, &["--values", file]),
                file,
                kubernetes != KUBERNETES[0],
            );
        }
    }
}

#[test]
fn by_default_it_sees_what_every_node_with_systemd_has() {
    let wanted = [
        "/etc",
        "/proc",
        "/run/log",
        "/sys/class/block",
        "/sys/class/net",
        "/sys/dev/block",
        "/sys/devices",
        "/sys/fs/cgroup",
        "/var/lib/whynotready",
        "/var/log",
    ];
    assert_eq!(with(&[]).host_paths(), wanted);
}

/// What a value adds to the paths of the node.
fn adds(base: &[&str], more: &[&str]) -> Vec<String> {
    let before: BTreeSet<String> = with(base).host_paths().into_iter().collect();
    let sets: Vec<&str> = base.iter().chain(more).copied().collect();
    let after: BTreeSet<String> = with(&sets).host_paths().into_iter().collect();
    assert!(before.is_subset(&after), "{more:?} takes a path away");
    after.difference(&before).cloned().collect()
}

#[test]
fn each_switch_adds_what_it_needs_and_no_more() {
    assert_eq!(adds(&[], &["kubeletPki.enabled=true"]), ["/var/lib/kubelet/pki"]);
    assert_eq!(
        adds(&["kubeletPki.enabled=true"], &["config.probe.as_kubelet=true"]),
        [""; 0]
    );
    assert_eq!(adds(&[], &["config.dbus.enabled=true"]), ["/run/dbus"]);
    assert_eq!(adds(&[], &["config.cri.enabled=true"]), ["/run/containerd"]);
    assert_eq!(
        adds(&["platform=openshift"], &["config.cri.enabled=true"]),
        ["/run/crio"]
    );
    assert_eq!(
        adds(&[], &["config.cri.enabled=true", "cri.directory=/run/crio"]),
        ["/run/crio"]
    );
    let extra = [
        "hostPaths.extra[0].path=/run/systemd/resolve",
        "hostPaths.extra[0].type=Directory",
    ];
    assert_eq!(adds(&[], &extra), ["/run/systemd/resolve"]);
    // k3s has key and certificate in files of their own: the key comes with its own switch
    let k3s = ["platform=k3s"];
    let agent = "/var/lib/rancher/k3s/agent";
    assert_eq!(
        adds(&k3s, &["kubeletPki.enabled=true"]),
        [
            format!("{agent}/client-kubelet.crt"),
            format!("{agent}/serving-kubelet.crt")
        ]
    );
    let both = ["platform=k3s", "kubeletPki.enabled=true"];
    assert_eq!(
        adds(&both, &["config.probe.as_kubelet=true"]),
        [format!("{agent}/client-kubelet.key")]
    );
}

#[test]
fn a_platform_adds_its_files_and_no_key() {
    let schema: Value = serde_json::from_str(&crate::tools::text(chart().join("values.schema.json"))).unwrap();
    let platforms = list(&schema["properties"]["platform"]["enum"]);
    assert_eq!(platforms.len(), 12);
    for platform in platforms {
        let platform = platform.as_str().unwrap();
        let all = with(&[&format!("platform={platform}")]);
        sound(&all, platform, true);
        let paths = all.host_paths();
        assert_eq!(
            paths.contains(&"/run/log".to_owned()),
            platform != "talos",
            "{platform}: {paths:?}"
        );
        assert!(
            !paths
                .iter()
                .any(|p| ["pki", "key", "pem"].contains(&p.rsplit(['/', '.']).next().unwrap())),
            "{platform}: {paths:?}"
        );
        sound(
            &with(&[
                &format!("platform={platform}"),
                "kubeletPki.enabled=true",
                "config.cri.enabled=true",
            ]),
            platform,
            true,
        );
    }
    assert_eq!(adds(&[], &["platform=kubeadm"]).len(), 3);
}

#[test]
fn etc_and_the_volatile_journal_can_be_left_out() {
    let left = |set: &str| with(&[set]).host_paths();
    assert!(!left("hostPaths.etc=false").contains(&"/etc".to_owned()));
    assert!(!left("hostPaths.runLog=false").contains(&"/run/log".to_owned()));
    let talos = with(&["platform=talos", "hostPaths.runLog=true"]).host_paths();
    assert!(talos.contains(&"/run/log".to_owned()));
}
