//! systemd's notification protocol (`sd_notify(3)`): readiness, stopping, and the watchdog's keep-alive. Does nothing where
//! no service manager asked for it.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The watchdog hears no more often than this.
const OFTEN: Duration = Duration::from_millis(10);

/// The service manager's socket, where there is one.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> io::Result<Self> {
        let Some(name) = env("NOTIFY_SOCKET").filter(|n| !n.is_empty()) else {
            return Ok(Self::default());
        };
        // `@` stands for the abstract name space.
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name.as_bytes()))?,
        };
        let watchdog = env("WATCHDOG_USEC")
            .and_then(|t| t.parse().ok())
            // As systemd has it: 0 is none.
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros);
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some((socket, address)),
            watchdog,
        })
    }

    /// How often the watchdog wants to hear: half of its patience (`sd_watchdog_enabled(3)`).
    pub fn every(&self) -> Option<Duration> {
        self.watchdog.map(|w| (w / 2).max(OFTEN))
    }

    /// `READY=1`.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// `STOPPING=1`.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// `WATCHDOG=1`.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// `STATUS=…`.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    /// A service manager that does not read is no reason to stop.
    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let name = path.to_str().unwrap().to_owned();
        let env = |key: &str| match key {
            "NOTIFY_SOCKET" => Some(name.clone()),
            "WATCHDOG_USEC" => Some("30000000".to_owned()),
            _ => None,
        };
        let notify = Notify::from_env(&env).unwrap();
        assert_eq!(notify.every(), Some(Duration::from_secs(15)));
        notify.ready("looks");
        let mut buffer = [0; 64];
        let n = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"READY=1\nSTATUS=looks");
        assert!(Notify::from_env(&|_| None).unwrap().every().is_none());
        for (patience, every) in [("0", None), ("1", Some(OFTEN)), ("often", None)] {
            let env = |key: &str| match key {
                "NOTIFY_SOCKET" => Some(name.clone()),
                _ => Some(patience.to_owned()),
            };
            assert_eq!(Notify::from_env(&env).unwrap().every(), every, "{patience}");
        }
    }
}
