//! Settings of the kubelet: defaults, then the merged configuration, then flags. Pure.
//!
//! Defaults after `pkg/kubelet/apis/config/v1beta1/defaults.go`; flags override the file (`cmd/kubelet/app/server.go`).

use std::net::IpAddr;

use super::Settings;
use super::flags;
use super::yaml::Node;

/// Puts the three together. Values of a wrong type are passed over; `schema` has reported them.
pub fn of(merged: Option<&Node>, given: &[(String, String)]) -> Settings {
    let mut settings = Settings::default();
    if let Some(root) = merged {
        configuration(&mut settings, root);
    }
    flag(&mut settings, given);
    settings
}

fn configuration(settings: &mut Settings, root: &Node) {
    let text = |keys: &[&str]| {
        root.at(keys)
            .and_then(Node::text)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let truth = |key: &str| root.get(key).and_then(Node::bool);
    let port = |key: &str| root.get(key).and_then(Node::int).and_then(|n| u16::try_from(n).ok());
    if let Some(address) = text(&["healthzBindAddress"]) {
        settings.healthz.0 = address;
    }
    settings.healthz.1 = port("healthzPort").unwrap_or(settings.healthz.1);
    // 0 counts as not set (defaults.go).
    settings.port = port("port").filter(|p| *p != 0).unwrap_or(settings.port);
    settings.fail_swap_on = truth("failSwapOn").unwrap_or(settings.fail_swap_on);
    settings.swap_behavior = text(&["memorySwap", "swapBehavior"]);
    if let Some(driver) = text(&["cgroupDriver"]) {
        settings.cgroup_driver = driver;
    }
    // Present and empty means none.
    if let Some(path) = root.get("resolvConf").and_then(Node::text) {
        path.clone_into(&mut settings.resolv_conf);
    }
    settings.static_pod_path = text(&["staticPodPath"]);
    settings.client_ca_file = text(&["authentication", "x509", "clientCAFile"]);
    settings.tls_cert_file = text(&["tlsCertFile"]);
    settings.rotate_certificates = truth("rotateCertificates").unwrap_or(false);
    settings.server_tls_bootstrap = truth("serverTLSBootstrap").unwrap_or(false);
    settings.runtime_endpoint = text(&["containerRuntimeEndpoint"]);
    if let Some(seconds) = root
        .get("nodeLeaseDurationSeconds")
        .and_then(Node::int)
        .filter(|s| *s > 0)
    {
        settings.lease_seconds = seconds as u64;
    }
}

fn flag(settings: &mut Settings, given: &[(String, String)]) {
    let text = |name: &str| flags::last(given, name).map(str::to_owned);
    let port = |name: &str| flags::last(given, name).and_then(|v| v.parse::<u16>().ok());
    if let Some(address) = text("healthz-bind-address") {
        settings.healthz.0 = address;
    }
    settings.healthz.1 = port("healthz-port").unwrap_or(settings.healthz.1);
    settings.port = port("port").filter(|p| *p != 0).unwrap_or(settings.port);
    settings.fail_swap_on = flags::truth(given, "fail-swap-on").unwrap_or(settings.fail_swap_on);
    if let Some(driver) = text("cgroup-driver") {
        settings.cgroup_driver = driver;
    }
    if let Some(path) = text("resolv-conf") {
        settings.resolv_conf = path;
    }
    let or = |name: &str, old: &mut Option<String>| {
        if let Some(value) = text(name).filter(|v| !v.is_empty()) {
            *old = Some(value);
        }
    };
    or("pod-manifest-path", &mut settings.static_pod_path);
    or("client-ca-file", &mut settings.client_ca_file);
    or("tls-cert-file", &mut settings.tls_cert_file);
    or("container-runtime-endpoint", &mut settings.runtime_endpoint);
    settings.rotate_certificates = flags::truth(given, "rotate-certificates").unwrap_or(settings.rotate_certificates);
    settings.server_tls_bootstrap =
        flags::truth(given, "rotate-server-certificates").unwrap_or(settings.server_tls_bootstrap);
    settings.node_ips = flags::last(given, "node-ip")
        .unwrap_or_default()
        .split(',')
        .filter_map(|ip| ip.trim().parse::<IpAddr>().ok())
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::yaml::parse;

    #[test]
    fn flags_override_the_file_and_defaults_fill_in() {
        let root = parse("port: 10255\nhealthzPort: 0\nfailSwapOn: false\nmemorySwap: {swapBehavior: LimitedSwap}\ncgroupDriver: systemd\nresolvConf: ''\nauthentication: {x509: {clientCAFile: /ca}}\nrotateCertificates: true\n").unwrap();
        let given = [
            ("fail-swap-on", "true"),
            ("node-ip", "10.0.0.1,fd00::1"),
            ("tls-cert-file", "/t"),
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
        let settings = of(Some(&root), &given);
        assert_eq!(settings.port, 10255);
        assert_eq!(settings.healthz, ("127.0.0.1".to_owned(), 0));
        assert!(settings.fail_swap_on && settings.rotate_certificates);
        assert_eq!(settings.swap_behavior.as_deref(), Some("LimitedSwap"));
        assert_eq!(settings.resolv_conf, "");
        assert_eq!(settings.client_ca_file.as_deref(), Some("/ca"));
        assert_eq!(settings.tls_cert_file.as_deref(), Some("/t"));
        assert_eq!(settings.node_ips.len(), 2);
        assert_eq!(of(None, &[]), Settings::default());
    }
}
