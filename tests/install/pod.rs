//! The pod: what it may, what it asks for, and when it is restarted.

use serde_json::{Value, json};

use crate::tools::{KUBERNETES, chart, entries, list, rendered, with};

/// What holds for each container of the chart whatever the values are.
fn confined(container: &Value, from: &str) {
    let context = &container["securityContext"];
    assert_eq!(context["privileged"], false, "{from}");
    assert_eq!(context["allowPrivilegeEscalation"], false, "{from}");
    assert_eq!(context["readOnlyRootFilesystem"], true, "{from}");
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{from}");
}

#[test]
fn no_values_file_makes_it_privileged() {
    for file in entries(chart().join("ci"), "-values.yaml") {
        let file = file.to_str().unwrap();
        for kubernetes in KUBERNETES {
            let all = rendered(kubernetes, &["--values", file]);
            for pod in [all.pod(), &all.one("Pod")["spec"]] {
                for container in list(&pod["containers"]).iter().chain(list(&pod["initContainers"])) {
                    confined(container, file);
                }
                assert_eq!(
                    pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                    "{file}"
                );
                assert_ne!(pod["hostPID"], true, "{file}");
                assert_ne!(pod["hostIPC"], true, "{file}");
            }
            assert_eq!(all.pod()["hostNetwork"], true);
            assert_eq!(all.pod()["dnsPolicy"], "Default");
        }
    }
}

#[test]
fn it_runs_on_every_node_and_stays() {
    let all = with(&[]);
    let pod = all.pod();
    assert_eq!(pod["priorityClassName"], "system-node-critical");
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    let set = &all.one("DaemonSet")["spec"];
    assert_eq!(
        set["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}})
    );
    let container = all.container();
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"memory": "64Mi"}})
    );
    let slack = |probe: &Value| probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez");
    assert_eq!(slack(&container["livenessProbe"]), 300);
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
}

#[test]
fn it_is_told_where_it_is() {
    let all = with(&[]);
    let container = all.container();
    assert_eq!(container["args"], json!(["run"]));
    let env = |name: &str| {
        list(&container["env"])
            .iter()
            .find(|e| e["name"] == name)
            .unwrap_or_else(|| panic!("{name}"))
    };
    for (name, path) in [
        ("NODE_NAME", "spec.nodeName"),
        ("POD_NAME", "metadata.name"),
        ("POD_NAMESPACE", "metadata.namespace"),
        ("HOST_IP", "status.hostIP"),
    ] {
        assert_eq!(env(name)["valueFrom"]["fieldRef"]["fieldPath"], path);
    }
    assert_eq!(env("HOST_ROOT")["value"], "/host");
    assert_eq!(env("WHYNOTREADY_LISTEN_METRICS")["value"], "$(HOST_IP):10950");
    assert_eq!(all.config()["host_root"], "/host");
    assert_eq!(all.config()["dbus"]["enabled"], false);
    assert_eq!(all.config()["kubernetes"], json!({"events": true, "condition": false}));
    // $(HOST_IP) is replaced only where the variable stands before
    let at = |name: &str| list(&container["env"]).iter().position(|e| e["name"] == name);
    assert!(at("HOST_IP") < at("WHYNOTREADY_LISTEN_METRICS"));
}

#[test]
fn a_changed_configuration_is_a_changed_pod() {
    let sum = |sets: &[&str]| {
        with(sets).one("DaemonSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"].clone()
    };
    assert!(sum(&[]).is_string());
    assert_eq!(sum(&[]), sum(&[]));
    assert_ne!(sum(&[]), sum(&["config.grace_period=50s"]));
}

