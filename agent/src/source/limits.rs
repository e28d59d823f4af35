//! Limits of the kernel and how much of each is used: tasks, open files, inotify, connection tracking, ports towards the
//! API server, neighbours, memory cgroups, mounts.
//!
//! Limits of one process (`RLIMIT_NOFILE`) are `process`'s to say, those of a cgroup `cgroup`'s. A table that is not there
//! (no connection tracking on this node) is no limit. inotify is counted per user by the kernel (inotify(7)); only root's
//! instances are counted here, as the kubelet, the runtime and most containers are root.

use std::time::Duration;

use super::figures::{add, first_number, opt_int, percent};
use super::inotify::{self, Used};
use super::look::{Look, Looking, Sampler, blocking};
use super::network::{GRANT, Net};
use super::ports;
use super::scene::Scene;
use super::window;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The limits.
#[derive(Debug, Default)]
pub struct Limits {
    /// inotify in use, and when it was counted (`CLOCK_MONOTONIC`, microseconds).
    inotify: Option<(u64, Result<Used, inotify::Hidden>)>,
}

/// Counting inotify reads every descriptor of the node: at most once in five minutes, microseconds.
const RECOUNT: u64 = 300_000_000;
/// Ids of memory cgroups (`MEM_CGROUP_ID_MAX`, mm/memcontrol.c); those that are gone but still charged count too.
const CGROUPS: u64 = 65_535;

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) what: &'static str,
    pub(super) words: &'static str,
    pub(super) used: u64,
    pub(super) max: u64,
    /// Refusals during the look.
    pub(super) drops: Option<u64>,
    /// More words.
    pub(super) more: String,
}

impl Use {
    pub(super) fn new(what: &'static str, words: &'static str, (used, max): (u64, u64)) -> Self {
        Self {
            what,
            words,
            used,
            max,
            drops: None,
            more: String::new(),
        }
    }
}

impl Sampler for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Limit]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let host = &scene.host;
            let mut uses = machine(host);
            if uses.is_empty() {
                look.missed(Kind::Limit, "/proc is not here", Some("the node's /proc, read-only"));
            }
            match Net::of(host) {
                Ok(net) => {
                    let (before, after) = window::twice(scene, window::LENGTH, || Refused::read(host, net)).await;
                    let refused = after.map(|(after, _)| (before, after));
                    if net.ours {
                        uses.extend(network(host, net, refused));
                    } else {
                        let reason = "the agent is in a network name space of its own and sees its own limits only";
                        look.missed(Kind::Limit, reason, Some("hostNetwork: true"));
                    }
                    uses.extend(ports::used(scene, net).await);
                }
                Err(why) => look.missed(Kind::Limit, why.to_string(), Some(GRANT)),
            }
            for used in uses {
                say(&mut look, &used);
            }
            self.inotify(&mut look, scene).await;
            look
        })
    }
}

impl Limits {
    async fn inotify(&mut self, look: &mut Look, scene: &Scene) {
        let now = scene.clock.now().monotonic;
        let old = self
            .inotify
            .as_ref()
            .is_none_or(|(at, _)| now.saturating_sub(*at) >= RECOUNT);
        if old && scene.host.is_live() {
            let (host, clock) = (scene.host.clone(), scene.clock.clone());
            self.inotify = blocking(move || inotify::count(&host, &clock))
                .await
                .map(|used| (now, used));
        }
        let max = |file: &str| first_number(&scene.host.machine_text(format!("/proc/sys/fs/inotify/{file}")).ok()?);
        match self.inotify.as_ref().map(|(_, used)| used) {
            Some(Ok(used)) => {
                let more = if used.all { "" } else { " at least" };
                let all = [
                    (
                        "inotify-instances",
                        "inotify instances of root",
                        used.instances,
                        max("max_user_instances"),
                    ),
                    (
                        "inotify-watches",
                        "inotify watches of root",
                        used.watches,
                        max("max_user_watches"),
                    ),
                ];
                for (what, words, used, max) in all {
                    if let Some(max) = max {
                        let mut used = Use::new(what, words, (used, max));
                        more.clone_into(&mut used.more);
                        say(look, &used);
                    }
                }
            }
            Some(Err(why)) => look.missed(
                Kind::Limit,
                why.to_string(),
                Some("CAP_SYS_PTRACE, and the node's /proc at /host/proc"),
            ),
            None => look.missed(Kind::Limit, "inotify instances in use were not counted", None),
        }
    }
}

