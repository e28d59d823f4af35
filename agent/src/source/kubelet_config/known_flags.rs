//! The flags that kubelets take, by version. After the flag sets of `cmd/kubelet/app/options` and component-base's
//! `logs`, 1.20, 1.24, 1.28 and 1.37.

/// What a kubelet 1.37 takes.
#[rustfmt::skip] // a table
pub(super) const PRESENT: &[&str] = &[
    "address", "allowed-unsafe-sysctls", "anonymous-auth", "authentication-token-webhook",
    "authentication-token-webhook-cache-ttl", "authorization-mode", "authorization-webhook-cache-authorized-ttl",
    "authorization-webhook-cache-unauthorized-ttl", "bootstrap-kubeconfig", "cert-dir", "cgroup-driver",
    "cgroup-root", "cgroups-per-qos", "client-ca-file", "cloud-provider", "cluster-dns", "cluster-domain", "config",
    "config-dir", "container-log-max-files", "container-log-max-size", "container-runtime-endpoint",
    "contention-profiling", "cpu-cfs-quota", "cpu-cfs-quota-period", "cpu-manager-policy",
    "cpu-manager-policy-options", "cpu-manager-reconcile-period", "enable-controller-attach-detach",
    "enable-debugging-handlers", "enable-server", "enforce-node-allocatable", "event-burst", "event-qps",
    "eviction-hard", "eviction-max-pod-grace-period", "eviction-minimum-reclaim",
    "eviction-pressure-transition-period", "eviction-soft", "eviction-soft-grace-period", "exit-on-lock-contention",
    "experimental-allocatable-ignore-eviction", "experimental-mounter-path", "fail-cgroupv1", "fail-swap-on",
    "feature-gates", "file-check-frequency", "h", "hairpin-mode", "healthz-bind-address", "healthz-port", "help",
    "hostname-override", "housekeeping-interval", "http-check-frequency", "image-credential-provider-bin-dir",
    "image-credential-provider-config", "image-gc-high-threshold", "image-gc-low-threshold", "image-service-endpoint",
    "kernel-memcg-notification", "kube-api-burst", "kube-api-content-type", "kube-api-qps", "kube-reserved",
    "kube-reserved-cgroup", "kubeconfig", "kubelet-cgroups", "local-storage-capacity-isolation", "lock-file",
    "log-flush-frequency", "log-json-info-buffer-size", "log-json-split-stream", "log-text-info-buffer-size",
    "log-text-split-stream", "logging-format", "make-iptables-util-chains", "manifest-url", "manifest-url-header",
    "max-open-files", "max-pods", "maximum-dead-containers", "maximum-dead-containers-per-container",
    "memory-manager-policy", "minimum-container-ttl-duration", "minimum-image-ttl-duration", "node-ip", "node-labels",
    "node-status-max-images", "node-status-update-frequency", "oom-score-adj", "pod-cidr", "pod-manifest-path",
    "pod-max-pids", "pods-per-core", "port", "protect-kernel-defaults", "provider-id", "qos-reserved",
    "read-only-port", "register-node", "register-with-taints", "registry-burst", "registry-qps", "reserved-cpus",
    "reserved-memory", "resolv-conf", "root-dir", "rotate-certificates", "rotate-server-certificates", "runonce",
    "runtime-cgroups", "runtime-request-timeout", "seccomp-default", "serialize-image-pulls",
    "show-hidden-metrics-for-version", "streaming-connection-idle-timeout", "sync-frequency", "system-cgroups",
    "system-reserved", "system-reserved-cgroup", "tls-cert-file", "tls-cipher-suites", "tls-min-version",
    "tls-private-key-file", "topology-manager-policy", "topology-manager-policy-options", "topology-manager-scope",
    "v", "version", "vmodule", "volume-plugin-dir", "volume-stats-agg-period",
];

/// What 1.20 took and 1.24 no longer takes.
#[rustfmt::skip] // a table
pub(super) const GONE_1_24: &[&str] = &[
    "chaos-chance", "cni-bin-dir", "cni-cache-dir", "cni-conf-dir", "docker", "docker-endpoint",
    "docker-env-metadata-whitelist", "docker-only", "docker-root", "docker-tls", "docker-tls-ca", "docker-tls-cert",
    "docker-tls-key", "dynamic-config-dir", "enable-cadvisor-json-endpoints", "experimental-bootstrap-kubeconfig",
    "experimental-check-node-capabilities-before-mount", "experimental-dockershim-root-directory",
    "experimental-logging-sanitization", "image-pull-progress-deadline", "network-plugin", "network-plugin-mtu",
    "non-masquerade-cidr", "really-crash-for-testing", "seccomp-profile-root",
];

/// What 1.24 may take and 1.28 no longer takes (klog's own flags among them).
#[rustfmt::skip] // a table
pub(super) const GONE_1_28: &[&str] = &[
    "add-dir-header", "alsologtostderr", "container-runtime", "experimental-kernel-memcg-notification",
    "log-backtrace-at", "log-dir", "log-file", "log-file-max-size", "logtostderr", "master-service-namespace",
    "one-output", "skip-headers", "skip-log-headers", "stderrthreshold",
];

/// What 1.28 took and 1.37 no longer takes.
#[rustfmt::skip] // a table
pub(super) const GONE_1_37: &[&str] = &[
    "application-metrics-count-limit", "azure-container-registry-config", "boot-id-file", "cloud-config",
    "container-hints", "containerd", "containerd-namespace", "enable-load-reader", "event-storage-age-limit",
    "event-storage-event-limit", "global-housekeeping-interval", "iptables-drop-bit", "iptables-masquerade-bit",
    "keep-terminated-pod-volumes", "log-cadvisor-usage", "machine-id-file", "pod-infra-container-image",
    "register-schedulable", "storage-driver-buffer-duration", "storage-driver-db", "storage-driver-host",
    "storage-driver-password", "storage-driver-secure", "storage-driver-table", "storage-driver-user",
];
