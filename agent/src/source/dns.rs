//! The node's resolver configuration, and one question to one name server.
//!
//! Read as Go's own resolver reads it, because that is what the kubelet uses (Go `net/dnsconfig_unix.go`,
//! `net/dnsclient_unix.go`, resolv.conf(5)). Nothing is cached and no other resolver library is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::host::{Host, Unreadable};

/// Name servers used at most, as in Go and glibc (`MAXNS`).
const SERVERS: usize = 3;
/// Search domains used at most; glibc and Go know no limit any more, a file that an attacker wrote might.
const SEARCH: usize = 32;
/// Addresses taken from one answer at most.
const ADDRESSES: usize = 16;
/// What we say that we can take over UDP, as Go does (RFC 6891).
const UDP_SIZE: u16 = 1232;

/// What `/etc/resolv.conf` says, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conf {
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) ndots: usize,
    pub(crate) timeout: Duration,
    pub(crate) attempts: usize,
}

/// Why one server gave no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "SERVFAIL by its own name (RFC 1035)")]
pub(crate) enum Failure {
    NoSuchHost,
    TimedOut,
    ServerFailure,
    /// The server's own word (RFC 1035, RCODE 5), or nobody listens there.
    Refused,
    Unreachable,
    Other,
}

impl Failure {
    /// The word of kind `resolver`.
    pub(crate) fn result(self) -> &'static str {
        match self {
            Self::NoSuchHost => "no-such-host",
            Self::TimedOut => "timed-out",
            Self::ServerFailure => "server-failure",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }

    /// The class of the error that a look-up through this server ends with.
    pub(crate) fn error(self) -> &'static str {
        match self {
            Self::NoSuchHost => "no-such-host",
            Self::TimedOut => "dns-timeout",
            Self::Refused => "dns-refused",
            Self::Unreachable => "unreachable",
            Self::ServerFailure | Self::Other => "dns-server-failure",
        }
    }
}

impl Conf {
    /// The configuration of the node; where there is no file, Go asks this machine itself.
    pub(crate) fn of(host: &Host, path: &str) -> Result<Self, Unreadable> {
        let text = match host.text(path) {
            Ok(text) => text,
            Err(e) if e.is_missing() => String::new(),
            Err(e) => return Err(e),
        };
        let mut conf = Self::parse(&text);
        if conf.search.is_empty() {
            conf.search.extend(default_search(host));
        }
        Ok(conf)
    }

    fn parse(text: &str) -> Self {
        let mut conf = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines().filter(|l| !l.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                // A zone (`fe80::1%eth0`) is left out: std's addresses have none.
                Some("nameserver") if conf.servers.len() < SERVERS => {
                    let address = words.next().and_then(|w| w.split('%').next());
                    conf.servers.extend(address.and_then(|a| a.parse::<IpAddr>().ok()));
                }
                Some("domain") => conf.search = words.next().map(rooted).into_iter().collect(),
                Some("search") => conf.search = words.map(rooted).filter(|d| d != ".").take(SEARCH).collect(),
                Some("options") => words.for_each(|word| conf.option(word)),
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        conf
    }

    fn option(&mut self, word: &str) {
        let Some((name, Ok(n))) = word.split_once(':').map(|(k, v)| (k, v.parse::<u64>())) else {
            return;
        };
        match name {
            "ndots" => self.ndots = n.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(n.clamp(1, 30)),
            "attempts" => self.attempts = n.clamp(1, 5) as usize,
            _ => {}
        }
    }

    /// The names that are asked for, in order, each with its final dot (Go `dnsConfig.nameList`).
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let as_is = format!("{name}.");
        let dotted = name.matches('.').count() >= self.ndots;
        let searched = self.search.iter().map(|domain| format!("{name}.{domain}"));
        let mut names: Vec<String> = dotted.then(|| as_is.clone()).into_iter().chain(searched).collect();
        if !dotted {
            names.push(as_is);
        }
        names
    }
}

fn rooted(domain: &str) -> String {
    format!("{}.", domain.trim_end_matches('.'))
}

/// Without a search list it is the domain of the host's own name (Go `dnsDefaultSearch`).
fn default_search(host: &Host) -> Option<String> {
    let name = host.text("/proc/sys/kernel/hostname").ok()?;
    let (_, domain) = name.trim().split_once('.')?;
    (!domain.is_empty()).then(|| rooted(domain))
}

/// Whether the node's `/etc` is there to be read: a pod without that mount must not take the machine itself for the name
/// server.
pub(crate) fn readable(host: &Host) -> bool {
    let there = host.is_here() || host.metadata("/etc").is_ok();
    there && !host.text("/etc/resolv.conf").is_err_and(|e| e.is_denied())
}

/// The addresses that `/etc/hosts` has for a name; IPv4 and IPv6, in the file's order.
pub(crate) fn in_hosts(host: &Host, name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let text = host.text("/etc/hosts").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address: IpAddr = words.next()?.parse().ok()?;
            words
                .any(|w| w.trim_end_matches('.').eq_ignore_ascii_case(name))
                .then_some(address)
        })
        .take(ADDRESSES)
        .collect()
}

