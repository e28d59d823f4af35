//! The journal reader against journalctl, and against damage.

mod compare;
mod hostile;
mod make;
mod merge;
mod oracles;
mod versions;
