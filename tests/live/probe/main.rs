//! What is asked of the API server, against real servers, sockets, name servers and packet filters.

mod answers;
mod certificates;
mod heartbeat;
mod names;
mod network;
mod router;
mod scenes;
mod servers;
