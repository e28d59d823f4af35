//! A ring's file: made beside the old one and put in its place when it lasts; carried over to another size; set aside
//! where its header can't be read.

use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::reserve;
use super::ring::{HEAD, HEADER, Ring, Scan, word32, word64};

/// Where its copies are.
const COPIES: [u64; 2] = [0, 2048];
const FILE_MAGIC: &[u8; 8] = b"WNROUTBX";
const VERSION: u32 = 1;
/// A ring is not smaller: 256 KiB with its header.
pub(super) const SMALLEST: u64 = 256 << 10;
/// A payload is not longer: four fit into the smallest ring (63 KiB, some 500 KiB of a diagnosis).
pub(super) const LARGEST: usize = (SMALLEST / 4 - HEAD * 65) as usize;

/// How large a file is asked for, and whether its space is taken ahead.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The file.
    pub(super) path: PathBuf,
    /// Bytes, header and all.
    pub(super) bytes: u64,
    /// Whether the space is taken now.
    pub(super) ahead: bool,
}

impl Ring {
    /// Opens the ring, or makes it. A store of another size is carried over; one that can't be read is set aside.
    pub(super) fn open(place: &Place) -> io::Result<(Self, Scan)> {
        let dir = place.path.parent().unwrap_or(Path::new("/"));
        reserve::directory(dir)?;
        let mut set_aside = false;
        let mut old = match reserve::open(&place.path) {
            Ok(file) => {
                let ring = Self::read_header(file)?;
                set_aside = ring.is_none();
                ring
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let mut scan = match &mut old {
            Some(ring) => ring.scan()?,
            None => Scan::default(),
        };
        scan.set_aside = set_aside;
        match old {
            Some(ring) if ring.capacity == room(place.bytes) => Ok((ring, scan)),
            // Without room for the other size the old one serves.
            Some(ring) => Ok(match Self::carry_over(place, &ring, &scan) {
                Ok(new) => new,
                Err(_) => (ring, scan),
            }),
            None => Ok((Self::make(place, set_aside)?, scan)),
        }
    }

    /// A new store beside the path, with a header; it takes the path's place once it lasts. On a disk without room for
    /// it a smaller one is better than none: the next start asks for the whole again.
    fn make(place: &Place, set_aside: bool) -> io::Result<Self> {
        let mut wanted = place.clone();
        let ring = loop {
            match Self::beside(&wanted) {
                Err(e) if e.kind() == io::ErrorKind::StorageFull && wanted.bytes > SMALLEST => {
                    wanted.bytes = (wanted.bytes / 4).max(SMALLEST);
                }
                made => break made,
            }
        };
        let ring = match ring {
            Err(e) if set_aside && e.kind() == io::ErrorKind::StorageFull => {
                // No room to keep what can't be read beside what can be written.
                std::fs::remove_file(&place.path)?;
                Self::beside(place)?
            }
            Ok(ring) => {
                if set_aside {
                    std::fs::rename(&place.path, place.path.with_extension("damaged"))?;
                }
                ring
            }
            Err(e) => return Err(e),
        };
        Self::take_place(place)?;
        Ok(ring)
    }

    fn beside(place: &Place) -> io::Result<Self> {
        let path = place.path.with_extension("new");
        let made = Self::create(&path, place);
        if made.is_err() {
            // Half a store would keep the space that whatever frees some hopes for.
            let _ = std::fs::remove_file(&path);
        }
        made
    }

    fn create(path: &Path, place: &Place) -> io::Result<Self> {
        let file = reserve::create(path, HEADER + room(place.bytes), place.ahead)?;
        let ring = Self {
            file,
            // Not secret, but not to be known by whoever writes log lines that records quote.
            id: std::collections::hash_map::RandomState::new().build_hasher().finish(),
            capacity: room(place.bytes),
            head: 0,
            last: 0,
        };
        let mut header = Vec::with_capacity(32);
        header.extend_from_slice(FILE_MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&ring.id.to_le_bytes());
        header.extend_from_slice(&ring.capacity.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        for copy in COPIES {
            ring.file.write_all_at(&header, copy)?;
        }
        ring.file.sync_all()?;
        Ok(ring)
    }

    fn take_place(place: &Place) -> io::Result<()> {
        std::fs::rename(place.path.with_extension("new"), &place.path)?;
        reserve::sync_directory(place.path.parent().unwrap_or(Path::new("/")))
    }

    /// The store of another size gets the old one's newest records, as many as it has room for.
    fn carry_over(place: &Place, old: &Self, scan: &Scan) -> io::Result<(Self, Scan)> {
        let mut new = Self::beside(place)?;
        let mut entries = Vec::new();
        for entry in &scan.entries {
            let Some(payload) = old.read(entry.pos)? else { continue };
            let Ok(entry) = new.write(entry, &payload) else {
                continue;
            };
            new.head = entry.end();
            new.last = entry.pos;
            entries.push(entry);
        }
        new.file.sync_data()?;
        Self::take_place(place)?;
        let floor = new.floor();
        entries.retain(|e| e.pos >= floor);
        Ok((
            new,
            Scan {
                entries,
                damaged: scan.damaged,
                set_aside: false,
            },
        ))
    }

    /// The ring of a file whose header is whole; `None` where neither copy is.
    fn read_header(file: File) -> io::Result<Option<Self>> {
        let bytes = file.metadata()?.len();
        for copy in COPIES {
            let mut header = [0_u8; 32];
            if bytes < HEADER || file.read_exact_at(&mut header, copy).is_err() {
                continue;
            }
            let sound = header.get(..8) == Some(FILE_MAGIC)
                && word32(&header, 8) == Some(VERSION)
                && word32(&header, 28) == header.get(..28).map(crc32fast::hash);
            let (Some(id), Some(capacity)) = (word64(&header, 12), word64(&header, 20)) else {
                continue;
            };
            if sound && capacity >= HEAD && capacity.is_multiple_of(HEAD) && HEADER + capacity <= bytes {
                return Ok(Some(Self {
                    file,
                    id,
                    capacity,
                    head: 0,
                    last: 0,
                }));
            }
        }
        Ok(None)
    }
}

/// The ring's room in a file of `bytes`.
fn room(bytes: u64) -> u64 {
    (bytes.max(SMALLEST) - HEADER) / HEAD * HEAD
}
