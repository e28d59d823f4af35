//! Small files of the agent's own state: JSON, replaced as a whole, so that a crash leaves the old or the new one.
//!
//! Only below the directory that the caller names, the one host path that is written. Refuses nothing: a file that cannot
//! be read is told to the caller, who goes on without it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A state file is not longer than this: 4 MiB.
const LONGEST: u64 = 4 << 20;

/// Writes `value` to `path`: a new file beside it, its bytes on the disk, renamed, the name on the disk.
pub fn save<T: Serialize>(value: &T, path: &Path) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(new, path)?;
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// What is in `path`; `None` where there is no such file, the reason in words where it is damaged or cannot be read.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let file = match open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| format!("{}: damaged: {e}", path.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the agent's own state directory, which is no path of the node's"
)]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test counts what is left beside the file")]
mod tests {
    use super::*;

    #[test]
    fn is_replaced_as_a_whole_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        assert_eq!(load::<Vec<u32>>(&path), Ok(None));
        save(&vec![1, 2], &path).unwrap();
        save(&vec![3], &path).unwrap();
        assert_eq!(load(&path), Ok(Some(vec![3])));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let cut = OpenOptions::new().write(true).open(&path).unwrap();
        cut.set_len(1).unwrap();
        assert!(load::<Vec<u32>>(&path).unwrap_err().contains("damaged"));
        assert!(load::<Vec<u32>>(dir.path()).is_err());
    }
}
