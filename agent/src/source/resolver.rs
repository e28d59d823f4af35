//! The name servers of the node, each asked by itself for the API server's name over UDP, as the kubelet's resolver asks.
//!
//! Behind systemd-resolved's stub (127.0.0.53) its upstream servers are asked too. Where the endpoint is an address or
//! `/etc/hosts` has its name, no name server is needed, and that is what is said.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use super::dns::{self, Conf, Failure};
use super::look::{Look, Looking, Sampler, blocking};
use super::scene::Scene;
use crate::grammar::fact::{Fact, Kind};
use crate::host::{Host, Unreadable};

const KINDS: &[Kind] = &[Kind::Resolver];
/// Where systemd-resolved listens (systemd-resolved.service(8)).
const STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));
/// Where systemd-resolved writes its upstream servers.
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";
/// Names of the search list that one server is asked for at most.
const NAMES: usize = 4;

/// The name servers, one by one.
#[derive(Debug, Default)]
pub struct NameServers;

impl Sampler for NameServers {
    fn name(&self) -> &'static str {
        "resolver"
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(look(scene))
    }
}

/// What one server said.
struct Said {
    server: IpAddr,
    result: Result<Vec<IpAddr>, Failure>,
    ms: i64,
}

async fn look(scene: &Scene) -> Look {
    let mut look = Look::default();
    let Some(endpoint) = &scene.world.kubeconfig.server else {
        look.missed(
            Kind::Resolver,
            "the API server's name is not known",
            Some("read access to the kubelet's kubeconfig"),
        );
        return look;
    };
    let name = endpoint.host.trim_end_matches('.').to_owned();
    if endpoint.ip().is_some() {
        not_needed(&mut look, &name, "is an address");
        return look;
    }
    let (host, wanted) = (scene.host.clone(), name.clone());
    let read = blocking(move || dns::readable(&host).then(|| (dns::in_hosts(&host, &wanted), conf(&host)))).await;
    let read = read.flatten();
    match read {
        Some((known, _)) if !known.is_empty() => not_needed(&mut look, &name, "is in /etc/hosts"),
        Some((_, Ok((conf, servers)))) => ask_all(&mut look, scene, &name, (&conf, &servers)).await,
        Some((_, Err(e))) => look.missed(Kind::Resolver, e.to_string(), Some("read access to /etc/resolv.conf")),
        None => look.missed(
            Kind::Resolver,
            "the node's /etc/resolv.conf cannot be read",
            Some("read access to /etc of the node"),
        ),
    }
    look
}

fn not_needed(look: &mut Look, name: &str, why: &str) {
    let fact = Fact::new(Kind::Resolver)
        .with_text("name", name)
        .with("result", "ok")
        .with_int("servers", 0)
        .with_int("servers_ok", 0);
    look.saw(format!("{name} {why}: no name server is needed"), fact);
}

/// The configuration, and every server to ask: those of it, then the stub's own.
fn conf(host: &Host) -> Result<(Conf, Vec<IpAddr>), Unreadable> {
    let conf = Conf::of(host, "/etc/resolv.conf")?;
    let mut servers = conf.servers.clone();
    if servers.contains(&STUB) && host.metadata(UPSTREAM).is_ok() {
        let upstream = Conf::of(host, UPSTREAM).map(|c| c.servers).unwrap_or_default();
        servers.extend(upstream.into_iter().filter(|s| !conf.servers.contains(s)));
    }
    Ok((conf, servers))
}

async fn ask_all(look: &mut Look, scene: &Scene, name: &str, (conf, servers): (&Conf, &[IpAddr])) {
    let names: Vec<String> = conf.names(name).into_iter().take(NAMES).collect();
    let said = join_all(servers.iter().map(|server| ask(scene, *server, &names))).await;
    let well = said.iter().filter(|s| s.result.is_ok()).count();
    for one in &said {
        let result = one.result.as_ref().map_or_else(|f| f.result(), |_| "ok");
        let fact = Fact::new(Kind::Resolver)
            .with_text("server", one.server.to_string())
            .with_text("name", name)
            .with("result", result)
            .with_int("ms", one.ms)
            .with_int("servers", said.len() as i64)
            .with_int("servers_ok", well as i64);
        look.saw(text(one, name, conf.servers.contains(&one.server)), fact);
    }
}

/// One server, name after name, until one has an address: one stage in all.
async fn ask(scene: &Scene, server: IpAddr, names: &[String]) -> Said {
    let started = scene.clock.now();
    let limit = scene.allowed.stage / (names.len() as u32).max(1);
    let mut result = Err(Failure::NoSuchHost);
    for (at, name) in names.iter().enumerate() {
        let id = (scene.clock.now().monotonic as u16).wrapping_add((at * 2) as u16);
        result = dns::ask(SocketAddr::new(server, 53), name, id, limit).await;
        // A server that does not answer one name does not answer the next one either.
        if !matches!(result, Err(Failure::NoSuchHost | Failure::ServerFailure)) {
            break;
        }
    }
    let ms = (scene.clock.since(started).saturating_add(500) / 1000) as i64;
    Said { server, result, ms }
}

fn text(said: &Said, name: &str, configured: bool) -> String {
    let Said { server, result, ms } = said;
    let kind = if configured {
        "name server"
    } else {
        "upstream name server"
    };
    match result {
        Ok(found) => {
            let shown: Vec<String> = found.iter().take(3).map(ToString::to_string).collect();
            format!("{kind} {server}: {name} is {} after {ms} ms", shown.join(", "))
        }
        Err(Failure::NoSuchHost) => format!("{kind} {server}: no such host {name} after {ms} ms"),
        Err(Failure::TimedOut) => format!("{kind} {server}: no answer for {name} within {ms} ms"),
        Err(failure) => format!(
            "{kind} {server}: {} for {name} after {ms} ms",
            failure.result().replace('-', " ")
        ),
    }
}