fn say(look: &mut Look, used: &Use) {
    let share = percent(used.used, used.max);
    let mut text = format!("{}  {}{} of {}", used.words, used.used, used.more, used.max);
    if let Some(share) = share {
        add(&mut text, format_args!(" ({share} %)"));
    }
    if let Some(drops) = used.drops.filter(|d| *d > 0) {
        add(&mut text, format_args!("  {drops} refused in the last second"));
    }
    let fact = Fact::new(Kind::Limit)
        .with("what", used.what)
        .with_int("used", used.used as i64)
        .with_int("max", i64::try_from(used.max).unwrap_or(i64::MAX));
    let fact = opt_int(fact, "percent", share).with("scope", "node");
    look.saw(text, opt_int(fact, "drops", used.drops.map(|d| d as i64)));
}

/// Limits of the whole machine.
fn machine(host: &Host) -> Vec<Use> {
    let text = |path: &str| host.machine_text(path).ok();
    let number = |path: &str| first_number(&text(path)?);
    // `0.26 0.16 0.06 1/108 441`: 108 tasks exist (proc_loadavg(5))
    let tasks = text("/proc/loadavg").and_then(|t| t.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok());
    let files = text("/proc/sys/fs/file-nr").and_then(|t| {
        let all: Vec<u64> = t.split_whitespace().filter_map(|w| w.parse().ok()).collect();
        let [allocated, free, max] = all[..] else { return None };
        Some((allocated.saturating_sub(free), max))
    });
    let cgroups = text("/proc/cgroups").and_then(|t| {
        let memory = t
            .lines()
            .find(|l| l.split_whitespace().next() == Some("memory"))?
            .to_owned();
        memory.split_whitespace().nth(2)?.parse().ok()
    });
    let mounts = host.text("/proc/1/mountinfo").ok().map(|t| t.lines().count() as u64);
    let pair = |used: Option<u64>, max: Option<u64>| used.zip(max);
    let found = [
        ("pids", "process ids", pair(tasks, number("/proc/sys/kernel/pid_max"))),
        (
            "threads",
            "threads",
            pair(tasks, number("/proc/sys/kernel/threads-max")),
        ),
        ("files", "open files of the node", files),
        (
            "cgroups",
            "memory cgroups, with dying ones",
            pair(cgroups, Some(CGROUPS)),
        ),
        ("mounts", "mounts", pair(mounts, number("/proc/sys/fs/mount-max"))),
    ];
    found
        .into_iter()
        .filter_map(|(what, words, pair)| Some(Use::new(what, words, pair?)))
        .collect()
}

/// What the network's tables have refused so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Refused {
    conntrack: Option<u64>,
    neighbors_v4: Option<u64>,
    neighbors_v6: Option<u64>,
}

impl Refused {
    fn read(host: &Host, net: Net) -> Self {
        let sum = |file: &str, columns: &[&str]| {
            let text = net.text(host, &format!("stat/{file}")).ok()?;
            columns
                .iter()
                .filter_map(|c| column(&text, c))
                .map(|c| c.0)
                .reduce(u64::saturating_add)
        };
        Self {
            // `insert_failed` is left out: two packets of one new flow do that on healthy nodes.
            conntrack: sum("nf_conntrack", &["drop", "early_drop"]),
            neighbors_v4: sum("arp_cache", &["table_fulls"]),
            neighbors_v6: sum("ndisc_cache", &["table_fulls"]),
        }
    }
}

/// Sum over all CPUs and the first CPU's value of a column of `/proc/net/stat/*`: a header, then a hexadecimal row a CPU.
fn column(text: &str, name: &str) -> Option<(u64, u64)> {
    let mut lines = text.lines();
    let index = lines.next()?.split_whitespace().position(|c| c == name)?;
    let mut rows = lines.filter_map(|l| u64::from_str_radix(l.split_whitespace().nth(index)?, 16).ok());
    let first = rows.next()?;
    Some((rows.fold(first, u64::saturating_add), first))
}

