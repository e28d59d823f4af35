//! What systemd says of units: over its D-Bus interface ([`bus`], [`watch`]), or where that is not to be had from cgroups
//! and unit files ([`traces`]). [`state`] is what is known of a unit either way.
//!
//! Reads properties and listens to signals; calls nothing that changes a unit.

pub mod bus;
pub mod state;
pub mod traces;
pub mod watch;
