//! Binding: an address or a unix socket, with the reason in words where it cannot be had.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::serve::Wire;
use crate::export::client::trust::Untrusted;

/// After a connection could not be taken (no file descriptors left): long enough to cost nothing, short enough to be there
/// again when it is over.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no listener. Whoever runs the node may mend each of them, so it is worth another try later.
#[derive(Debug, thiserror::Error)]
pub enum CannotListen {
    /// The address or the socket cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Bind(String, io::Error),
    /// Another process answers on the unix socket.
    #[error("cannot listen on unix:{0}: another process listens there")]
    Taken(PathBuf),
    /// Certificate or key.
    #[error("cannot listen on {0}: {1}")]
    Tls(SocketAddr, Untrusted),
}

/// A bound socket.
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Who connects: for the unix socket everyone is the same.
pub(super) type Peer = Option<std::net::IpAddr>;

impl Socket {
    pub(super) async fn tcp(address: SocketAddr) -> Result<Self, CannotListen> {
        let bound = TcpListener::bind(address).await;
        bound
            .map(Self::Tcp)
            .map_err(|e| CannotListen::Bind(address.to_string(), e))
    }

    /// A socket that nobody answers on was left behind by an agent that was killed: it is replaced. Only its owner may
    /// connect.
    pub(super) async fn unix(path: &Path) -> Result<Self, CannotListen> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(CannotListen::Taken(path.to_owned()));
        }
        let failed = |e| CannotListen::Bind(format!("unix:{}", path.display()), e);
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
        if is_socket {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let bound = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self::Unix(bound, path.to_owned()))
    }

    /// What one would give to `--address`.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| "?".into(), |a| a.to_string()),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The next connection. May be dropped and called again.
    pub(super) async fn accept(&self) -> (Box<dyn Wire>, Peer) {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| {
                    let stream: Box<dyn Wire> = Box::new(stream);
                    (stream, Some(peer.ip()))
                }),
                Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                    let stream: Box<dyn Wire> = Box::new(stream);
                    (stream, None)
                }),
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for Socket {
    /// The next agent need not find out that nobody answers.
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}
