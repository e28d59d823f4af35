//! sosreport and must-gather. The layout of the first is sos's own: a report is made here. Its content is that of real
//! incidents, as CI has no kubelet.

use std::path::{Path, PathBuf};

use super::tree::{cause_of, copy, diagnosis, fixture, inputs, journal_text, list, run, write};
use whynotready::model::input::{Input, Place};

/// The files of a snapshot where sos puts what the same commands print.
const OUTPUTS: [(&str, &str); 6] = [
    ("df.txt", "filesys/df_-al_-x_autofs"),
    ("df-i.txt", "filesys/df_-ali_-x_autofs"),
    ("ps.txt", "process/ps_axo_flags_state"),
    ("ss.txt", "networking/ss_-peaonmi"),
    ("systemctl-show.txt", "systemd/systemctl_show_service_--all"),
    ("kubelet-healthz.txt", "kubernetes/healthz"),
];

/// An incident as a sosreport would hold it.
fn report(name: &str, to: &Path) -> PathBuf {
    let root = to.join("sosreport-node1-2026-11-23-abcdefg");
    let snapshot = fixture(name).join("snapshot");
    for part in ["proc", "etc", "var"] {
        copy(&snapshot.join(part), &root.join(part));
    }
    for (from, into) in OUTPUTS {
        let path = root.join("sos_commands").join(into);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::copy(snapshot.join(from), path).expect("copied");
    }
    let text = journal_text(&fixture(name), &[]);
    write(&root.join("sos_commands/logs/journalctl_--no-pager"), &text);
    write(&root.join("sos_commands/logs/journalctl_--no-pager_--boot"), &text);
    write(&root.join("sos_commands/date/date"), "Mon Nov 23 11:36:45 UTC 2026\n");
    root
}

fn packed(directory: &Path, archive: &Path) {
    let parent = directory.parent().expect("a parent").display().to_string();
    let name = directory.file_name().expect("a name").to_string_lossy().into_owned();
    run("tar", &["-caf", &archive.display().to_string(), "-C", &parent, &name]);
}

#[test]
fn a_report_is_read_packed_and_unpacked() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = report("1.37-memory-thrash", dir.path());
    assert_eq!(cause_of(&root).as_deref(), Some("memory-high-throttling"));
    for name in ["x.tar.xz", "x.tar.gz", "x.tar"] {
        let archive = dir.path().join(name);
        packed(&root, &archive);
        assert_eq!(cause_of(&archive).as_deref(), Some("memory-high-throttling"), "{name}");
    }
}

