//! The units of kubelet, runtime and journald: what systemd says of them, or what their cgroups and files say.

use std::time::Duration;

use super::look::{Look, Looking, Sampler, blocking};
use super::scene::Scene;
use super::systemd::bus::{Bus, GRANT, NoBus, SOCKET};
use super::systemd::state::{UnitState, job_path};
use super::systemd::traces;
use crate::grammar::fact::Kind;

/// The kubelet's unit where nothing else is known.
const KUBELET: &str = "kubelet.service";
/// Where journald hangs, whoever logs hangs with it.
const JOURNALD: &str = "systemd-journald.service";

/// Asks systemd for the state of the units that matter. One connection, kept from look to look.
#[derive(Debug, Default)]
pub struct Unit {
    bus: Option<Bus>,
}

impl Unit {
    /// A sampler that has not connected yet.
    pub fn new() -> Self {
        Self::default()
    }

    async fn asked(&mut self, scene: &Scene) -> Result<Vec<UnitState>, NoBus> {
        let bus = match self.bus.take().filter(|b| !b.is_closed()) {
            Some(bus) => bus,
            None => Bus::open(&scene.host.path(SOCKET)).await?,
        };
        let mut states = Vec::new();
        for (unit, role) in units(scene) {
            let properties = bus.unit(&unit).await?;
            let state = UnitState::from_properties(&unit, role, &properties);
            states.push(match job_path(&properties) {
                Some(path) => state.with_job(bus.job(&path).await.as_deref()),
                None => state,
            });
        }
        self.bus = Some(bus);
        Ok(states)
    }

    async fn look(&mut self, scene: &Scene) -> Look {
        let mut look = Look::default();
        let now = scene.clock.now().wall;
        let refused = if scene.allowed.dbus {
            match self.asked(scene).await {
                Ok(states) => {
                    look.readings = states.iter().map(|s| s.reading(now)).collect();
                    return look;
                }
                Err(e) => e.to_string(),
            }
        } else {
            "systemd is not asked: D-Bus is switched off".to_owned()
        };
        look.missed(
            Kind::UnitState,
            format!("{refused}; results, restarts and jobs of units are not known"),
            Some(GRANT),
        );
        let (host, units) = (scene.host.clone(), units(scene));
        let cgroup = scene.world.kubelet.as_ref().and_then(|p| p.cgroup.clone());
        let states = blocking(move || {
            let state = |(unit, role): &(String, &'static str)| {
                traces::unit(&host, unit, role, cgroup.as_deref().filter(|_| *role == "kubelet"))
            };
            units.iter().filter_map(state).collect::<Vec<_>>()
        })
        .await
        .unwrap_or_default();
        look.readings = states.iter().map(|s| s.reading(now)).collect();
        look
    }
}

impl Sampler for Unit {
    fn name(&self) -> &'static str {
        "unit"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::UnitState]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(self.look(scene))
    }
}

/// The units that matter, with their roles; what the daemon subscribes to with
/// [`UnitWatch`](super::systemd::watch::UnitWatch).
pub fn units(scene: &Scene) -> Vec<(String, &'static str)> {
    let kubelet = scene.world.unit.clone().unwrap_or_else(|| KUBELET.to_owned());
    let mut units = vec![(kubelet, "kubelet")];
    if let Some(runtime) = &scene.world.runtime.unit {
        units.push((runtime.clone(), "runtime"));
    }
    units.push((JOURNALD.to_owned(), "journald"));
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::host::Host;
    use crate::source::scene::Allowed;
    use crate::world::World;

    #[tokio::test]
    async fn without_a_bus_and_without_traces_it_is_blind() {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene {
            host: Host::at(dir.path()),
            clock: Clock::system(),
            world: World::default(),
            allowed: Allowed::default(),
        };
        let look = Unit::new().look(&scene).await;
        assert_eq!(look.readings, []);
        assert_eq!(look.blind[0].grant.as_deref(), Some(GRANT));
        assert!(look.blind[0].reason.starts_with("there is no /run/dbus"), "{look:?}");
    }
}
