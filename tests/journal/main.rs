//! The journal reader against journalctl, and against damage.

mod compare;
mod hostile;
mod make;
