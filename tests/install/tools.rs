//! Runs the tools, and what Helm renders as data.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A control plane as old as the oldest kubelet in the lab, and one as new as the newest.
pub(crate) const KUBERNETES: [&str; 2] = ["1.20.15", "1.37.2"];

/// What a tool said.
pub(crate) struct Said {
    pub(crate) well: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Everything, for a failed test.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

pub(crate) fn chart() -> PathBuf {
    repository().join("charts/whynotready")
}

#[expect(clippy::disallowed_methods, reason = "tests read what they test")]
pub(crate) fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "tests write into their own directory")]
pub(crate) fn write(path: impl AsRef<Path>, text: &str) {
    std::fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The entries of a directory whose name ends so, sorted.
#[expect(clippy::disallowed_methods, reason = "tests read what they test")]
pub(crate) fn entries(dir: impl AsRef<Path>, ending: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut found: Vec<PathBuf> = found.filter(|p| p.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

/// Runs a tool of the project's own directory, or of the machine.
#[expect(clippy::disallowed_methods, reason = "the tests run real tools")]
pub(crate) fn run(tool: &str, args: &[&str]) -> Said {
    let own = repository().join("target/tools");
    let at = own.join("bin").join(tool);
    let mut command = Command::new(if at.exists() { at } else { PathBuf::from(tool) });
    command.args(args).current_dir(repository());
    for (name, dir) in [("CONFIG", "config"), ("CACHE", "cache"), ("DATA", "data")] {
        command.env(format!("HELM_{name}_HOME"), own.join("helm").join(dir));
    }
    let out = command
        .output()
        .unwrap_or_else(|e| panic!("{tool}: {e}; .ci/tools gets it"));
    Said {
        well: out.status.success(),
        out: String::from_utf8_lossy(&out.stdout).into_owned(),
        err: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// `helm template` as release `why` in namespace `watch`.
pub(crate) fn template(kubernetes: &str, args: &[&str]) -> Said {
    let chart = chart();
    let mut all = vec![
        "template",
        "why",
        chart.to_str().unwrap(),
        "--namespace",
        "watch",
        "--kube-version",
        kubernetes,
    ];
    all.extend(args);
    run("helm", &all)
}

/// What a chart's rendering holds.
pub(crate) struct Rendered(pub(crate) Vec<Value>);

/// Renders with `--set` arguments on today's Kubernetes.
pub(crate) fn with(sets: &[&str]) -> Rendered {
    let args: Vec<&str> = sets.iter().flat_map(|s| ["--set", *s]).collect();
    rendered(KUBERNETES[1], &args)
}

pub(crate) fn rendered(kubernetes: &str, args: &[&str]) -> Rendered {
    let said = template(kubernetes, args);
    assert!(said.well, "{args:?}: {}", said.err);
    let all: Vec<Value> =
        serde_saphyr::from_multiple(&said.out).unwrap_or_else(|e| panic!("{args:?}: {e}\n{}", said.out));
    Rendered(all.into_iter().filter(|v| !v.is_null()).collect())
}

impl Rendered {
    pub(crate) fn all<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = kind.to_owned();
        self.0.iter().filter(move |v| v["kind"] == kind)
    }

    pub(crate) fn one(&self, kind: &str) -> &Value {
        let mut found = self.all(kind);
        let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
        assert!(found.next().is_none(), "more than one {kind}");
        first
    }

    /// The pod of the `DaemonSet`.
    pub(crate) fn pod(&self) -> &Value {
        &self.one("DaemonSet")["spec"]["template"]["spec"]
    }

    pub(crate) fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    /// The agent's configuration, as it reads it.
    pub(crate) fn config(&self) -> Value {
        serde_saphyr::from_str(self.one("ConfigMap")["data"]["config.yaml"].as_str().unwrap()).unwrap()
    }

    /// The paths of the node that the pod mounts, sorted.
    pub(crate) fn host_paths(&self) -> Vec<String> {
        let volumes = list(&self.pod()["volumes"]);
        let mut paths: Vec<String> = volumes
            .iter()
            .filter_map(|v| Some(v["hostPath"]["path"].as_str()?.to_owned()))
            .collect();
        paths.sort();
        paths
    }
}

/// The elements of a list; none where there is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
