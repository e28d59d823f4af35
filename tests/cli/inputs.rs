//! One incident in every form that a node's log comes in: the answer must not depend on the form.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use whynotready::cli::exit::Exit;

use crate::call::{called, called_with};

const CAUSE: &str = "api-connection-refused";

/// The incident's journal, unpacked where journalctl can read it.
struct Unpacked(tempfile::TempDir);

static API_DOWN: LazyLock<Unpacked> = LazyLock::new(|| Unpacked::of("1.37-api-down"));
static HEALTHY: LazyLock<Unpacked> = LazyLock::new(|| Unpacked::of("1.37-healthy-bad-pod"));

#[expect(
    clippy::disallowed_methods,
    reason = "tests run systemd's and the packers' own programs"
)]
fn output(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program} is needed: {e}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let out = child.wait_with_output().expect("it ends");
    let _ = feeder.join();
    assert!(out.status.success(), "{program} {args:?}");
    out.stdout
}

fn incident(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("incidents")
        .join(name)
        .join("journal")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

impl Unpacked {
    #[expect(clippy::disallowed_methods, reason = "tests read and write their own files")]
    fn of(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for machine in std::fs::read_dir(incident(name)).expect("the incident") {
            for file in std::fs::read_dir(machine.expect("an entry").path()).expect("a directory") {
                let file = file.expect("an entry").path();
                let plain = output("zstd", &["-dc", text(&file)], b"");
                let name = file.file_stem().expect("a name");
                std::fs::write(dir.path().join(name), plain).expect("written");
            }
        }
        Self(dir)
    }

    fn journalctl(&self, form: &str) -> Vec<u8> {
        output(
            "journalctl",
            &["-q", "--utc", "-D", text(self.0.path()), "-o", form],
            b"",
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "tests write their own files")]
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    let path = text(&path).to_owned();
    (dir, path)
}

fn answer(exit: Exit, out: &str, err: &str) -> Value {
    assert_eq!((exit, err), (Exit::RootCause, ""));
    serde_json::from_str(out).expect("JSON")
}

fn names_the_cause(form: &str, document: &Value) {
    let root = &document["findings"][0];
    assert_eq!(
        (&root["cause"], &root["role"]),
        (&CAUSE.into(), &"root_cause".into()),
        "{form}"
    );
    assert_eq!(document["node"], "node1", "{form}");
}

#[test]
fn every_form_of_journalctl_names_the_same_cause() {
    let forms = [
        "export",
        "json",
        "short",
        "short-iso",
        "short-iso-precise",
        "short-precise",
        "short-full",
        "short-unix",
        "short-monotonic",
        "with-unit",
    ];
    for form in forms {
        let (_dir, path) = file("node.log", &API_DOWN.journalctl(form));
        let (exit, out, err) = called(&["analyze", "--format", "json", &path]);
        names_the_cause(form, &answer(exit, &out, &err));
    }
}

#[test]
fn packed_logs_and_standard_input_name_the_same_cause() {
    let log = API_DOWN.journalctl("short-iso-precise");
    let (_dir, path) = file("node.log", &log);
    let (_, plain, _) = called(&["analyze", &path]);
    for (packer, args) in [("gzip", ["-c"]), ("xz", ["-c"]), ("zstd", ["-c"])] {
        let packed = output(packer, &args, &log);
        let (_dir, path) = file("node.log.packed", &packed);
        let (exit, out, err) = called(&["analyze", &path]);
        assert_eq!((exit, err.as_str()), (Exit::RootCause, ""), "{packer}");
        assert_eq!(out, plain, "{packer}");
        let (exit, out, _) = called_with(&packed, &["analyze", "-"]);
        assert_eq!(
            (exit, out),
            (Exit::RootCause, plain.clone()),
            "{packer} on standard input"
        );
    }
}

#[test]
fn the_window_bounds_what_is_read_and_the_node_is_only_a_name() {
    let journal = incident("1.37-api-down");
    let journal = text(&journal);
    let (exit, out, _) = called(&["analyze", journal, "--until", "2026-11-23 10:48:30"]);
    assert_eq!(exit, Exit::Ok, "before it happened: {out}");
    let (exit, out, err) = called(&[
        "analyze", journal, "--since", "60s", "--node", "worker-7", "--format", "json",
    ]);
    let document = answer(exit, &out, &err);
    assert_eq!(document["findings"][0]["cause"], CAUSE);
    assert_eq!(document["node"], "worker-7");
    let onset = document["findings"][0]["onset"]["latest"].as_str().unwrap_or_default();
    assert!(onset >= "2026-11-23T10:49:27", "{onset}");
}

fn stamp(entry: &Value, field: &str) -> u64 {
    entry[field].as_str().and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// A healthy record up to half a minute before its end: the machine is shut down there, and what is said then is no trouble.
fn healthy() -> Vec<Value> {
    let text = HEALTHY.journalctl("json");
    let lines = text.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let mut entries: Vec<Value> = lines.map(|l| serde_json::from_slice(l).expect("JSON")).collect();
    let end = entries.last().map_or(0, |e| stamp(e, "__REALTIME_TIMESTAMP"));
    entries.retain(|e| stamp(e, "__REALTIME_TIMESTAMP") + 30_000_000 < end);
    entries
}

/// Refused lease renewals for a minute and a half after these entries, written by `unit` under the kubelet's name.
fn refused_lines(entries: &[Value], unit: &str) -> Vec<Value> {
    let end = entries.last().expect("entries");
    let of_kubelet = |e: &&Value| e["_SYSTEMD_UNIT"] == "kubelet.service";
    let mut line = entries
        .iter()
        .rfind(of_kubelet)
        .expect("the kubelet wrote something")
        .clone();
    if let Some(fields) = line.as_object_mut() {
        fields.remove("_SOURCE_REALTIME_TIMESTAMP");
    }
    line["_SYSTEMD_UNIT"] = unit.into();
    line["_SYSTEMD_CGROUP"] = format!("/system.slice/{unit}").into();
    line["SYSLOG_IDENTIFIER"] = "kubelet".into();
    let url =
        "https://api.lab.test:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s";
    line["MESSAGE"] = format!(
        "\"Failed to update lease\" err=\"Put \\\"{url}\\\": dial tcp 10.99.0.1:6443: connect: connection refused\""
    )
    .into();
    (1..=12_u64)
        .map(|i| {
            let mut line = line.clone();
            for field in ["__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP"] {
                line[field] = (stamp(end, field) + i * 7_000_000).to_string().into();
            }
            line["__CURSOR"] = format!("line{i}").into();
            line
        })
        .collect()
}

fn analyzed(entries: &[Value]) -> (Exit, Value) {
    let lines: Vec<String> = entries.iter().map(Value::to_string).collect();
    let (exit, out, err) = called_with(lines.join("\n").as_bytes(), &["analyze", "-", "--format", "json"]);
    assert_eq!(err, "");
    (exit, serde_json::from_str(&out).expect("JSON"))
}

#[test]
fn a_unit_that_calls_itself_kubelet_is_not_believed() {
    let healthy = healthy();
    let with = |unit| analyzed(&[healthy.clone(), refused_lines(&healthy, unit)].concat());
    let (exit, document) = with("kubelet.service");
    assert_eq!(exit, Exit::RootCause, "the kubelet itself is believed");
    names_the_cause("the kubelet's own lines", &document);
    let (exit, forged) = with("miner.service");
    let (_, untouched) = analyzed(&healthy);
    assert_eq!(exit, Exit::Ok);
    for field in ["verdict", "findings", "candidates", "episodes"] {
        assert_eq!(forged[field], untouched[field], "{field}");
    }
}

#[test]
fn what_is_no_log_is_named_with_what_was_expected() {
    let cases: [(&[u8], &str); 3] = [
        (b"\x7fELF\x02\x01\x01\0\0\0", "line 1: expected a journal file"),
        (b"[workspace]\nresolver = \"3\"\n", "found \"[workspace]\""),
        (b"", "the file is empty"),
    ];
    for (bytes, wanted) in cases {
        let (_dir, path) = file("thing", bytes);
        let (exit, out, err) = called(&["analyze", &path]);
        assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
        assert!(
            err.starts_with(&format!("whynotready: {path}: ")) && err.contains(wanted),
            "{err}"
        );
    }
}

#[test]
fn lines_without_a_time_are_not_dated_1970_and_say_what_would_help() {
    let (exit, out, err) = called_with(
        b"E0113 04:45:58.103312     380 nobody.go:1] \"Something that nobody knows\"\n",
        &["analyze", "-"],
    );
    assert_eq!(err, "");
    assert_eq!(exit, Exit::Unexplained, "{out}");
    assert!(
        !out.contains("1970") && out.contains("whynotready analyze /var/log/journal"),
        "{out}"
    );
}
