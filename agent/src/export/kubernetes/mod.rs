//! Tells the API server: events on the node and, if asked for, one condition of the node. With the agent's own service
//! account; never `Ready`, never another agent's condition, nothing else of the node.

pub mod access;
mod api;
pub mod condition;
pub mod condition_worker;
pub mod event;
pub mod events_worker;
pub mod gate;
