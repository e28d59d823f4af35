//! The image, built by buildah from the local binary: no registry is asked.

use std::path::Path;

use serde_json::Value;

use crate::tools::{Said, repository, run};

/// 12 MB.
const LARGEST: u64 = 12_000_000;
const BINARY: &str = "target/x86_64-unknown-linux-musl/release/whynotready";

/// Runs buildah on a store of the test's own.
fn buildah(store: &Path, args: &[&str]) -> Said {
    let (root, run_root) = (store.join("root"), store.join("run"));
    let mut all = vec![
        "--root",
        root.to_str().unwrap(),
        "--runroot",
        run_root.to_str().unwrap(),
        "--storage-driver",
        "vfs",
    ];
    all.extend(args);
    run("buildah", &all)
}

fn well(store: &Path, args: &[&str]) -> String {
    let said = buildah(store, args);
    assert!(said.well, "buildah {args:?}: {}", said.all());
    said.out.trim().to_owned()
}

#[test]
fn it_is_the_binary_and_nothing_else() {
    let binary = repository().join(BINARY);
    assert!(
        binary.exists(),
        "no {BINARY}: cargo build --release --locked -p whynotready --target x86_64-unknown-linux-musl"
    );
    let store = tempfile::tempdir().unwrap();
    let dir = store.path();
    let version = env!("CARGO_PKG_VERSION");
    let (set, revision) = (format!("VERSION={version}"), "REVISION=0123abc");
    let build = [
        "build",
        "--isolation",
        "chroot",
        "--target",
        "prebuilt",
        "--build-arg",
        &set,
        "--build-arg",
        revision,
        "--tag",
        "whynotready:test",
        ".",
    ];
    well(dir, &build);

    let image: Value = serde_json::from_str(&well(dir, &["inspect", "--type", "image", "whynotready:test"])).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/whynotready"]));
    assert_eq!(config["Cmd"], serde_json::json!(["run"]));
    let label = |name: &str| {
        config["Labels"][format!("org.opencontainers.image.{name}")]
            .as_str()
            .unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(
        (label("version"), label("revision"), label("licenses")),
        (version, "0123abc", "Apache-2.0")
    );
    for name in [
        "title",
        "description",
        "created",
        "source",
        "url",
        "documentation",
        "vendor",
    ] {
        assert!(!label(name).is_empty(), "{name}");
    }

    let container = well(dir, &["from", "--pull-never", "whynotready:test"]);
    let mounted = well(dir, &["mount", &container]);
    let files = run("find", &[&mounted, "-type", "f", "-size", "+0"]);
    assert_eq!(files.out.trim(), format!("{mounted}/whynotready"));
    let size = Path::new(&mounted).join("whynotready").metadata().unwrap().len();
    assert!(size > 1_000_000 && size < LARGEST, "{size}");
    let stored: u64 = run("du", &["-sb", &mounted])
        .out
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(stored < LARGEST, "{stored}");

    // There is no loader and no library in there: what runs is static.
    let said = buildah(
        dir,
        &[
            "run",
            "--isolation",
            "chroot",
            "--user",
            "0",
            &container,
            "--",
            "/whynotready",
            "causes",
        ],
    );
    assert!(said.well && said.out.contains("disk-full"), "{}", said.all());
}
