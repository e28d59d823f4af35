//! The kubelet's own connections to the API server: a connection on which nothing is answered any more, while new ones
//! succeed, is told here from a path that is dead.
//!
//! Sockets come from `/proc/PID/net/tcp` of the kubelet's network name space; what the kernel knows besides of silence and
//! loss comes from [`sock_diag`], where this process shares that name space. No packet is sent or read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::look::{Look, Looking, Reading, Sampler, blocking};
use super::scene::Scene;
use super::sock_diag::{self, Detail};
use super::task;
use super::tcp_table::{self, ESTABLISHED, LISTEN, RETRANSMIT, Row, SYN_SENT, TIME_WAIT};
use crate::grammar::fact::{Fact, Kind};
use crate::host::{Host, Unreadable};
use crate::model::time::Timestamp;
use crate::world::{Endpoint, Process, World};

/// Retransmissions, or probes, without an answer from which on a connection is stale where the kernel tells no times (RFC
/// 6298 doubles the time-out, 200 ms at least on Linux).
const TRIES: u32 = 2;
/// So long may what was sent go without any answer, milliseconds; acknowledgements are delayed by 200 ms at most.
const SILENCE_MS: u32 = 2000;
/// Segments from which on a share of lost ones means something.
const SEGMENTS: u32 = 50;
/// Between two readings of the table where the kernel tells no more than the table.
const APART: Duration = Duration::from_secs(1);
/// Open files of the kubelet that are looked at for sockets.
const FILES: usize = 65_536;
/// Remote addresses that are spoken of.
const REMOTES: usize = 8;

/// Looks at the kubelet's connections to the API server.
#[derive(Debug, Default)]
pub struct ApiSockets;

impl Sampler for ApiSockets {
    fn name(&self) -> &'static str {
        "api-socket"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::ApiSocket]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(look(scene))
    }
}

/// A socket and what the kernel tells of it.
#[derive(Debug, Clone)]
struct Socket {
    row: Row,
    detail: Option<Detail>,
    /// Bytes that went unacknowledged in two readings of the table, without a detail.
    stuck: bool,
}

/// How it is known whose the sockets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Files,
    Cgroup,
    /// Any process of user 0 may be.
    Unknown,
}

async fn look(scene: &Scene) -> Look {
    let mut look = Look::default();
    let Some(server) = scene.world.kubeconfig.server.clone() else {
        look.missed(
            Kind::ApiSocket,
            "which API server the kubelet uses is not known",
            Some("read the kubelet's kubeconfig"),
        );
        return look;
    };
    let Some(kubelet) = scene.world.kubelet.clone() else {
        look.missed(
            Kind::ApiSocket,
            "no kubelet runs, or its process is not to be seen",
            None,
        );
        return look;
    };
    let ports = ports(&scene.world, &server);
    let take = || {
        let (host, kubelet, ports, server) = (scene.host.clone(), kubelet.clone(), ports.clone(), server.clone());
        blocking(move || sockets(&host, &kubelet, &ports, &server))
    };
    let (mut sockets, owner) = match take().await {
        Some(Ok(found)) => found,
        Some(Err(e)) => {
            look.missed(
                Kind::ApiSocket,
                e.to_string(),
                Some("mount the node's /proc at /host/proc"),
            );
            return look;
        }
        None => return look,
    };
    if sockets
        .iter()
        .any(|s| s.detail.is_none() && s.row.state == ESTABLISHED && s.row.tx_queue > 0)
    {
        tokio::time::sleep(APART).await;
        if let Some(Ok((later, _))) = take().await {
            sockets = compared(&sockets, later);
        }
    }
    look.readings = readings(&sockets, owner, &server, scene.clock.now().wall);
    look
}