/// The same journal is there twice; a line counts once, and is shown with its place in the archive.
#[test]
fn each_log_is_read_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let archive = dir.path().join("sosreport.tar.xz");
    packed(&report("1.37-healthy-idle", dir.path()), &archive);
    let inputs = inputs(&archive, None);
    let places: Vec<String> = inputs
        .iter()
        .filter_map(|i| match i {
            Input::Observed(o) => match &o.place {
                Place::Line(file, line) => Some(format!("{file}:{line}")),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let wanted = format!(
        "{}/sosreport-node1-2026-11-23-abcdefg/sos_commands/logs/journalctl_--no-pager:",
        archive.display()
    );
    assert!(!places.is_empty());
    assert!(places.iter().all(|p| p.starts_with(&wanted)), "{places:?}");
}

/// A report of this very machine by the real tool: found, read to its end, and whatever it holds no kubelet's end.
#[test]
fn a_real_report_of_this_machine() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().display().to_string();
    let plugins = "date,filesys,memory,process,systemd";
    run(
        "sos",
        &[
            "report",
            "--batch",
            "--quiet",
            "--tmp-dir",
            &at,
            "-o",
            plugins,
            "--plugin-timeout",
            "30",
        ],
    );
    let mut made = list(dir.path()).into_iter();
    let archive = made
        .find(|p| p.to_string_lossy().ends_with(".tar.xz"))
        .expect("an archive");
    let inputs = inputs(&archive, None);
    let seen = |source: &str| {
        inputs
            .iter()
            .any(|i| matches!(i, Input::Observed(o) if &*o.source == source))
    };
    assert!(seen("memory") && seen("filesystem"), "{inputs:?}");
    let used = |i: &Input| matches!(i, Input::Observed(o) if &*o.source == "filesystem" && o.text.contains("% used"));
    assert!(inputs.iter().any(used), "df is read: {inputs:?}");
    let absent =
        |i: &Input| matches!(i, Input::Observed(o) if o.text.contains("kubelet") && o.text.contains("no process"));
    assert!(
        !inputs.iter().any(absent),
        "there is no kubelet here that could be missed"
    );
}

const NODE: &str = "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: NAME\nstatus:\n  conditions:\n  - \
    lastHeartbeatTime: \"2026-11-23T10:00:00Z\"\n    lastTransitionTime: \"SINCE\"\n    message: x\n    reason: REASON\n    \
    status: \"READY\"\n    type: Ready\n";

/// Two control-plane nodes: what `oc adm node-logs` gives of them is one file, line by line by time.
fn gather(to: &Path, first_ready: (&str, &str)) -> PathBuf {
    let root = to.join("must-gather.local.1/quay-io-openshift-sha256-1");
    let node = |name: &str, (ready, reason): (&str, &str)| {
        let text = NODE
            .replace("NAME", name)
            .replace("READY", ready)
            .replace("REASON", reason)
            .replace("SINCE", "2026-11-23T10:49:40Z");
        write(
            &root.join(format!("cluster-scoped-resources/core/nodes/{name}.yaml")),
            text,
        );
    };
    node("master-0.ocp.test", first_ready);
    node("master-1.ocp.test", ("True", "KubeletReady"));
    let arguments = ["--output=short-precise", "--unit=kubelet"];
    let carried = Path::new(env!("CARGO_MANIFEST_DIR")).join("incidents/1.37-api-down");
    let broken = journal_text(&carried, &arguments).replace(" node1 ", " master-0 ");
    // Gathered before the machine was powered off.
    let until = [
        "--output=short-precise",
        "--unit=kubelet",
        "--until=2026-11-23 12:15:05 UTC",
    ];
    let well = journal_text(&fixture("1.37-healthy-idle"), &until).replace(" node1 ", " master-1 ");
    let mut lines: Vec<&str> = broken.lines().chain(well.lines()).collect();
    lines.sort_unstable();
    let logs = lines.join("\n") + "\n";
    write(&root.join("host_service_logs/masters/kubelet_service.log"), logs);
    write(
        &root.join("timestamp"),
        "2026-11-23 12:30:00.123456789 +0000 UTC m=+0.1\n",
    );
    root
}

#[test]
fn of_a_cluster_the_node_that_is_not_ready() {
    let dir = tempfile::tempdir().expect("a directory");
    gather(dir.path(), ("Unknown", "NodeStatusUnknown"));
    let root = dir.path().join("must-gather.local.1");
    assert_eq!(cause_of(&root).as_deref(), Some("api-connection-refused"));
    let archive = dir.path().join("must-gather.tar.gz");
    packed(&root, &archive);
    assert_eq!(cause_of(&archive).as_deref(), Some("api-connection-refused"));
    // The other node's lines say nothing of this one's, nor the other way round.
    let well = diagnosis(&root, Some("master-1"));
    assert!(well.findings.is_empty(), "{:?}", well.findings);
}

#[test]
fn where_all_are_ready_a_node_has_to_be_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = gather(dir.path(), ("True", "KubeletReady"));
    let left = |node| {
        whynotready::capture::prepare(std::slice::from_ref(&root), node)
            .expect("made ready")
            .left
    };
    assert!(left(None)[0].ends_with("name one with --node"), "{:?}", left(None));
    assert_eq!(left(Some("master-0.ocp.test")), [""; 0]);
    let absent = left(Some("worker-9.ocp.test"));
    assert!(
        absent[0].contains("there are no logs of worker-9.ocp.test"),
        "{absent:?}"
    );
}
