//! `/proc/PID/net/tcp` and `tcp6` (kernel `Documentation/networking/proc_net_tcp.rst`): the TCP sockets of the network
//! name space in which a process lives, whichever this process lives in.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::host::{Host, Unreadable};

/// Bytes of one table that are read at most: 32 MiB, some 200,000 sockets.
const BYTES: u64 = 32 << 20;
/// Rows that are kept at most.
const ROWS: usize = 1024;

/// States as the kernel numbers them (`include/net/tcp_states.h`).
pub const ESTABLISHED: u8 = 1;
/// A connection is being made.
pub const SYN_SENT: u8 = 2;
/// Closed, and kept for a while.
pub const TIME_WAIT: u8 = 6;
/// Waits for connections.
pub const LISTEN: u8 = 10;

/// The timer that runs for a socket.
pub const RETRANSMIT: u8 = 1;

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// This side.
    pub local: SocketAddr,
    /// The other side. IPv4 in IPv6 is IPv4.
    pub remote: SocketAddr,
    /// The state's number.
    pub state: u8,
    /// Bytes that were sent or wait to be sent and are not acknowledged.
    pub tx_queue: u32,
    /// Which timer runs: 1 retransmission, 2 another one (keep-alive), 3 `TIME_WAIT`, 4 zero window.
    pub timer: u8,
    /// Retransmissions of the present segment without an answer.
    pub retransmits: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The socket's inode; 0 where no process has it any more.
    pub inode: u64,
}

/// The sockets of the name space of `pid` that satisfy `keep`, [`ROWS`] at most.
pub fn rows(host: &Host, pid: u32, keep: impl Fn(&Row) -> bool) -> Result<Vec<Row>, Unreadable> {
    let mut rows = Vec::new();
    let v4 = read(host, &format!("/proc/{pid}/net/tcp"), &keep, &mut rows);
    let v6 = read(host, &format!("/proc/{pid}/net/tcp6"), &keep, &mut rows);
    // without IPv6 there is no tcp6
    v4.or_else(|e| v6.map_err(|_| e))?;
    Ok(rows)
}

/// Whether somebody in the name space of `pid` listens on the port.
pub fn listens(host: &Host, pid: u32, port: u16) -> bool {
    rows(host, pid, |r| r.state == LISTEN && r.local.port() == port).is_ok_and(|r| !r.is_empty())
}

fn read(host: &Host, path: &str, keep: &impl Fn(&Row) -> bool, rows: &mut Vec<Row>) -> Result<(), Unreadable> {
    let file = BufReader::new(host.open(path)?.take(BYTES));
    // A read that fails half-way ends the table: what was read counts.
    for line in file.lines().map_while(Result::ok).skip(1) {
        if rows.len() >= ROWS {
            break;
        }
        rows.extend(parse(&line).filter(keep));
    }
    Ok(())
}

fn parse(line: &str) -> Option<Row> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let tx_queue = hexadecimal(fields.next()?.split(':').next()?)?;
    let timer = u8::from_str_radix(fields.next()?.split(':').next()?, 16).ok()?;
    let retransmits = hexadecimal(fields.next()?)?;
    let uid = fields.next()?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Row {
        local,
        remote,
        state,
        tx_queue,
        timer,
        retransmits,
        uid,
        inode,
    })
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// Addresses are written as 32-bit words in the machine's byte order, ports as numbers.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<u32> = (0..ip.len() / 8)
        .map_while(|i| hexadecimal(ip.get(i * 8..i * 8 + 8)?))
        .collect();
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_the_kernel_writes_them() {
        let line = "   3: 0A00020F:A0F2 0100000A:192B 01 00000205:00000000 01:00000140 00000006     0        0 91835 4 \
                    0000000000000000 3264 4 30 10 -1";
        let line = if cfg!(target_endian = "little") {
            line.replace("0A00020F", "0F02000A")
        } else {
            line.into()
        };
        let row = parse(&line).unwrap();
        assert_eq!(row.remote.port(), 6443);
        assert_eq!(
            (row.state, row.tx_queue, row.timer, row.retransmits),
            (ESTABLISHED, 517, RETRANSMIT, 6)
        );
        assert_eq!((row.uid, row.inode), (0, 91835));
        if cfg!(target_endian = "little") {
            assert_eq!(row.local.to_string(), "10.0.2.15:41202");
            assert_eq!(row.remote.to_string(), "10.0.0.1:6443");
            let mapped = address("0000000000000000FFFF00000100000A:192B").unwrap();
            assert_eq!(mapped.to_string(), "10.0.0.1:6443");
        }
    }

    #[test]
    fn lines_that_are_cut_are_passed_over() {
        assert_eq!(parse("   3: 0A00020F:A0F2 0100000A"), None);
        assert_eq!(parse(""), None);
        assert_eq!(address("0F02000:1"), None);
    }
}
