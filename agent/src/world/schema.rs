//! What types the fields of a `KubeletConfiguration` have, so that a value which the kubelet would refuse is noticed.
//!
//! After `k8s.io/kubelet/config/v1beta1` types.go, 0.20 to 0.37. A field that is not here is passed over: it may be newer
//! than this table. Values are checked for their type only, not for sense.

use super::yaml::{Node, Value};

/// A type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `int32` or `int64`.
    Int,
    /// `float64`.
    Number,
    /// `string`.
    Text,
    /// `metav1.Duration`: text as Go's `time.ParseDuration` takes it.
    Duration,
    /// A list of text.
    Texts,
    /// A list of numbers.
    Ints,
    /// A list of anything.
    List,
    /// A mapping to text. A number without quotes is refused.
    TextMap,
    /// A mapping to truth values.
    BoolMap,
    /// A mapping with these fields.
    Fields(&'static [(&'static str, Type)]),
    /// A mapping.
    Map,
}

use Type::{Bool, BoolMap, Duration, Fields, Int, Ints, List, Map, Number, Text, TextMap, Texts};

/// The fields.
#[rustfmt::skip] // a table
pub const FIELDS: &[(&str, Type)] = &[
    ("enableServer", Bool), ("staticPodPath", Text), ("podLogsDir", Text), ("syncFrequency", Duration), ("fileCheckFrequency", Duration),
    ("httpCheckFrequency", Duration), ("staticPodURL", Text), ("staticPodURLHeader", Map), ("address", Text), ("port", Int), ("readOnlyPort", Int),
    ("tlsCertFile", Text), ("tlsPrivateKeyFile", Text), ("tlsCipherSuites", Texts), ("tlsCurvePreferences", Ints), ("tlsMinVersion", Text),
    ("rotateCertificates", Bool), ("serverTLSBootstrap", Bool),
    ("authentication", Fields(&[
        ("x509", Fields(&[("clientCAFile", Text)])),
        ("webhook", Fields(&[("enabled", Bool), ("cacheTTL", Duration)])),
        ("anonymous", Fields(&[("enabled", Bool)])),
    ])),
    ("authorization", Fields(&[("mode", Text), ("webhook", Fields(&[("cacheAuthorizedTTL", Duration), ("cacheUnauthorizedTTL", Duration)]))])),
    ("registryPullQPS", Int), ("registryBurst", Int), ("imagePullCredentialsVerificationPolicy", Text), ("preloadedImagesVerificationAllowlist", Texts),
    ("eventRecordQPS", Int), ("eventBurst", Int), ("enableDebuggingHandlers", Bool), ("enableContentionProfiling", Bool), ("healthzPort", Int),
    ("healthzBindAddress", Text), ("oomScoreAdj", Int), ("clusterDomain", Text), ("clusterDNS", Texts), ("streamingConnectionIdleTimeout", Duration),
    ("nodeStatusUpdateFrequency", Duration), ("nodeStatusReportFrequency", Duration), ("nodeLeaseDurationSeconds", Int), ("imageMinimumGCAge", Duration),
    ("imageMaximumGCAge", Duration), ("imageGCHighThresholdPercent", Int), ("imageGCLowThresholdPercent", Int), ("volumeStatsAggPeriod", Duration),
    ("kubeletCgroups", Text), ("systemCgroups", Text), ("cgroupRoot", Text), ("cgroupsPerQOS", Bool), ("cgroupDriver", Text), ("cpuManagerPolicy", Text),
    ("singleProcessOOMKill", Bool), ("cpuManagerPolicyOptions", TextMap), ("cpuManagerReconcilePeriod", Duration), ("memoryManagerPolicy", Text),
    ("topologyManagerPolicy", Text), ("topologyManagerScope", Text), ("topologyManagerPolicyOptions", TextMap), ("qosReserved", TextMap),
    ("runtimeRequestTimeout", Duration), ("hairpinMode", Text), ("maxPods", Int), ("podCIDR", Text), ("podPidsLimit", Int), ("resolvConf", Text),
    ("runOnce", Bool), ("cpuCFSQuota", Bool), ("cpuCFSQuotaPeriod", Duration), ("nodeStatusMaxImages", Int), ("maxOpenFiles", Int), ("contentType", Text),
    ("kubeAPIQPS", Int), ("kubeAPIBurst", Int), ("serializeImagePulls", Bool), ("maxParallelImagePulls", Int), ("evictionHard", TextMap),
    ("evictionSoft", TextMap), ("evictionSoftGracePeriod", TextMap), ("evictionPressureTransitionPeriod", Duration), ("evictionMaxPodGracePeriod", Int),
    ("evictionMinimumReclaim", TextMap), ("mergeDefaultEvictionSettings", Bool), ("podsPerCore", Int), ("enableControllerAttachDetach", Bool),
    ("protectKernelDefaults", Bool), ("makeIPTablesUtilChains", Bool), ("iptablesMasqueradeBit", Int), ("iptablesDropBit", Int), ("featureGates", BoolMap),
    ("failSwapOn", Bool), ("memorySwap", Fields(&[("swapBehavior", Text)])), ("containerLogMaxSize", Text), ("containerLogMaxFiles", Int),
    ("containerLogMaxWorkers", Int), ("containerLogMonitorInterval", Duration), ("configMapAndSecretChangeDetectionStrategy", Text),
    ("systemReserved", TextMap), ("kubeReserved", TextMap), ("reservedSystemCPUs", Text), ("showHiddenMetricsForVersion", Text),
    ("systemReservedCgroup", Text), ("kubeReservedCgroup", Text), ("enforceNodeAllocatable", Texts), ("allowedUnsafeSysctls", Texts),
    ("defaultPodSysctls", TextMap), ("volumePluginDir", Text), ("providerID", Text), ("kernelMemcgNotification", Bool), ("logging", Map),
    ("enableSystemLogHandler", Bool), ("enableSystemLogQuery", Bool), ("shutdownGracePeriod", Duration), ("shutdownGracePeriodCriticalPods", Duration),
    ("shutdownGracePeriodByPodPriority", List), ("crashLoopBackOff", Fields(&[("maxContainerRestartPeriod", Duration)])), ("reservedMemory", List),
    ("enableProfilingHandler", Bool), ("enableDebugFlagsHandler", Bool), ("seccompDefault", Bool), ("memoryThrottlingFactor", Number),
    ("memoryReservationPolicy", Text), ("registerWithTaints", List), ("registerNode", Bool), ("tracing", Map), ("localStorageCapacityIsolation", Bool),
    ("containerRuntimeEndpoint", Text), ("imageServiceEndpoint", Text), ("failCgroupV1", Bool), ("userNamespaces", Fields(&[("idsPerPod", Int)])),
];

