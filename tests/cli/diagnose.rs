//! `diagnose` on a directory that stands for a node, and what its bundle gives again.

use whynotready::cli::exit::Exit;

use crate::call::called;

#[expect(clippy::disallowed_methods, reason = "a node is laid out on disk")]
fn node() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/hostname", "node7\n"),
        ("proc/loadavg", "0.10 0.10 0.10 1/100 200\n"),
        ("etc/kubernetes/kubelet.conf", ""),
    ] {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

#[test]
fn a_bundle_gives_the_same_answer_and_what_is_unseen_is_said() {
    let root = node();
    let bundle = root.path().join("x.wnr");
    let (bundle, root) = (bundle.to_str().unwrap(), root.path().to_str().unwrap());
    let arguments = [
        "diagnose",
        "--host-root",
        root,
        "--no-api",
        "--format",
        "json",
        "--record",
        bundle,
    ];
    let (exit, first, err) = called(&arguments);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""), "{first}");
    let answer: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(answer["node"], "node7");
    let gaps = answer["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|g| g["source"] == "journal"), "{gaps:#?}");
    assert!(
        gaps.iter().any(|g| g["source"] == "lease" && g["reason"].is_string()),
        "{gaps:#?}"
    );
    // A directory of nothing but bundles, as the agent keeps them.
    let shelf = tempfile::tempdir().unwrap();
    for name in ["a.bundle", "b.bundle"] {
        std::fs::copy(bundle, shelf.path().join(name)).unwrap();
    }
    let (exit, kept, _) = called(&["analyze", shelf.path().to_str().unwrap(), "--format", "json"]);
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(
        (exit, &kept["node"], &kept["at"]),
        (Exit::Ok, &answer["node"], &answer["at"])
    );
    let told = kept["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|g| g["source"] == "bundle");
    assert_eq!(told.count(), 1, "that the older one is not read");
    for command in ["replay", "analyze"] {
        let (exit, again, err) = called(&[command, bundle, "--format", "json"]);
        assert_eq!(
            (exit, again, err),
            (Exit::Ok, first.clone(), String::new()),
            "{command}"
        );
    }
}

#[test]
fn wrong_durations_are_refused() {
    for (arguments, wanted) in [
        (
            ["diagnose", "--timeout", "11s"],
            "--timeout: \"11s\" is not between 1s and 10s",
        ),
        (["diagnose", "--since", "soon"], "--since: \"soon\" is no duration"),
    ] {
        let (exit, out, err) = called(&arguments);
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert!(err.contains(wanted), "{err}");
    }
}

#[test]
fn a_file_that_is_no_bundle_is_refused() {
    let root = node();
    let path = root.path().join("etc/hostname");
    let (exit, _, err) = called(&["replay", path.to_str().unwrap()]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("hostname: cannot be read"), "{err}");
}
