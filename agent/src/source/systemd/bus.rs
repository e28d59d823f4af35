//! systemd on the system bus: one connection, properties only.
//!
//! The bus policy that systemd ships (`org.freedesktop.systemd1.conf`) lets every user call `Properties.Get` and `GetAll`.
//! Asking for the properties of a unit's object loads the unit where it is not loaded, so that masked, unknown and stopped
//! units answer too, which `GetUnit` refuses. Nothing is started, stopped or written.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;
use zbus::fdo;
use zbus::wire::OwnedVariant;
use zbus::{Connection, connection};

/// Where the system bus listens (D-Bus specification, "System message bus").
pub const SOCKET: &str = "/run/dbus/system_bus_socket";
/// What lets this process ask.
pub const GRANT: &str = "mount /run/dbus/system_bus_socket and allow D-Bus";

/// The manager's name on the bus.
pub(super) const MANAGER: &str = "org.freedesktop.systemd1";
/// Connecting, authenticating, and each call take no longer than this.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

/// The properties of one object.
pub type Properties = HashMap<String, OwnedVariant>;

/// Why systemd was not reached.
#[derive(Debug, thiserror::Error)]
pub enum NoBus {
    /// No socket.
    #[error("there is no {SOCKET}")]
    Missing,
    /// A socket, and nobody behind it.
    #[error("{SOCKET} refuses connections")]
    Refused,
    /// This process may not connect or ask.
    #[error("{SOCKET}: permission denied")]
    Denied,
    /// No answer in time.
    #[error("no answer on {SOCKET} within {PATIENCE:?}")]
    Silent,
    /// The bus answers, and systemd is not there.
    #[error("systemd is not on the system bus")]
    Absent,
    /// Anything else.
    #[error("D-Bus: {0}")]
    Other(String),
}

/// A connection to the bus.
#[derive(Debug)]
pub struct Bus {
    pub(super) connection: Connection,
}

impl Bus {
    /// Connects to the bus at a path of this process.
    pub async fn open(socket: &Path) -> Result<Self, NoBus> {
        let stream = timeout(PATIENCE, UnixStream::connect(socket))
            .await
            .map_err(|_| NoBus::Silent)?
            .and_then(UnixStream::into_std)
            .map_err(|e| NoBus::from(&e))?;
        let building = connection::Builder::unix_stream(stream)
            .method_timeout(PATIENCE)
            .build();
        let connection = timeout(PATIENCE, building).await.map_err(|_| NoBus::Silent)??;
        Ok(Self { connection })
    }

    /// Whether the other side has gone.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// The unit's properties: those of every unit, and those of a service.
    pub async fn unit(&self, unit: &str) -> Result<Properties, NoBus> {
        let path = object_path(unit);
        let mut properties = self.all(&path, "org.freedesktop.systemd1.Unit").await?;
        if Path::new(unit).extension().is_some_and(|e| e == "service") {
            properties.extend(self.all(&path, "org.freedesktop.systemd1.Service").await?);
        }
        Ok(properties)
    }

    /// What kind of job waits or runs for the unit: `start`, `stop`, `restart` …; `None` where it has just ended.
    pub async fn job(&self, path: &str) -> Option<String> {
        let job = self.all(path, "org.freedesktop.systemd1.Job").await.ok()?;
        <&str>::try_from(job.get("JobType")?).ok().map(str::to_owned)
    }

    async fn all(&self, path: &str, interface: &str) -> Result<Properties, NoBus> {
        let body = (interface,);
        let call = self.connection.call_method(
            Some(MANAGER),
            path,
            Some("org.freedesktop.DBus.Properties"),
            "GetAll",
            &body,
        );
        let answer = timeout(PATIENCE, call).await.map_err(|_| NoBus::Silent)??;
        Ok(answer.body().deserialize()?)
    }
}

impl From<zbus::Error> for NoBus {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::InputOutput(e) => Self::from(&*e),
            zbus::Error::FDO(e) => match *e {
                fdo::Error::AccessDenied(_) | fdo::Error::AuthFailed(_) => Self::Denied,
                fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) | fdo::Error::SpawnServiceNotFound(_) => {
                    Self::Absent
                }
                fdo::Error::NoReply(_) | fdo::Error::Timeout(_) | fdo::Error::TimedOut(_) => Self::Silent,
                other => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<&std::io::Error> for NoBus {
    fn from(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Self::Missing,
            std::io::ErrorKind::PermissionDenied => Self::Denied,
            std::io::ErrorKind::ConnectionRefused => Self::Refused,
            std::io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// The unit's object: its name with every byte that is no letter or digit as `_` and two hexadecimal digits, a leading
/// digit too (`bus_label_escape` of systemd).
pub fn object_path(unit: &str) -> String {
    let mut path = String::from("/org/freedesktop/systemd1/unit/");
    for (i, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (i > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "_{byte:02x}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_object_paths() {
        let base = "/org/freedesktop/systemd1/unit/";
        assert_eq!(object_path("kubelet.service"), format!("{base}kubelet_2eservice"));
        assert_eq!(object_path("k3s-agent.service"), format!("{base}k3s_2dagent_2eservice"));
        assert_eq!(object_path("9p@x.service"), format!("{base}_39p_40x_2eservice"));
    }

    #[tokio::test]
    async fn a_missing_socket_is_told_from_a_dead_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        assert!(matches!(Bus::open(&path).await.unwrap_err(), NoBus::Missing));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(matches!(Bus::open(&path).await.unwrap_err(), NoBus::Refused));
    }
}
