//! Scenes for the samplers' unit tests: captured files, and nothing else of a node.

use std::path::Path;

use super::look::{Look, Sampler};
use super::scene::{Allowed, Scene};
use crate::clock::Clock;
use crate::host::Host;
use crate::world::World;

/// A scene on captured files.
pub(super) fn captured(root: impl AsRef<Path>) -> Scene {
    Scene {
        host: Host::at(root.as_ref()),
        clock: Clock::system(),
        world: World::default(),
        allowed: Allowed::default(),
    }
}

/// One look.
pub(super) async fn run(sampler: &mut dyn Sampler, scene: &Scene) -> Look {
    sampler.look(scene).await
}

/// The root of a captured node.
pub(super) fn fixture_dir(node: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/nodes")
        .join(node)
}

/// One file of a captured node.
pub(super) fn fixture(path: &str) -> String {
    let (node, path) = path.split_once('/').unwrap();
    Host::at(fixture_dir(node)).text(Path::new("/").join(path)).unwrap()
}

/// Writes a file below a directory.
#[expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]
pub(super) fn write(dir: impl AsRef<Path>, path: &str, text: &str) {
    let path = dir.as_ref().join(path.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
