//! A few lines of each form, plain and packed. The zstd and xz samples were made with the command-line tools.

use std::io::Write;

const MESSAGES: [(&str, u32, &str); 4] = [
    (
        "systemd",
        1,
        "Started kubelet.service - kubelet: The Kubernetes Node Agent.",
    ),
    (
        "kubelet",
        370,
        "I1122 22:35:12.000001     370 server.go:467] \"Kubelet version\" kubeletVersion=\"v1.31.0\"",
    ),
    (
        "kubelet",
        370,
        "E1122 22:35:13.276000     370 controller.go:145] \"Failed to ensure lease exists, will retry\" err=\"Get \\\"https://10.0.0.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s\\\": dial tcp 10.0.0.1:6443: connect: connection refused\" interval=\"7s\"",
    ),
    (
        "kernel",
        0,
        "Out of memory: Killed process 4711 (java) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0",
    ),
];

fn each(line: impl Fn(usize, &str, &str) -> String) -> Vec<u8> {
    let lines = MESSAGES.iter().enumerate().map(|(i, (ident, pid, text))| {
        let ident = if *pid == 0 {
            (*ident).to_owned()
        } else {
            format!("{ident}[{pid}]")
        };
        line(i, &ident, text) + "\n"
    });
    lines.collect::<String>().into_bytes()
}

fn json() -> Vec<u8> {
    let lines = MESSAGES.iter().enumerate().map(|(i, (ident, pid, text))| {
        serde_json::json!({
            "__CURSOR": format!("s=1;i={i}"), "__REALTIME_TIMESTAMP": format!("179538691{i}832370"),
            "__MONOTONIC_TIMESTAMP": format!("15{i}358347"), "_BOOT_ID": "e17fd84d349c469a81f2dad195a9e94d",
            "_HOSTNAME": "node1", "_PID": pid.to_string(), "_COMM": ident, "_SYSTEMD_UNIT": format!("{ident}.service"),
            "MESSAGE": if i == 1 { serde_json::json!(text.as_bytes()) } else { serde_json::json!(text) },
        })
        .to_string()
            + "\n"
    });
    lines.collect::<String>().into_bytes()
}

fn export() -> Vec<u8> {
    let mut out = Vec::new();
    for (i, (ident, pid, text)) in MESSAGES.iter().enumerate() {
        let head = format!(
            "__CURSOR=s=1;i={i}\n__REALTIME_TIMESTAMP=179538691{i}832370\n__MONOTONIC_TIMESTAMP=15{i}358347\n\
             _BOOT_ID=e17fd84d349c469a81f2dad195a9e94d\n_PID={pid}\n_COMM={ident}\n_SYSTEMD_UNIT={ident}.service\nMESSAGE\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\n\n");
    }
    out
}

/// Packed by gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Whether a sample is packed.
pub(crate) fn is_packed(name: &str) -> bool {
    name.contains("packed")
}

/// Every sample with its name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let short = each(|i, ident, text| format!("Nov 22 22:35:1{i}.832370 node1 {ident}: {text}"));
    let twice = [gzip(&short), gzip(&short)].concat();
    vec![
        ("packed gzip, two members", twice.clone()),
        ("packed gzip in gzip", gzip(&twice)),
        (
            "packed zstd, two frames",
            include_bytes!("../fixtures/logs/short.log.zst").to_vec(),
        ),
        (
            "packed xz, two streams",
            include_bytes!("../fixtures/logs/short.log.xz").to_vec(),
        ),
        ("json", json()),
        ("export", export()),
        ("short", short),
        (
            "short-iso",
            each(|i, ident, text| format!("2026-11-22T22:35:1{i}+0000 node1 {ident}: {text}")),
        ),
        (
            "short-full",
            each(|i, ident, text| format!("Sun 2026-11-22 22:35:1{i} UTC node1 {ident}: {text}")),
        ),
        (
            "short-monotonic",
            each(|i, ident, text| format!("[  15{i}.354862] node1 {ident}: {text}")),
        ),
        (
            "short-unix",
            each(|i, ident, text| format!("179538691{i}.832370 node1 {ident}: {text}")),
        ),
        ("klog", each(|_, _, text| text.to_owned())),
        ("dmesg", each(|i, _, text| format!("[   1{i}.345678] {text}"))),
        (
            "dmesg -T",
            each(|i, _, text| format!("[Sun Nov 22 22:35:1{i} 2026] {text}")),
        ),
        (
            "cri",
            each(|i, _, text| format!("2026-11-22T22:35:1{i}.000000001Z stderr F {text}")),
        ),
        (
            "docker",
            each(|i, _, text| {
                serde_json::json!({"log": format!("{text}\n"), "stream": "stderr", "time": format!("2026-11-22T22:35:1{i}.5Z")}).to_string()
            }),
        ),
        (
            "logrus",
            each(|i, _, text| format!("time=\"2026-11-22T22:35:1{i}.5Z\" level=error msg={text:?}")),
        ),
        (
            "klog json",
            each(|i, _, text| {
                serde_json::json!({"caller": "x.go:1", "msg": text, "ts": 1_795_386_910_000_i64 + i as i64}).to_string()
            }),
        ),
    ]
}