/// Limits of the node's own network name space.
fn network(host: &Host, net: Net, refused: Option<(Refused, Refused)>) -> Vec<Use> {
    let number = |path: &str| first_number(&host.text(path).ok()?);
    let since = |of: fn(&Refused) -> Option<u64>| {
        let (before, after) = refused.as_ref()?;
        Some(of(after)?.saturating_sub(of(before)?))
    };
    let mut found = Vec::new();
    let count = number("/proc/sys/net/netfilter/nf_conntrack_count");
    let max = number("/proc/sys/net/netfilter/nf_conntrack_max").filter(|m| *m > 0);
    if let Some(pair) = count.zip(max) {
        let mut used = Use::new("conntrack", "tracked connections", pair);
        used.drops = since(|r| r.conntrack);
        found.push(used);
    }
    // The table is one for all name spaces; `entries` is the same in each row (net/core/neighbour.c).
    let table = |file: &str, family: &str| {
        let entries = column(&net.text(host, &format!("stat/{file}")).ok()?, "entries")?.1;
        let max = number(&format!("/proc/sys/net/{family}/neigh/default/gc_thresh3"))?;
        Some((entries, max))
    };
    let v4 = table("arp_cache", "ipv4").map(|pair| (pair, since(|r| r.neighbors_v4)));
    let v6 = table("ndisc_cache", "ipv6").map(|pair| (pair, since(|r| r.neighbors_v6)));
    for (words, table) in [("IPv4 neighbours", v4), ("IPv6 neighbours", v6)] {
        if let Some((pair, drops)) = table {
            let mut used = Use::new("neighbors", words, pair);
            used.drops = drops;
            found.push(used);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, fixture_dir, run, write};

    fn of<'a>(look: &'a Look, what: &str) -> Option<&'a Fact> {
        look.readings
            .iter()
            .map(|r| &r.facts[0])
            .find(|f| f.text("what") == Some(what))
    }

    #[tokio::test]
    async fn a_captured_healthy_node_and_one_whose_table_is_full() {
        let look = run(&mut Limits::default(), &captured(fixture_dir("healthy"))).await;
        let percents: Vec<_> = ["pids", "files", "conntrack"]
            .map(|w| of(&look, w).unwrap().int("percent"))
            .into();
        assert_eq!(percents, [Some(0), Some(0), Some(0)]);
        assert_eq!(
            of(&look, "conntrack").unwrap().int("drops"),
            None,
            "one instant has no rate"
        );
        let look = run(&mut Limits::default(), &captured(fixture_dir("conntrack-full"))).await;
        assert_eq!(of(&look, "conntrack").unwrap().int("percent"), Some(100));
    }

    #[test]
    fn refusals_between_two_readings() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        write(&dir, "/proc/net/dev", "");
        write(&dir, "/proc/sys/net/netfilter/nf_conntrack_count", "262144\n");
        write(&dir, "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
        write(&dir, "/proc/sys/net/ipv4/neigh/default/gc_thresh3", "1024\n");
        let stat = |file: &str, text: &str| write(&dir, &format!("/proc/net/stat/{file}"), text);
        stat(
            "nf_conntrack",
            "entries insert_failed drop early_drop\n10 9 1 2\n10 9 10 0\n",
        );
        stat("arp_cache", "entries allocs table_fulls\n400 1 0\n400 1 5\n");
        let net = Net::of(&host).unwrap();
        let before = Refused::read(&host, net);
        stat(
            "nf_conntrack",
            "entries insert_failed drop early_drop\n10 ff 1 3\n10 9 1f 0\n",
        );
        let after = Refused::read(&host, net);
        let uses = network(&host, net, Some((before, after)));
        assert_eq!((uses[0].what, uses[0].drops), ("conntrack", Some(16)));
        assert_eq!((uses[1].used, uses[1].max, uses[1].drops), (1024, 1024, Some(0)));
        let mut look = Look::default();
        say(&mut look, &uses[0]);
        assert_eq!(
            look.readings[0].text,
            "tracked connections  262144 of 262144 (100 %)  16 refused in the last second"
        );
    }

    #[tokio::test]
    async fn no_proc_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let look = run(&mut Limits::default(), &captured(&dir)).await;
        assert_eq!((look.readings.len(), look.blind.len()), (0, 3));
    }
}