#[test]
fn token_and_tls_are_one_value_each() {
    let all = with(&[
        "metrics.tokenSecret.name=t",
        "metrics.tlsSecret=c",
        "metrics.podMonitor.enabled=true",
    ]);
    let config = all.config();
    assert_eq!(config["listen"]["token_file"], "/etc/whynotready-token/token");
    assert_eq!(config["listen"]["tls"]["certificate"], "/etc/whynotready-tls/tls.crt");
    let container = all.container();
    assert_eq!(container["livenessProbe"]["httpGet"]["scheme"], "HTTPS");
    for (volume, path) in [
        ("metrics-token", "/etc/whynotready-token"),
        ("metrics-tls", "/etc/whynotready-tls"),
    ] {
        let mount = list(&container["volumeMounts"])
            .iter()
            .find(|m| m["name"] == volume)
            .unwrap();
        assert_eq!((&mount["mountPath"], &mount["readOnly"]), (&json!(path), &json!(true)));
    }
    let endpoint = &all.one("PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["scheme"], "https");
    assert_eq!(
        endpoint["authorization"]["credentials"],
        json!({"name": "t", "key": "token"})
    );

    let bare = with(&["metrics.podMonitor.enabled=true"]);
    assert!(bare.config()["listen"]["token_file"].is_null());
    assert_eq!(bare.container()["livenessProbe"]["httpGet"]["scheme"], "HTTP");
    assert!(bare.one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["authorization"].is_null());
}

#[test]
fn the_collectors_secrets_stay_in_secrets() {
    let sets = [
        "otlp.headersSecret.name=h",
        "otlp.tlsSecret=o",
        "otlp.mtls=true",
        "config.otlp.endpoint=https://c:4318",
    ];
    let all = with(&sets);
    let env = list(&all.container()["env"])
        .iter()
        .find(|e| e["name"] == "OTEL_EXPORTER_OTLP_HEADERS")
        .unwrap();
    assert_eq!(env["valueFrom"]["secretKeyRef"], json!({"name": "h", "key": "headers"}));
    let otlp = &all.config()["otlp"];
    assert_eq!(otlp["endpoint"], "https://c:4318");
    assert_eq!(otlp["tls"]["ca"], "/etc/whynotready-otlp/ca.crt");
    assert_eq!(otlp["tls"]["key"], "/etc/whynotready-otlp/tls.key");
    assert!(with(&["otlp.tlsSecret=o"]).config()["otlp"]["tls"]["key"].is_null());
}

#[test]
fn the_pod_monitor_finds_the_pods_and_says_their_node() {
    let all = with(&[
        "metrics.podMonitor.enabled=true",
        "metrics.podMonitor.additionalLabels.release=kps",
    ]);
    let monitor = all.one("PodMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "kps");
    let labels = &all.one("DaemonSet")["spec"]["template"]["metadata"]["labels"];
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    assert!(
        !wanted.is_empty() && wanted.iter().all(|(k, v)| labels[k] == *v),
        "{wanted:?}"
    );
    assert_eq!(labels[monitor["spec"]["jobLabel"].as_str().unwrap()], "whynotready");
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["port"], all.container()["ports"][0]["name"]);
    let relabel = json!({"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"});
    assert_eq!(endpoint["relabelings"][0], relabel);
    // helm test's pod has no port of that name and must not be selected
    assert_ne!(
        all.one("Pod")["metadata"]["labels"]["app.kubernetes.io/name"],
        labels["app.kubernetes.io/name"]
    );
    assert!(with(&[]).all("PodMonitor").next().is_none());
}

#[test]
fn the_address_is_the_operators() {
    let address = |set: &str| {
        let all = with(&[set]);
        let env = list(&all.container()["env"])
            .iter()
            .find(|e| e["name"] == "WHYNOTREADY_LISTEN_METRICS")
            .unwrap();
        (
            env["value"].clone(),
            all.container()["livenessProbe"]["httpGet"]["host"].clone(),
        )
    };
    assert_eq!(
        address("metrics.address=[$(HOST_IP)]"),
        (json!("[$(HOST_IP)]:10950"), Value::Null)
    );
    // the kubelet asks the pod's address, where nothing listens then
    assert_eq!(
        address("metrics.address=127.0.0.1"),
        (json!("127.0.0.1:10950"), json!("127.0.0.1"))
    );
}