/// The addresses that one server has for one name: A and AAAA at the same time, as Go asks. Takes `limit` at most.
pub(crate) async fn ask(server: SocketAddr, name: &str, id: u16, limit: Duration) -> Result<Vec<IpAddr>, Failure> {
    let (four, six) = tokio::join!(
        question(server, name, TYPE::A, id, limit),
        question(server, name, TYPE::AAAA, id.wrapping_add(1), limit)
    );
    match (four, six) {
        (Ok(mut four), six) => {
            four.extend(six.unwrap_or_default());
            if four.is_empty() {
                Err(Failure::NoSuchHost)
            } else {
                Ok(four)
            }
        }
        (Err(_), Ok(six)) if !six.is_empty() => Ok(six),
        (Err(failure), _) => Err(failure),
    }
}

async fn question(
    server: SocketAddr,
    name: &str,
    kind: TYPE,
    id: u16,
    limit: Duration,
) -> Result<Vec<IpAddr>, Failure> {
    let query = query(name, kind, id).ok_or(Failure::NoSuchHost)?;
    match timeout(limit, exchange(server, &query, id)).await {
        Ok(Ok(answer)) => addresses(&answer),
        Ok(Err(e)) => Err(failure(&e)),
        Err(_) => Err(Failure::TimedOut),
    }
}

fn query(name: &str, kind: TYPE, id: u16) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name.trim_end_matches('.')).ok()?;
    packet
        .questions
        .push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    *packet.opt_mut() = Some(OPT {
        opt_codes: Vec::new(),
        udp_packet_size: UDP_SIZE,
        version: 0,
    });
    packet.build_bytes_vec().ok()
}

async fn exchange(server: SocketAddr, query: &[u8], id: u16) -> std::io::Result<Vec<u8>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; usize::from(UDP_SIZE) * 2];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let answer = buffer.get(..length).unwrap_or_default();
        if !is_answer(answer, id) {
            continue; // a late answer to somebody else, or noise
        }
        if simple_dns::header_buffer::has_flags(answer, PacketFlag::TRUNCATION).unwrap_or(false) {
            return over_tcp(server, query).await;
        }
        return Ok(answer.to_vec());
    }
}

/// RFC 7766: a truncated answer is asked for again over TCP. 64 KiB at most, by its length field.
async fn over_tcp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_u16(query.len() as u16).await?;
    stream.write_all(query).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn is_answer(bytes: &[u8], id: u16) -> bool {
    simple_dns::header_buffer::id(bytes) == Ok(id)
        && simple_dns::header_buffer::has_flags(bytes, PacketFlag::RESPONSE) == Ok(true)
}

fn addresses(answer: &[u8]) -> Result<Vec<IpAddr>, Failure> {
    let packet = Packet::parse(answer).map_err(|_| Failure::Other)?;
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Err(Failure::NoSuchHost),
        RCODE::Refused => return Err(Failure::Refused),
        RCODE::ServerFailure => return Err(Failure::ServerFailure),
        _ => return Err(Failure::Other),
    }
    Ok(packet
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(a) => Some(IpAddr::from(Ipv4Addr::from(a.address))),
            RData::AAAA(a) => Some(IpAddr::from(Ipv6Addr::from(a.address))),
            _ => None,
        })
        .take(ADDRESSES)
        .collect())
}

fn failure(e: &std::io::Error) -> Failure {
    use rustix::io::Errno;
    match e.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::CONNREFUSED) => Failure::Refused,
        Some(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN | Errno::INVAL | Errno::ACCESS) => {
            Failure::Unreachable
        }
        Some(Errno::TIMEDOUT) => Failure::TimedOut,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        use std::io::Write as _;
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let host = Host::at(dir.path());
        (dir, host)
    }

    #[test]
    fn the_configuration_is_read_as_go_reads_it() {
        let text = "; old\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver ten\nnameserver 10.0.0.3\n\
                    nameserver 10.0.0.4\ndomain a.test\nsearch lab.test corp.test.\noptions ndots:2 timeout:1 attempts:9 rotate\n";
        let conf = Conf::parse(text);
        let servers: Vec<String> = conf.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1", "fe80::1", "10.0.0.3"]);
        assert_eq!((conf.ndots, conf.timeout.as_secs(), conf.attempts), (2, 1, 5));
        assert_eq!(
            conf.names("api.prod"),
            ["api.prod.lab.test.", "api.prod.corp.test.", "api.prod."]
        );
        assert_eq!(conf.names("api.prod.x")[0], "api.prod.x.");
        assert_eq!(conf.names("api."), ["api."]);
    }

    #[test]
    fn without_a_file_the_machine_itself_is_asked() {
        let (_dir, host) = host(&[("proc/sys/kernel/hostname", "node1.lab.test\n")]);
        let conf = Conf::of(&host, "/etc/resolv.conf").unwrap();
        assert_eq!(
            conf.servers,
            ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]
        );
        assert_eq!(conf.names("api"), ["api.lab.test.", "api."]);
    }

    #[test]
    fn hosts_has_names_in_any_case() {
        let (_dir, host) = host(&[(
            "etc/hosts",
            "127.0.0.1 localhost\n10.9.0.1 x API.lab.test # api.lab.test\nbad api.lab.test\n",
        )]);
        assert_eq!(
            in_hosts(&host, "api.lab.test."),
            ["10.9.0.1".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(in_hosts(&host, "lab.test"), Vec::<IpAddr>::new());
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        assert_eq!(addresses(&[0; 5]), Err(Failure::Other));
        let query = query("api.lab.test.", TYPE::A, 7).unwrap();
        assert!(!is_answer(&query, 7), "a query is no answer");
    }
}
