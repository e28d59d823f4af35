//! Files whose space is taken ahead, so that a full disk can't stop what is written into them later.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags, FlockOperation, IFlags, Mode, OFlags};

/// Written at a time while space is taken: 256 KiB.
const CHUNK: usize = 256 << 10;

/// Opens a file that exists, for reading and writing. A lock keeps a second process out.
pub(super) fn open(path: &Path) -> io::Result<File> {
    locked(
        path,
        OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK,
    )
}

/// Makes a new, empty file of `bytes`. With `ahead` its blocks are taken now and written once: preallocated blocks alone
/// still need space in the file system's own tables when they are first written, and a copy-on-write file system would
/// take new ones for every write (hence the flag `chattr +C`, which only those know).
pub(super) fn create(path: &Path, bytes: u64, ahead: bool) -> io::Result<File> {
    let file = locked(
        path,
        OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK,
    )?;
    // What a creation that was cut short left behind; cut only now that the lock is held.
    file.set_len(0)?;
    if !ahead {
        file.set_len(bytes)?;
        return Ok(file);
    }
    if let Ok(flags) = rustix::fs::ioctl_getflags(&file) {
        let _ = rustix::fs::ioctl_setflags(&file, flags | IFlags::NOCOW);
    }
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(e) => return Err(e.into()),
    }
    let zeros = vec![0_u8; CHUNK];
    let mut at = 0_u64;
    while at < bytes {
        let part = usize::try_from(bytes - at).unwrap_or(CHUNK).min(CHUNK);
        file.write_all_at(zeros.get(..part).unwrap_or(&zeros), at)?;
        file.sync_data()?;
        at += part as u64;
        forget(&file);
    }
    file.sync_all()?;
    Ok(file)
}

/// Gives the file's page cache back: it counts to the agent's memory.
pub(super) fn forget(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
}

/// Makes the directory, for this user alone, where it does not exist.
pub(super) fn directory(dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes a rename in the directory last.
pub(super) fn sync_directory(dir: &Path) -> io::Result<()> {
    let dir = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fsync(dir)?)
}

fn locked(path: &Path, flags: OFlags) -> io::Result<File> {
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|e| match e {
        rustix::io::Errno::WOULDBLOCK => io::Error::new(io::ErrorKind::WouldBlock, "in use by another process"),
        e => e.into(),
    })?;
    Ok(file)
}
