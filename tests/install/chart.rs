//! The chart as a whole: what Helm's linter says, what is refused, what is documented.

use serde_json::{Value, json};

use whynotready::config::resolve::{Sources, resolve};
use whynotready::daemon::run::check;

use crate::tools::{KUBERNETES, Rendered, chart, entries, list, rendered, run, template, text, with};

#[test]
fn every_values_file_lints_and_renders() {
    let files = entries(chart().join("ci"), "-values.yaml");
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let file = file.to_str().unwrap();
        let said = run(
            "helm",
            &["lint", "--strict", chart().to_str().unwrap(), "--values", file],
        );
        assert!(said.well, "{file}: {}", said.all());
        assert!(
            said.out.contains("1 chart(s) linted, 0 chart(s) failed"),
            "{}",
            said.all()
        );
        for kubernetes in KUBERNETES {
            let all = rendered(kubernetes, &["--values", file]);
            assert_eq!(all.one("DaemonSet")["metadata"]["namespace"], "watch");
            taken(&all, file);
            for object in &all.0 {
                let name = object["metadata"]["name"].as_str().unwrap();
                assert!(name.contains("why") && name.len() <= 63, "{file}: {name}");
                assert!(
                    object["apiVersion"].is_string() && object["metadata"]["labels"]["helm.sh/chart"].is_string(),
                    "{object}"
                );
            }
        }
    }
}

/// The agent takes its configuration, and finds in a pod what that asks for.
fn taken(all: &Rendered, file: &str) {
    let text = all.one("ConfigMap")["data"]["config.yaml"].as_str().unwrap();
    let env = |name: &str| match name {
        "KUBERNETES_SERVICE_HOST" => Some("10.96.0.1".to_owned()),
        "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
        _ => None,
    };
    let sources = Sources {
        file: Some(("config.yaml", text)),
        env: &env,
        flags: &[],
    };
    let resolved = resolve(&sources).unwrap_or_else(|faults| panic!("{file}: {faults}"));
    assert!(
        resolved.config.api || !(resolved.config.events || resolved.config.condition),
        "{file}: {text}"
    );
    check(&resolved, &env).unwrap_or_else(|faults| panic!("{file}: {faults}"));
}

#[test]
fn what_is_unknown_wrong_or_contradictory_is_refused() {
    for (set, says) in [
        ("tolerate=true", "tolerate"),
        ("config.grace=50s", "grace"),
        ("config.probe.as_kublet=true", "as_kublet"),
        ("metrics.podMonitor.enable=true", "enable"),
        ("metrics.prometheusRule.alerts.Whynot.enabled=false", "Whynot"),
        // the chart's own: the address, the root and the state directory fit its mounts
        ("config.listen.metrics=0.0.0.0:1", "listen"),
        ("config.host_root=/", "host_root"),
        ("config.state_dir=/tmp", "state_dir"),
        // a secret has no place in a ConfigMap
        ("config.otlp.headers.authorization=abc", "headers"),
        ("config.grace_period=soon", "grace_period"),
        ("config.kubernetes.condition=perhaps", "condition"),
        ("platform=minikube", "platform"),
        ("debug.listen=0.0.0.0:10951", "debug"),
        ("securityContext.privileged=true", "privileged"),
        (
            "hostPaths.extra[0].path=/opt,hostPaths.extra[0].type=DirectoryOrCreate",
            "type",
        ),
        ("hostPaths.extra[0].path=/opt", "type"),
        (
            "hostPaths.extra[0].path=/run,hostPaths.extra[0].type=Directory",
            "sockets that are root",
        ),
        (
            "hostPaths.extra[0].path=/var/lib/kubelet/,hostPaths.extra[0].type=Directory",
            "secrets of all its pods",
        ),
        ("config.probe.as_kubelet=true", "kubeletPki.enabled"),
        (
            "config.api.enabled=false,config.kubernetes.condition=true",
            "config.api.enabled",
        ),
        (
            "config.api.enabled=false,config.probe.as_kubelet=true,kubeletPki.enabled=true",
            "config.api.enabled",
        ),
        ("nodeScopedWrites.enabled=true", "config.kubernetes.condition"),
        ("otlp.mtls=true", "otlp.tlsSecret"),
        (
            "priorityClassQuota.enabled=true,priorityClassName=",
            "priorityClassName",
        ),
    ] {
        let said = template(KUBERNETES[1], &["--set", set]);
        assert!(!said.well, "{set} was taken");
        assert!(said.err.contains(says), "{set}: {}", said.err);
    }
}

#[test]
fn a_server_too_old_is_refused() {
    assert!(!template("1.18.20", &[]).well);
}

