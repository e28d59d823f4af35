//! Incident bundles on the disk: one an episode, written again as more is known, the newest few kept.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::bundle::Foot;
use crate::model::input::Input;

use super::kept::bundle;

/// The directory below the state directory.
const DIRECTORY: &str = "bundles";
/// How their names end.
const SUFFIX: &str = ".bundle";

/// Where bundles go and how many.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// The state directory.
    pub dir: PathBuf,
    /// How many are kept.
    pub keep: usize,
    /// Bytes of one, at most.
    pub most: u64,
}

impl Shelf {
    /// Writes the bundle of an episode. Blocks.
    pub fn put(&self, episode: &str, inputs: &[Input], foot: &Foot) -> io::Result<PathBuf> {
        let dir = self.dir.join(DIRECTORY);
        std::fs::create_dir_all(&dir)?;
        let bytes = bundle(inputs, foot, self.most)?;
        // An episode's id is a time, of digits, letters and a point; whatever else it were, it stays one name.
        let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '.';
        let name: String = episode.chars().filter(is_part).take(64).collect();
        let name = name.trim_start_matches('.');
        let path = dir.join(format!("{name}{SUFFIX}"));
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|e| e.error)?;
        self.prune(&dir)?;
        Ok(path)
    }

    /// The oldest go, by their names, which are times.
    #[expect(clippy::disallowed_methods, reason = "the agent's own state directory")]
    fn prune(&self, dir: &Path) -> io::Result<()> {
        let mut names: Vec<PathBuf> = std::fs::read_dir(dir)?.flatten().map(|e| e.path()).collect();
        names.retain(|p| p.to_string_lossy().ends_with(SUFFIX));
        names.sort();
        let over = names.len().saturating_sub(self.keep);
        for path in &names[..over] {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at what was written")]
    fn one_an_episode_and_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf {
            dir: dir.path().to_owned(),
            keep: 2,
            most: 1 << 20,
        };
        let foot = Foot::default();
        for episode in [
            "20260101T000000Z",
            "20260102T000000Z",
            "20260102T000000Z",
            "../20260103T000000Z",
        ] {
            shelf.put(episode, &[], &foot).unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(dir.path().join(DIRECTORY))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["20260102T000000Z.bundle", "20260103T000000Z.bundle"]);
    }
}