/// Of a captured node: the connections of the kubelet as ss(8) listed them then. Nothing is looked at.
pub fn listed(connections: Vec<(Row, Option<Detail>)>, scene: &Scene) -> Vec<Reading> {
    let Some(server) = &scene.world.kubeconfig.server else {
        return Vec::new();
    };
    let ports = ports(&scene.world, server);
    let sockets: Vec<Socket> = connections
        .into_iter()
        .filter(|(row, _)| !matches!(row.state, LISTEN | TIME_WAIT) && ports.contains(&row.remote.port()))
        .map(|(row, detail)| Socket {
            row,
            detail,
            stuck: false,
        })
        .collect();
    readings(&sockets, Owner::Files, server, scene.clock.now().wall)
}

/// The endpoint's port, and where it is a load balancer on this node those behind it: the same process owns both.
fn ports(world: &World, server: &Endpoint) -> Vec<u16> {
    let mut ports = vec![server.port];
    if server.scope() == "loopback" {
        ports.extend(world.peers.iter().map(|p| p.port));
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn sockets(
    host: &Host,
    kubelet: &Process,
    ports: &[u16],
    server: &Endpoint,
) -> Result<(Vec<Socket>, Owner), Unreadable> {
    let rows = tcp_table::rows(host, kubelet.pid, |r| {
        !matches!(r.state, LISTEN | TIME_WAIT) && r.inode != 0 && ports.contains(&r.remote.port())
    })?;
    let details = ports.iter().filter_map(|p| sock_diag::connections(*p).ok()).fold(
        HashMap::new(),
        |mut all: HashMap<u64, Detail>, some| {
            all.extend(some);
            all
        },
    );
    let sockets = rows.into_iter().map(|row| Socket {
        detail: details.get(&row.inode).copied(),
        row,
        stuck: false,
    });
    if let Some(own) = inodes(host, kubelet.pid) {
        return Ok((sockets.filter(|s| own.contains(&s.row.inode)).collect(), Owner::Files));
    }
    let sockets: Vec<Socket> = sockets.collect();
    if let Some(group) = cgroup_id(host, kubelet)
        && sockets.iter().any(|s| s.detail.is_some_and(|d| d.cgroup.is_some()))
    {
        let own = |s: &Socket| s.detail.and_then(|d| d.cgroup) == Some(group);
        return Ok((sockets.into_iter().filter(own).collect(), Owner::Cgroup));
    }
    let ip = server.ip();
    let likely = |s: &Socket| s.row.uid == 0 && ip.is_none_or(|ip| ip == s.row.remote.ip());
    Ok((sockets.into_iter().filter(likely).collect(), Owner::Unknown))
}

/// The sockets among the process's open files; `None` where this process may not follow their links, which takes
/// `CAP_SYS_PTRACE` or the same capabilities that the kubelet has.
fn inodes(host: &Host, pid: u32) -> Option<HashSet<u64>> {
    let dir = format!("/proc/{pid}/fd");
    let names = host.list(&dir).ok()?;
    let links: Vec<_> = names
        .iter()
        .take(FILES)
        .map(|n| host.link(format!("{dir}/{n}")))
        .collect();
    if links.iter().any(|l| matches!(l, Err(e) if e.is_denied())) {
        return None;
    }
    Some(links.iter().flatten().filter_map(|l| tcp_table::inode(l)).collect())
}

/// A cgroup's id is its directory's inode (64-bit kernels from 5.6).
fn cgroup_id(host: &Host, kubelet: &Process) -> Option<u64> {
    let groups = host.text(format!("/proc/{}/cgroup", kubelet.pid)).ok()?;
    let path = groups
        .lines()
        .find_map(|l| l.strip_prefix("0::"))
        .map(task::from_root)?;
    // The whole node's group says nothing.
    if matches!(path, "/" | "") {
        return None;
    }
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .filter(|root| host.metadata(format!("{root}/cgroup.controllers")).is_ok())
        .find_map(|root| host.metadata(format!("{root}{path}")).ok())
        .map(|m| m.ino())
}

/// Marks those of the later reading on which nothing of what waited has been acknowledged.
fn compared(earlier: &[Socket], mut later: Vec<Socket>) -> Vec<Socket> {
    for socket in &mut later {
        let before = earlier.iter().find(|s| s.row.inode == socket.row.inode);
        socket.stuck = before.is_some_and(|b| {
            b.row.tx_queue > 0 && socket.row.tx_queue >= b.row.tx_queue && socket.row.timer == RETRANSMIT
        });
    }
    later
}

impl Socket {
    fn retransmits(&self) -> u32 {
        match self.detail {
            Some(d) => d.retransmits.max(d.probes),
            None => self.row.retransmits,
        }
    }

    /// Milliseconds since anything came.
    fn silent_ms(&self) -> Option<u32> {
        self.detail.map(|d| d.last_data_ms.min(d.last_ack_ms))
    }

    fn is_stale(&self) -> bool {
        let unanswered = match self.detail {
            Some(d) => d.last_ack_ms >= SILENCE_MS && (d.unacked > 0 || self.retransmits() >= TRIES),
            None => self.stuck || self.retransmits() >= TRIES,
        };
        self.row.state == ESTABLISHED && unanswered
    }

    fn lost_percent(&self) -> Option<i64> {
        let d = self.detail.filter(|d| d.segments_out >= SEGMENTS)?;
        Some(i64::from(d.total_retransmits) * 100 / i64::from(d.segments_out))
    }

    /// The worst first.
    fn rank(&self) -> (bool, u32, u32) {
        (self.is_stale(), self.silent_ms().unwrap_or_default(), self.row.tx_queue)
    }
}

fn readings(sockets: &[Socket], owner: Owner, server: &Endpoint, now: Timestamp) -> Vec<Reading> {
    let mut remotes: BTreeMap<SocketAddr, Vec<&Socket>> = BTreeMap::new();
    for socket in sockets {
        remotes.entry(socket.row.remote).or_default().push(socket);
    }
    if remotes.is_empty() {
        let remote = format!("{}:{}", server.host, server.port);
        let text = match owner {
            Owner::Unknown => format!("{remote}  no connection of user 0"),
            _ => format!("{remote}  the kubelet has no connection"),
        };
        let fact = Fact::new(Kind::ApiSocket)
            .with("state", "none")
            .with_text("remote", remote)
            .with_int("established", 0)
            .with_int("connecting", 0);
        return vec![Reading::new(text, fact)];
    }
    let readings = remotes.into_iter().take(REMOTES);
    readings
        .map(|(remote, sockets)| reading(remote, &sockets, owner, now))
        .collect()
}

fn reading(remote: SocketAddr, sockets: &[&Socket], owner: Owner, now: Timestamp) -> Reading {
    let count = |state| sockets.iter().filter(|s| s.row.state == state).count() as i64;
    let (established, connecting) = (count(ESTABLISHED), count(SYN_SENT));
    let worst = sockets
        .iter()
        .filter(|s| s.row.state == ESTABLISHED)
        .max_by_key(|s| s.rank())
        .or_else(|| sockets.iter().find(|s| s.row.state == SYN_SENT))
        .or(sockets.first());
    let stale = worst.is_some_and(|s| s.is_stale());
    let word = match (stale, established, connecting) {
        (true, ..) => "stale",
        (_, 1.., _) => "established",
        (_, _, 1..) => "connecting",
        _ => "closing",
    };
    let mut fact = Fact::new(Kind::ApiSocket)
        .with("state", word)
        .with_text("remote", remote.to_string())
        .with_int("established", established)
        .with_int("connecting", connecting);
    let mut text = format!("{remote}  {word}: {established} established, {connecting} connecting");
    let mut began = None;
    if let Some(worst) = worst {
        let (unacked, retransmits) = (worst.row.tx_queue, worst.retransmits());
        fact = fact
            .with_int("local_port", i64::from(worst.row.local.port()))
            .with_int("unacked_bytes", i64::from(unacked))
            .with_int("retransmits", i64::from(retransmits));
        let _ = write!(
            text,
            "; port {}: {unacked} bytes unacknowledged, {retransmits} retransmits",
            worst.row.local.port()
        );
        if let Some(silent) = worst.silent_ms().filter(|_| worst.row.state == ESTABLISHED) {
            fact = fact.with_int("silent_ms", i64::from(silent));
            let _ = write!(text, ", last heard of {}.{} s ago", silent / 1000, silent % 1000 / 100);
            began = stale.then(|| Timestamp(now.0 - i64::from(silent) * 1000));
        }
        if let Some(lost) = worst.lost_percent() {
            fact = fact.with_int("lost_percent", lost);
            let _ = write!(text, ", {lost} % sent again");
        }
    }
    match owner {
        Owner::Files => {}
        Owner::Cgroup => text.push_str(" (sockets of the kubelet's cgroup)"),
        Owner::Unknown => text.push_str(" (sockets of user 0: whose they are is not to be seen)"),
    }
    Reading {
        text,
        facts: vec![fact],
        began,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(state: u8, tx_queue: u32, detail: Option<Detail>) -> Socket {
        Socket {
            row: Row {
                local: "10.0.0.9:40000".parse().unwrap(),
                remote: "10.0.0.1:6443".parse().unwrap(),
                state,
                tx_queue,
                timer: RETRANSMIT,
                retransmits: 0,
                uid: 0,
                inode: 7,
            },
            detail,
            stuck: false,
        }
    }

    fn server() -> Endpoint {
        Endpoint {
            host: "10.0.0.1".into(),
            port: 6443,
            path: String::new(),
        }
    }

    #[test]
    fn an_idle_connection_is_not_stale_and_a_silent_one_is() {
        let idle = Detail {
            last_ack_ms: 90_000,
            last_data_ms: 90_000,
            ..Detail::default()
        };
        assert!(!socket(ESTABLISHED, 0, Some(idle)).is_stale());
        let silent = Detail { unacked: 1, ..idle };
        assert!(socket(ESTABLISHED, 39, Some(silent)).is_stale());
        let fresh = Detail {
            unacked: 1,
            last_ack_ms: 20,
            ..idle
        };
        assert!(!socket(ESTABLISHED, 39, Some(fresh)).is_stale());
        // keep-alive probes of an idle connection that nobody answers
        assert!(socket(ESTABLISHED, 0, Some(Detail { probes: 2, ..idle })).is_stale());
    }

    #[test]
    fn without_details_two_readings_tell() {
        let earlier = [socket(ESTABLISHED, 39, None)];
        assert!(compared(&earlier, vec![socket(ESTABLISHED, 39, None)])[0].is_stale());
        assert!(!compared(&earlier, vec![socket(ESTABLISHED, 0, None)])[0].is_stale());
        assert!(!compared(&[], vec![socket(ESTABLISHED, 39, None)])[0].is_stale());
    }

    #[test]
    fn the_worst_connection_speaks() {
        let well = socket(ESTABLISHED, 0, Some(Detail::default()));
        let silent = Detail {
            unacked: 2,
            retransmits: 6,
            last_ack_ms: 13_240,
            last_data_ms: 13_240,
            segments_out: 100,
            total_retransmits: 8,
            ..Detail::default()
        };
        let stale = socket(ESTABLISHED, 517, Some(silent));
        let readings = readings(&[well, stale], Owner::Files, &server(), Timestamp(20_000_000));
        assert_eq!(
            readings[0].text,
            "10.0.0.1:6443  stale: 2 established, 0 connecting; port 40000: 517 bytes unacknowledged, 6 retransmits, \
             last heard of 13.2 s ago, 8 % sent again"
        );
        assert_eq!(readings[0].began, Some(Timestamp(6_760_000)));
        assert_eq!(readings[0].facts[0].int("lost_percent"), Some(8));
    }

    #[test]
    fn connecting_and_none() {
        let state = |sockets: &[Socket]| {
            readings(sockets, Owner::Files, &server(), Timestamp(0))[0].facts[0]
                .text("state")
                .map(str::to_owned)
        };
        assert_eq!(state(&[socket(SYN_SENT, 1, None)]).as_deref(), Some("connecting"));
        assert_eq!(state(&[]).as_deref(), Some("none"));
        assert_eq!(state(&[socket(8, 0, None)]).as_deref(), Some("closing"));
    }
}
