//! Wakes whoever waits when systemd says that one of a few units has changed.
//!
//! It says that something changed, never what: the sampler looks. It has a connection of its own, because a stream of
//! signals that nobody reads holds up the answers behind it.

use std::num::NonZeroUsize;
use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use tokio::time::timeout;
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, ObjectPath};

use super::bus::{Bus, MANAGER, NoBus, PATIENCE, object_path};

/// Signals of one unit that wait to be read.
const QUEUE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// A subscription.
#[derive(Debug)]
pub struct UnitWatch {
    // kept: the subscription ends with the connection
    _bus: Bus,
    units: Vec<(String, String)>,
    signals: SelectAll<MessageStream>,
}

impl UnitWatch {
    /// Subscribes to the changes of these units. systemd sends signals only to a bus on which somebody has called
    /// `Manager.Subscribe`, which its bus policy lets every user do.
    pub async fn open(socket: &Path, units: &[String]) -> Result<Self, NoBus> {
        let bus = Bus::open(socket).await?;
        let units: Vec<(String, String)> = units.iter().map(|u| (object_path(u), u.clone())).collect();
        let mut streams = Vec::new();
        for (path, _) in &units {
            let rule = MatchRule::builder()
                .msg_type(Type::Signal)
                .sender(MANAGER)
                .interface("org.freedesktop.DBus.Properties")
                .member("PropertiesChanged")
                .path(path.clone())
                .build()?;
            let stream = MessageStream::for_match_rule(rule, &bus.connection, Some(QUEUE));
            streams.push(timeout(PATIENCE, stream).await.map_err(|_| NoBus::Silent)??);
        }
        let subscribing = bus.connection.call_method(
            Some(MANAGER),
            "/org/freedesktop/systemd1",
            Some("org.freedesktop.systemd1.Manager"),
            "Subscribe",
            &(),
        );
        timeout(PATIENCE, subscribing).await.map_err(|_| NoBus::Silent)??;
        Ok(Self {
            _bus: bus,
            units,
            signals: select_all(streams),
        })
    }

    /// Waits until one of the units changes, and says which. An error where the bus has gone: subscribe anew, later.
    pub async fn changed(&mut self) -> Result<String, NoBus> {
        loop {
            let message = match self.signals.next().await {
                Some(message) => message?,
                None => return Err(NoBus::Other("the bus closed the connection".to_owned())),
            };
            let header = message.header();
            let path = header.path().map(ObjectPath::as_str);
            if let Some((_, unit)) = self.units.iter().find(|(p, _)| Some(p.as_str()) == path) {
                return Ok(unit.clone());
            }
        }
    }
}