#[test]
fn its_version_is_the_agents() {
    let chart: Value = serde_saphyr::from_str(&text(chart().join("Chart.yaml"))).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let image = format!("ghcr.io/whynotready/whynotready:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(with(&[]).container()["image"], image);
}

/// Every key of values.yaml, down to the second level.
fn keys() -> Vec<String> {
    let values: Value = serde_saphyr::from_str(&text(chart().join("values.yaml"))).unwrap();
    let mut keys = Vec::new();
    for (key, value) in values.as_object().unwrap() {
        match value.as_object().filter(|m| !m.is_empty()) {
            Some(below) => keys.extend(below.keys().map(|k| format!("{key}.{k}"))),
            None => keys.push(key.clone()),
        }
    }
    keys
}

/// Free-form keys whose insides are Kubernetes' own.
const FOREIGN: [&str; 7] = [
    "resources.",
    "updateStrategy.",
    "nodeSelector.",
    "affinity.",
    "livenessProbe.",
    "readinessProbe.",
    "securityContext.",
];

#[test]
fn the_readme_describes_every_value() {
    let readme = text(chart().join("README.md"));
    for key in keys() {
        let foreign = FOREIGN
            .iter()
            .find(|f| key.starts_with(**f))
            .map(|f| f.trim_end_matches('.'));
        let key = foreign.unwrap_or(&key);
        assert!(
            readme.contains(&format!("`{key}`")) || readme.contains(&format!("`{key}.")),
            "README.md does not say what {key} is"
        );
    }
}

#[test]
fn the_schema_knows_every_value_and_closes_every_object() {
    let schema: Value = serde_json::from_str(&text(chart().join("values.schema.json"))).unwrap();
    for key in keys() {
        let (first, second) = key.split_once('.').unwrap_or((&key, ""));
        let here = &schema["properties"][first];
        assert!(here.is_object(), "{key}");
        let open = here["properties"].is_null();
        assert!(
            second.is_empty() || open || here["properties"][second].is_object(),
            "{key}"
        );
    }
    closed(&schema, "values");
}

/// Where the schema lists keys, it refuses others.
fn closed(schema: &Value, at: &str) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    assert_eq!(schema["additionalProperties"], json!(false), "{at}");
    for (key, below) in properties {
        closed(below, &format!("{at}.{key}"));
        closed(&below["items"], &format!("{at}.{key}[]"));
    }
}

/// The notes are rendered only on installation; a dry run needs no cluster.
fn notes(sets: &[&str]) -> String {
    let chart = chart();
    let mut args = vec![
        "install",
        "why",
        chart.to_str().unwrap(),
        "--namespace",
        "watch",
        "--dry-run=client",
    ];
    args.extend(sets.iter().flat_map(|s| ["--set", *s]));
    let said = run("helm", &args);
    assert!(said.well, "{}", said.err);
    said.out.split_once("NOTES:").expect("notes").1.to_owned()
}

#[test]
fn the_notes_name_the_value_that_grants_what_is_hidden() {
    let bare = notes(&[]);
    let switches = [
        "platform=NAME",
        "kubeletPki.enabled=true",
        "config.probe.as_kubelet=true",
        "config.dbus.enabled=true",
        "config.cri.enabled=true",
    ];
    for switch in switches {
        assert!(bare.contains(switch), "{switch}: {bare}");
    }
    let sets = [
        "platform=kubeadm",
        "kubeletPki.enabled=true",
        "config.probe.as_kubelet=true",
        "config.dbus.enabled=true",
        "config.cri.enabled=true",
    ];
    let full = notes(&sets);
    for switch in switches {
        assert!(!full.contains(switch), "{switch}: {full}");
    }
    assert!(bare.contains("pod-security.kubernetes.io/enforce=privileged"), "{bare}");
    assert!(notes(&["platform=gke"]).contains("priorityClassQuota.enabled=true"));
}

#[test]
fn helm_test_asks_the_agent_and_its_configuration() {
    let all = with(&[]);
    let pod = all.one("Pod");
    assert_eq!(pod["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(pod["spec"]["initContainers"][0]["args"], json!(["config", "check"]));
    assert_eq!(pod["spec"]["containers"][0]["args"], json!(["status"]));
    assert_eq!(pod["spec"]["hostNetwork"], true);
    let (own, theirs) = (&pod["spec"]["volumes"][0], &all.pod()["volumes"][0]);
    assert_eq!(own, theirs, "the same configuration");
    assert!(list(&pod["spec"]["volumes"]).iter().all(|v| v["hostPath"].is_null()));
    let socket = with(&["debug.listen=unix:/var/lib/whynotready/debug.sock"]);
    assert_eq!(socket.one("Pod")["spec"]["volumes"][1]["hostPath"]["type"], "Directory");
}