/// One value of a wrong type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Line from 1.
    pub line: u64,
    /// `authentication.x509.clientCAFile`.
    pub field: String,
    /// What was found and what was expected.
    pub words: String,
}

/// Every value of a wrong type.
pub fn check(root: &Node) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    fields(root, FIELDS, "", &mut wrong);
    wrong
}

fn fields(node: &Node, known: &[(&str, Type)], path: &str, wrong: &mut Vec<Wrong>) {
    let Value::Map(entries) = &node.value else { return };
    for (key, value) in entries {
        // The kubelet's decoder matches names exactly (sigs.k8s.io/json).
        if let Some((_, kind)) = known.iter().find(|(k, _)| k == key) {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            one(value, *kind, &path, wrong);
        }
    }
}

fn one(node: &Node, kind: Type, path: &str, wrong: &mut Vec<Wrong>) {
    if node.value == Value::Null {
        return;
    }
    let mut refuse = |node: &Node, path: String, expected: &str| {
        wrong.push(Wrong {
            line: node.line,
            field: path,
            words: format!("{} where {expected} is expected", described(node)),
        });
    };
    match kind {
        Bool if node.bool().is_none() => refuse(node, path.into(), "true or false"),
        Int if node.int().is_none() => refuse(node, path.into(), "a whole number"),
        Number if !matches!(node.value, Value::Int(_) | Value::Float(_)) => refuse(node, path.into(), "a number"),
        Text if node.text().is_none() => refuse(node, path.into(), "text"),
        Duration if !node.text().is_some_and(is_duration) => refuse(node, path.into(), "a duration such as 10s"),
        Texts | Ints | List => {
            let Value::List(items) = &node.value else {
                return refuse(node, path.into(), "a list");
            };
            for (at, item) in items.iter().enumerate() {
                match kind {
                    Texts if item.text().is_none() => refuse(item, format!("{path}[{at}]"), "text"),
                    Ints if item.int().is_none() => refuse(item, format!("{path}[{at}]"), "a whole number"),
                    _ => {}
                }
            }
        }
        TextMap | BoolMap | Map | Fields(_) => {
            let Value::Map(entries) = &node.value else {
                return refuse(node, path.into(), "a mapping");
            };
            for (key, value) in entries.iter().filter(|(_, v)| v.value != Value::Null) {
                match kind {
                    TextMap if value.text().is_none() => refuse(value, format!("{path}.{key}"), "text (in quotes)"),
                    BoolMap if value.bool().is_none() => refuse(value, format!("{path}.{key}"), "true or false"),
                    _ => {}
                }
            }
            if let Fields(known) = kind {
                fields(node, known, path, wrong);
            }
        }
        _ => {}
    }
}

