//! A tier's ring on a thread of its own, with a deadline: a write to a disk that hangs never returns and can't be called
//! back. While a call is out the tier is not used; when it comes back at last the ring is opened anew, because nobody
//! knows what became of it.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use super::ring::{Entry, Ring, Scan};
use super::store::Place;

/// The thread's stack: 256 KiB of address space.
const STACK: usize = 256 << 10;
/// Closing is waited for at most so long.
const CLOSING: Duration = Duration::from_secs(2);

/// Why a tier can't be used now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The file system said so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A call has not returned.
    #[error("does not answer")]
    Hung,
    /// No thread to be had.
    #[error("no thread: {0}")]
    Thread(io::Error),
}

enum Ask {
    Open,
    Append(Entry, Vec<u8>),
    Mark(u64, u8),
    Read(u64),
    Clear,
}

enum Reply {
    Opened(Scan),
    Appended(Entry, u64),
    Payload(Option<Vec<u8>>),
    Done,
}

type Answer = Result<Reply, io::Error>;

struct Thread {
    asks: SyncSender<(Ask, SyncSender<Answer>)>,
    /// Ends with the thread.
    alive: Receiver<()>,
}

/// One tier's file.
pub(super) struct Keeper {
    place: Place,
    thread: Option<Thread>,
    /// The answer of a call that was not waited for to its end.
    out: Option<Receiver<Answer>>,
    open: bool,
}

impl Keeper {
    /// Nothing is touched yet.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            thread: None,
            out: None,
            open: false,
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    /// Whether the ring is open and no call is out.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Opens the ring, or opens it anew, and says what it holds. A call that is still out is waited for first.
    pub(super) fn open(&mut self, patience: Duration) -> Result<Scan, Trouble> {
        self.open = false;
        if let Some(out) = self.out.take() {
            match out.recv_timeout(patience) {
                // A slow opening is over now.
                Ok(Ok(Reply::Opened(scan))) => {
                    self.open = true;
                    return Ok(scan);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.out = Some(out);
                    return Err(Trouble::Hung);
                }
                Ok(_) | Err(RecvTimeoutError::Disconnected) => {}
            }
        }
        match self.ask(Ask::Open, patience)? {
            Reply::Opened(scan) => {
                self.open = true;
                Ok(scan)
            }
            _ => Err(Trouble::Hung),
        }
    }

    /// Stores a record; gives it as it was stored and the oldest position that is still there.
    pub(super) fn append(
        &mut self,
        entry: Entry,
        payload: Vec<u8>,
        patience: Duration,
    ) -> Result<(Entry, u64), Trouble> {
        match self.ask_open(Ask::Append(entry, payload), patience)? {
            Reply::Appended(entry, floor) => Ok((entry, floor)),
            _ => Err(Trouble::Hung),
        }
    }

    /// Notes who has a record.
    pub(super) fn mark(&mut self, pos: u64, bits: u8, patience: Duration) -> Result<(), Trouble> {
        self.ask_open(Ask::Mark(pos, bits), patience).map(drop)
    }

    /// A payload; `None` where it is damaged.
    pub(super) fn read(&mut self, pos: u64, patience: Duration) -> Result<Option<Vec<u8>>, Trouble> {
        match self.ask_open(Ask::Read(pos), patience)? {
            Reply::Payload(payload) => Ok(payload),
            _ => Err(Trouble::Hung),
        }
    }

    /// Forgets all records and gives the space back.
    pub(super) fn clear(&mut self, patience: Duration) -> Result<(), Trouble> {
        self.ask_open(Ask::Clear, patience).map(drop)
    }

    fn ask_open(&mut self, ask: Ask, patience: Duration) -> Result<Reply, Trouble> {
        if !self.open {
            return Err(Trouble::Hung);
        }
        let answer = self.ask(ask, patience);
        if answer.is_err() {
            self.open = false;
        }
        answer
    }

    fn ask(&mut self, ask: Ask, patience: Duration) -> Result<Reply, Trouble> {
        if let Some(out) = &self.out {
            match out.try_recv() {
                Err(TryRecvError::Empty) => return Err(Trouble::Hung),
                Ok(_) | Err(TryRecvError::Disconnected) => self.out = None,
            }
        }
        let thread = match &self.thread {
            Some(thread) => thread.asks.clone(),
            None => self.thread.insert(start(self.place.clone())?).asks.clone(),
        };
        // One call at a time, one answer: neither ever waits for room.
        let (back, out) = sync_channel(1);
        if thread.send((ask, back)).is_err() {
            self.thread = None;
            return Err(Trouble::Hung);
        }
        match out.recv_timeout(patience) {
            Ok(answer) => Ok(answer?),
            Err(RecvTimeoutError::Timeout) => {
                self.out = Some(out);
                Err(Trouble::Hung)
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.thread = None;
                Err(Trouble::Hung)
            }
        }
    }
}

impl Drop for Keeper {
    /// The file's lock goes with the thread: whoever opens the store next in this process must not find it taken. One
    /// that hangs is left behind.
    fn drop(&mut self) {
        if let Some(Thread { asks, alive }) = self.thread.take() {
            drop(asks);
            if self.out.is_none() {
                let _ = alive.recv_timeout(CLOSING);
            }
        }
    }
}

fn start(place: Place) -> Result<Thread, Trouble> {
    let (asks, todo) = sync_channel::<(Ask, SyncSender<Answer>)>(1);
    let (lives, alive) = sync_channel::<()>(0);
    std::thread::Builder::new()
        .name("outbox".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let mut ring: Option<Ring> = None;
            while let Ok((ask, back)) = todo.recv() {
                // Whoever asked may have stopped waiting.
                let _ = back.send(answer(&place, &mut ring, ask));
            }
            drop(ring);
            drop(lives);
        })
        .map_err(Trouble::Thread)?;
    Ok(Thread { asks, alive })
}

fn answer(place: &Place, ring: &mut Option<Ring>, ask: Ask) -> Answer {
    if matches!(ask, Ask::Open) {
        // The old one's lock goes first.
        *ring = None;
        let (opened, scan) = Ring::open(place)?;
        *ring = Some(opened);
        return Ok(Reply::Opened(scan));
    }
    let Some(ring) = ring else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    match ask {
        Ask::Append(entry, payload) => {
            let entry = ring.append(&entry, &payload)?;
            Ok(Reply::Appended(entry, ring.floor()))
        }
        Ask::Mark(pos, bits) => ring.mark(pos, bits).map(|()| Reply::Done),
        Ask::Read(pos) => ring.read(pos).map(Reply::Payload),
        Ask::Clear => ring.clear().map(|()| Reply::Done),
        Ask::Open => Ok(Reply::Done),
    }
}
