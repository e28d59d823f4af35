//! `ss -tanp`, with `-i` and `-o` or without: TCP sockets, whose they are, and what the kernel knows of them (ss(8)).

use std::net::{IpAddr, SocketAddr};

use crate::source::sock_diag::Detail;
use crate::source::tcp_table::{ESTABLISHED, LISTEN, RETRANSMIT, Row, SYN_SENT, TIME_WAIT};

/// Sockets kept.
const SOCKETS: usize = 65_536;

/// A socket as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) row: Row,
    pub(super) detail: Option<Detail>,
    /// The programs that hold it, as `users:(("kubelet",pid=382,fd=13))` names them.
    users: String,
    /// Bytes that its owner has not read, or connections that wait to be accepted.
    pub(super) waiting: u32,
    /// Milliseconds since its owner last sent anything.
    pub(super) sent_ms: Option<u32>,
}

/// Whether this text is such a list.
pub(super) fn is_list(text: &str) -> bool {
    let header = text.lines().next().unwrap_or_default();
    header.contains("Recv-Q") && header.contains("Send-Q") && header.contains("Peer Address:Port")
}

/// The TCP sockets.
pub(super) fn parse(text: &str) -> Vec<Socket> {
    let mut sockets: Vec<Socket> = Vec::new();
    for line in text.lines().skip(1) {
        if line.starts_with([' ', '\t']) {
            if let Some(last) = sockets.last_mut()
                && last.detail.is_none()
            {
                last.detail = detail(line);
                last.sent_ms = last.detail.and_then(|_| number(line, "lastsnd"));
            }
        } else if sockets.len() < SOCKETS {
            sockets.extend(socket(line));
        }
    }
    sockets
}

impl Socket {
    /// Whether a program of this name holds it.
    pub(super) fn is_of(&self, program: &str) -> bool {
        self.users.contains(&format!("(\"{program}\","))
    }

    /// Whether it waits for connections to this port.
    pub(super) fn listens(&self, port: u16) -> bool {
        self.row.state == LISTEN && self.row.local.port() == port
    }
}

fn socket(line: &str) -> Option<Socket> {
    let mut words = line.split_whitespace().peekable();
    // `Netid` is a column where several kinds are listed
    match *words.peek()? {
        "tcp" => drop(words.next()),
        "udp" | "raw" | "u_str" | "u_dgr" | "u_seq" | "nl" | "p_raw" | "p_dgr" | "icmp6" | "v_str" => return None,
        _ => {}
    }
    let state = match words.next()? {
        "ESTAB" => ESTABLISHED,
        "SYN-SENT" => SYN_SENT,
        "TIME-WAIT" => TIME_WAIT,
        "LISTEN" => LISTEN,
        "SYN-RECV" => 3,
        "FIN-WAIT-1" => 4,
        "FIN-WAIT-2" => 5,
        "UNCONN" => 7,
        "CLOSE-WAIT" => 8,
        "LAST-ACK" => 9,
        "CLOSING" => 11,
        _ => return None,
    };
    let (received, sent): (u32, u32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    let rest: Vec<&str> = words.collect();
    let users = rest.iter().copied().find(|w| w.starts_with("users:"));
    // timer:(on,1.2sec,4): on is the retransmission's
    let timer = rest.iter().find_map(|w| w.strip_prefix("timer:("));
    let retransmits = timer.and_then(|t| t.trim_end_matches(')').rsplit(',').next()?.parse().ok());
    Some(Socket {
        row: Row {
            local,
            remote,
            state,
            tx_queue: if state == LISTEN { 0 } else { sent },
            timer: if timer.is_some_and(|t| t.starts_with("on,")) {
                RETRANSMIT
            } else {
                0
            },
            retransmits: retransmits.unwrap_or(0),
            uid: 0,
            inode: 0,
        },
        detail: None,
        users: users.unwrap_or_default().to_owned(),
        waiting: received,
        sent_ms: None,
    })
}

/// `10.0.0.1:6443`, `[::1]:22`, `*:10250`, `10.0.0.1%eth0:68`; any port is 0.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let port = if port == "*" { 0 } else { port.parse().ok()? };
    let host = host.trim_matches(['[', ']']);
    let host = host.split('%').next().unwrap_or(host);
    let ip = if host == "*" {
        IpAddr::from([0_u16; 8])
    } else {
        host.parse::<IpAddr>().ok()?.to_canonical()
    };
    Some(SocketAddr::new(ip, port))
}

/// `key:5` or `key:1/5`, of which the last is the sum.
fn number(line: &str, key: &str) -> Option<u32> {
    let value = line
        .split_whitespace()
        .find_map(|w| w.strip_prefix(key)?.strip_prefix(':'))?;
    value.split('/').next_back()?.parse().ok()
}

/// The line of `-i`. Times that were never set are as long ago as the machine is up; the kernel counts from there.
fn detail(line: &str) -> Option<Detail> {
    let number = |key| number(line, key);
    let (data, ack) = (number("lastrcv")?, number("lastack")?);
    Some(Detail {
        retransmits: number("backoff").unwrap_or(0),
        probes: 0,
        unacked: number("unacked").unwrap_or(0),
        last_data_ms: data,
        last_ack_ms: ack,
        total_retransmits: number("retrans").unwrap_or(0),
        segments_out: number("segs_out").unwrap_or(0),
        cgroup: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n\
        LISTEN 0      4096       127.0.0.1:10248      0.0.0.0:*     users:((\"kubelet\",pid=382,fd=10))\n\
        \t cubic cwnd:10 tcp-ulp-mptcp\n\
        ESTAB  5169   39         10.99.0.11:49836    10.99.0.1:6443  users:((\"kubelet\",pid=382,fd=13))\n\
        \t cubic rto:16000 backoff:4 segs_out:157 segs_in:160 lastsnd:91532 lastrcv:41152 lastack:41088 unacked:1 retrans:1/4\n\
        LISTEN 0      4096               *:10250            *:*     users:((\"kubelet\",pid=382,fd=19))\n\
        \t cubic cwnd:10\n\
        FIN-WAIT-2 0  0 10.99.0.11:44208 10.99.0.1:6443\n";

    #[test]
    fn a_dead_connection() {
        assert!(is_list(TEXT));
        let sockets = parse(TEXT);
        assert_eq!(sockets.len(), 4);
        assert!(sockets[0].listens(10248) && sockets[0].is_of("kubelet") && !sockets[0].is_of("kube"));
        assert_eq!((sockets[1].waiting, sockets[1].row.tx_queue), (5169, 39));
        assert_eq!((sockets[1].sent_ms, sockets[0].sent_ms), (Some(91_532), None));
        let detail = sockets[1].detail.unwrap();
        assert_eq!(
            (detail.retransmits, detail.last_ack_ms, detail.total_retransmits),
            (4, 41_088, 4)
        );
        assert!(sockets[2].listens(10250));
        assert!(!sockets[3].is_of("kubelet"));
    }

    #[test]
    fn other_kinds_and_timers() {
        let text = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
            udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*\ntcp SYN-SENT 0 1 [fe80::1%eth0]:4000 [::ffff:10.0.0.1]:6443 timer:(on,1.2sec,3)\n";
        let sockets = parse(text);
        assert_eq!(sockets.len(), 1);
        assert_eq!((sockets[0].row.state, sockets[0].row.retransmits), (SYN_SENT, 3));
        assert_eq!(sockets[0].row.remote, "10.0.0.1:6443".parse().unwrap());
    }
}
