//! The systemd unit, by systemd's own tools.

use std::path::Path;

use crate::tools::{entries, repository, run, text, write};

/// The score of `systemd-analyze security`, times ten, that is not exceeded.
const EXPOSURE: &str = "--threshold=20";

/// A root directory with systemd's own units, ours, and something executable where the agent is installed.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let (dir, units) = (root.path(), root.path().join("usr/lib/systemd"));
    write(dir.join("etc/systemd/system/keep"), "");
    for (from, to) in [
        ("/usr/lib/systemd/system", units.join("system")),
        ("/bin/true", dir.join("usr/local/bin/whynotready")),
        ("/bin/true", dir.join("bin/kill")),
    ] {
        write(to.parent().unwrap().join("keep"), "");
        let copied = run("cp", &["-aL", from, to.to_str().unwrap()]);
        assert!(to.exists(), "{}", copied.all());
    }
    for unit in entries(repository().join("systemd"), "")
        .into_iter()
        .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("whynotready."))
    {
        let said = run(
            "cp",
            &[
                "-r",
                unit.to_str().unwrap(),
                dir.join("etc/systemd/system").to_str().unwrap(),
            ],
        );
        assert!(said.well, "{}", said.all());
    }
    root
}

fn verify(root: &Path) -> crate::tools::Said {
    let root = format!("--root={}", root.display());
    run(
        "systemd-analyze",
        &[
            "verify",
            "--man=no",
            "--recursive-errors=no",
            &root,
            "whynotready.service",
            "whynotready.slice",
        ],
    )
}

#[test]
fn systemd_takes_every_line() {
    let root = root();
    let said = verify(root.path());
    assert!(said.well && said.all().trim().is_empty(), "{}", said.all());
    // with a line that it does not know it is refused: the check can fail
    let unit = root.path().join("etc/systemd/system/whynotready.service");
    write(
        &unit,
        &text(&unit).replace("[Install]", "ProtectEverything=yes\n[Install]"),
    );
    let said = verify(root.path());
    assert!(!said.well && said.all().contains("ProtectEverything"), "{}", said.all());
}

#[test]
fn it_is_exposed_little() {
    let unit = repository().join("systemd/whynotready.service");
    let said = run(
        "systemd-analyze",
        &[
            "security",
            "--offline=true",
            "--no-pager",
            EXPOSURE,
            unit.to_str().unwrap(),
        ],
    );
    assert!(said.well, "{}", said.all());
    let dir = tempfile::tempdir().unwrap();
    let weak = dir.path().join("whynotready.service");
    write(&weak, &text(&unit).replace("CapabilityBoundingSet=\n", ""));
    let said = run(
        "systemd-analyze",
        &[
            "security",
            "--offline=true",
            "--no-pager",
            EXPOSURE,
            weak.to_str().unwrap(),
        ],
    );
    assert!(!said.well, "{}", said.all());
}

/// The values of a key, comments left out.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines()
        .filter_map(|l| l.split_once('='))
        .filter(|(k, _)| *k == key)
        .map(|(_, v)| v)
        .collect()
}

#[test]
fn it_starts_on_a_broken_machine() {
    let unit = text(repository().join("systemd/whynotready.service"));
    for key in ["Requires", "Requisite", "BindsTo", "PartOf", "Wants", "After"] {
        assert!(values(&unit, key).is_empty(), "{key}");
    }
    assert_eq!(values(&unit, "Restart"), ["always"]);
    assert_eq!(values(&unit, "StartLimitIntervalSec"), ["0"]);
    assert_eq!(values(&unit, "Type"), ["notify"]);
    assert_eq!(values(&unit, "WatchdogSec"), ["120"]);
    assert_eq!(values(&unit, "ExecStart"), ["/usr/local/bin/whynotready run"]);
}

#[test]
fn its_memory_is_protected_all_the_way_up() {
    let unit = text(repository().join("systemd/whynotready.service"));
    let slice = text(repository().join("systemd/whynotready.slice"));
    assert_eq!(values(&unit, "Slice"), ["whynotready.slice"]);
    // one name without a dash is a slice below the root: no ancestor caps the protection
    assert_eq!(values(&unit, "MemoryMin"), values(&slice, "MemoryMin"));
    assert_eq!(values(&unit, "MemoryMin"), ["24M"]);
    assert_eq!(values(&unit, "MemoryMax"), ["64M"]);
}

#[test]
fn it_has_no_capability_and_writes_its_own_directories() {
    let unit = text(repository().join("systemd/whynotready.service"));
    assert_eq!(values(&unit, "CapabilityBoundingSet"), [""]);
    assert_eq!(values(&unit, "AmbientCapabilities"), [""]);
    assert_eq!(values(&unit, "ProtectSystem"), ["strict"]);
    assert_eq!(values(&unit, "StateDirectory"), ["whynotready"]);
    assert!(values(&unit, "ReadWritePaths").is_empty());
}

#[test]
fn the_unprivileged_user_and_the_directories_are_made() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write(dir.join("usr/lib/sysusers.d/basic.conf"), "g systemd-journal - -\n");
    write(
        dir.join("usr/lib/sysusers.d/whynotready.conf"),
        &text(repository().join("systemd/sysusers.conf")),
    );
    write(
        dir.join("usr/lib/tmpfiles.d/whynotready.conf"),
        &text(repository().join("systemd/tmpfiles.conf")),
    );
    write(dir.join("etc/keep"), "");
    let at = format!("--root={}", dir.display());
    let said = run("systemd-sysusers", &[&at]);
    assert!(said.well, "{}", said.all());
    assert!(text(dir.join("etc/passwd")).contains("whynotready:"));
    assert!(
        text(dir.join("etc/group"))
            .lines()
            .any(|l| l.starts_with("systemd-journal:") && l.ends_with(":whynotready"))
    );
    let said = run("systemd-tmpfiles", &[&at, "--create"]);
    assert!(said.well, "{}", said.all());
    assert!(dir.join("var/lib/whynotready").is_dir() && dir.join("etc/whynotready").is_dir());
    let drop_in = text(repository().join("systemd/whynotready.service.d/unprivileged.conf"));
    assert_eq!(values(&drop_in, "User"), ["whynotready"]);
}