fn described(node: &Node) -> String {
    match &node.value {
        Value::Text(t) => format!("the text \"{}\"", super::kubeconfig::shown(t)),
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a mapping".into(),
        Value::Null => "nothing".into(),
        _ => node.scalar().unwrap_or_default(),
    }
}

/// Whether Go's `time.ParseDuration` takes it: `0`, or numbers with units.
pub fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text == "0" {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, tail) = rest.split_at(number);
        if !digits.contains(|c: char| c.is_ascii_digit()) || digits.matches('.').count() > 1 {
            return false;
        }
        // `ms` before `m`.
        match ["ns", "us", "µs", "μs", "ms", "s", "m", "h"]
            .iter()
            .find_map(|u| tail.strip_prefix(u))
        {
            Some(next) => rest = next,
            None => return false,
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::yaml::parse;

    #[test]
    fn wrong_types_are_named_with_line_and_field() {
        let text = "kind: KubeletConfiguration\nmaxPods: lots\nauthentication: {anonymous: {enabled: maybe}}\nsyncFrequency: 10\nclusterDNS: 10.96.0.10\nevictionHard:\n  memory.available: 100\nfeatureGates: {A: 'true', B: 1}\nport: \"10250\"\nstaticPodPath: 5\nclusterDomain:\nnoSuchField: [x]\n";
        let wrong = check(&parse(text).unwrap());
        let found: Vec<(u64, &str)> = wrong.iter().map(|w| (w.line, w.field.as_str())).collect();
        assert_eq!(
            found,
            [
                (2, "maxPods"),
                (3, "authentication.anonymous.enabled"),
                (4, "syncFrequency"),
                (5, "clusterDNS"),
                (7, "evictionHard.memory.available"),
                (8, "featureGates.B"),
                (9, "port"),
                (10, "staticPodPath"),
            ]
        );
        assert_eq!(wrong[0].words, "the text \"lots\" where a whole number is expected");
    }

    #[test]
    fn what_the_kubelet_takes_is_taken() {
        let text = "maxPods: 110\nfailSwapOn: no\nsyncFrequency: 1m0s\nnodeStatusUpdateFrequency: 0s\nkubeReserved: {cpu: 100m, memory: '1'}\nmemorySwap: {swapBehavior: LimitedSwap}\nclusterDNS: [10.96.0.10]\nlogging: {verbosity: 2}\nmemoryThrottlingFactor: 0.9\n";
        assert_eq!(check(&parse(text).unwrap()), []);
    }

    #[test]
    fn durations() {
        for good in ["0", "0s", "1h2m3.5s", "100ms", "-1s", "1µs"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "10", "s", "1d", "1.2.3s", "10 s"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
