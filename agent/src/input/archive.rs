//! Tar archives, packed or not, unpacked into a temporary directory of this process: what a support bundle holds is read
//! like a directory. Members keep to the directory; nothing is made executable, owned or linked outside of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use tar::EntryType;

use super::compress;
use super::open::Counting;
use super::walk;

/// Packers around an archive that are undone.
const MAX_PACKINGS: usize = 2;
/// A tar's block.
const BLOCK: usize = 512;
/// Members looked at; a sosreport has some thousands, a must-gather some ten thousands.
const MEMBERS: u64 = 500_000;
/// Members unpacked: as many files as a directory may have (`walk`).
const FILES: usize = 10_000;
/// Bytes unpacked in all. What is read of a packed archive is bounded by `compress::MAX_UNPACKED` besides.
const BYTES: u64 = 2 << 30;
/// Links made.
const LINKS: usize = 1024;
/// A long name or a member's extended header is not longer.
const EXTENSION: u64 = 64 << 10;

/// What was unpacked.
#[derive(Debug)]
pub struct Unpacked {
    /// Where; it goes with this value.
    pub directory: tempfile::TempDir,
    /// What was left out, in words.
    pub left: Vec<String>,
}

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be opened or read, or there is no room for it.
    #[error("{path}: cannot unpack the archive: {source}")]
    Io {
        /// The archive.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is not what any tool that gathers for support writes.
    #[error("{path}: the archive holds {what}: it is refused")]
    Refused {
        /// The archive.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Unpacks the members that `wanted` names; `None` where the file is no tar archive.
pub fn unpack(path: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Option<Unpacked>, ArchiveError> {
    let failed = |source| ArchiveError::Io {
        path: path.display().to_string(),
        source,
    };
    let Ok(file) = walk::open(path) else { return Ok(None) };
    let count = Rc::new(Cell::new(0));
    let Some(stream) = tar_stream(file, &count) else {
        return Ok(None);
    };
    let directory = tempfile::Builder::new()
        .prefix("whynotready-")
        .tempdir()
        .map_err(failed)?;
    let mut unpacking = Unpacking {
        archive: path.display().to_string(),
        root: directory.path().to_owned(),
        wanted,
        left: BTreeMap::new(),
        links: Vec::new(),
        files: 0,
        bytes: 0,
    };
    let damage = unpacking.members(stream)?;
    unpacking.link().map_err(failed)?;
    let mut left: Vec<String> = unpacking
        .left
        .into_iter()
        .map(|(why, n)| format!("{}: {n} members left out: {why}", path.display()))
        .collect();
    if let Some(damage) = damage {
        if unpacking.files == 0 {
            return Err(failed(damage));
        }
        left.push(format!("{}: cannot be read to its end: {damage}", path.display()));
    }
    Ok(Some(Unpacked { directory, left }))
}

/// The archive's stream, unpacked as far as it is packed; `None` where it is none. A tar has `ustar` in its first header.
fn tar_stream(file: File, count: &Rc<Cell<u64>>) -> Option<Box<dyn Read>> {
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut stream: Box<dyn Read> = Box::new(Counting {
        inner: Box::new(file),
        count: Rc::clone(count),
    });
    for packed in 0..=MAX_PACKINGS {
        let mut head = Vec::new();
        // A block that cannot be read to its end is no header.
        let _ = (&mut stream).take(BLOCK as u64).read_to_end(&mut head);
        let packing = compress::packing(&head);
        let is_tar = head.len() == BLOCK && head.get(257..262) == Some(b"ustar");
        let whole: Box<dyn Read> = Box::new(Cursor::new(head).chain(stream));
        match packing {
            Some(packing) if packed < MAX_PACKINGS => stream = compress::unpack(packing, whole),
            _ => return is_tar.then_some(whole),
        }
    }
    None
}

struct Unpacking<'a> {
    archive: String,
    root: PathBuf,
    wanted: &'a dyn Fn(&Path) -> bool,
    /// How many members were left out, by why.
    left: BTreeMap<&'static str, u64>,
    links: Vec<(PathBuf, PathBuf)>,
    files: usize,
    bytes: u64,
}

/// What extension headers say of the next member.
#[derive(Debug, Default)]
struct Long {
    name: Option<PathBuf>,
    target: Option<PathBuf>,
}

impl Unpacking<'_> {
    fn refused(&self, what: String) -> ArchiveError {
        ArchiveError::Refused {
            path: self.archive.clone(),
            what,
        }
    }

    /// Every member; the error that ended the archive early, where one did.
    fn members(&mut self, stream: Box<dyn Read>) -> Result<Option<io::Error>, ArchiveError> {
        let mut archive = tar::Archive::new(stream);
        // Raw: the crate would read a long name of any length into memory.
        let entries = match archive.entries() {
            Ok(entries) => entries.raw(true),
            Err(e) => return Ok(Some(e)),
        };
        let (mut seen, mut long) = (0_u64, Long::default());
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(e) => return Ok(Some(e)),
            };
            seen += 1;
            if seen > MEMBERS {
                return Err(self.refused(format!("more than {MEMBERS} members")));
            }
            let kind = entry.header().entry_type();
            if is_extension(kind) {
                if entry.size() > EXTENSION {
                    return Err(self.refused("a name of more than 64 KiB".to_owned()));
                }
                if let Err(e) = extend(&mut long, kind, &mut entry) {
                    return Ok(Some(e));
                }
                continue;
            }
            let long = std::mem::take(&mut long);
            if let Some(damage) = self.member(kind, long, &mut entry)? {
                return Ok(Some(damage));
            }
        }
        Ok(None)
    }

    fn member(
        &mut self,
        kind: EntryType,
        long: Long,
        entry: &mut tar::Entry<'_, Box<dyn Read>>,
    ) -> Result<Option<io::Error>, ArchiveError> {
        let name = match long
            .name
            .map_or_else(|| entry.path().map(std::borrow::Cow::into_owned), Ok)
        {
            Ok(name) => name,
            Err(e) => return Ok(Some(e)),
        };
        let Some(name) = inside(&name) else {
            self.leave("their names lead out of the archive");
            return Ok(None);
        };
        if name.as_os_str().is_empty() || !(self.wanted)(&name) {
            return Ok(None);
        }
        if kind == EntryType::Symlink {
            let target = long.target.or_else(|| Some(entry.link_name().ok()??.into_owned()));
            if let (Some(target), true) = (target, self.links.len() < LINKS) {
                self.links.push((name, target));
            }
            return Ok(None);
        }
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            return Ok(None);
        }
        if self.files >= FILES {
            self.leave("more than 10000 files");
            return Ok(None);
        }
        let room = BYTES - self.bytes;
        if entry.size() > room {
            self.leave("more than 2 GiB together");
            return Ok(None);
        }
        let failed = |source| ArchiveError::Io {
            path: self.archive.clone(),
            source,
        };
        let mut out = create(&self.root.join(&name)).map_err(failed)?;
        self.files += 1;
        let mut buf = vec![0_u8; 64 * 1024];
        loop {
            match entry.read(&mut buf) {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    self.bytes += n as u64;
                    io::Write::write_all(&mut out, &buf[..n]).map_err(failed)?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Ok(Some(e)),
            }
        }
    }

    fn leave(&mut self, why: &'static str) {
        *self.left.entry(why).or_default() += 1;
    }

    /// Makes the links when all files are there, so that none is written through one. Whoever reads them follows them
    /// below the root only (`Host`), or not at all (`walk`).
    fn link(&mut self) -> io::Result<()> {
        let root = std::fs::canonicalize(&self.root)?;
        for (name, target) in std::mem::take(&mut self.links) {
            let path = root.join(&name);
            let Some(parent) = path.parent() else { continue };
            // A parent that is a link may lead out.
            let stays = std::fs::canonicalize(parent).map_or_else(
                |_| !name.ancestors().skip(1).any(|a| root.join(a).is_symlink()),
                |real| real == parent,
            );
            if stays && std::fs::create_dir_all(parent).is_ok() {
                // Something of that name may be there already: the first counts.
                let _ = std::os::unix::fs::symlink(target, &path);
            }
        }
        Ok(())
    }
}

fn is_extension(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
    )
}

/// Reads a long name (GNU) or an extended header (POSIX pax) for the member behind it.
fn extend(long: &mut Long, kind: EntryType, entry: &mut impl Read) -> io::Result<()> {
    let mut data = Vec::new();
    entry.take(EXTENSION).read_to_end(&mut data)?;
    let path = |bytes: &[u8]| {
        let end = bytes.iter().position(|c| *c == 0).unwrap_or(bytes.len());
        PathBuf::from(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned())
    };
    match kind {
        EntryType::GNULongName => long.name = Some(path(&data)),
        EntryType::GNULongLink => long.target = Some(path(&data)),
        EntryType::XHeader => {
            for record in tar::PaxExtensions::new(&data).flatten() {
                match record.key_bytes() {
                    b"path" => long.name = Some(path(record.value_bytes())),
                    b"linkpath" => long.target = Some(path(record.value_bytes())),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The name as a path below the root; `None` where it is absolute or climbs.
fn inside(name: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

/// A new file; one that is there already is not written again.
fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}
