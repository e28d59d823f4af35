//! The journal followed live, in files that systemd's own programs write.

mod damage;
mod journald;
mod make;
mod remote;
